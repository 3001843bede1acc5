"""Bottlenecks between encoder and decoder, of one interface: Gaussian, learned codebook, finite scalars.

moments                       channels that the encoder gives.
posterior(moments)            what the encoder says of the latents. They stay continuous: this is what is stored.
quantize(raw_latents)         latents as the decoder takes them; gradients pass as if nothing had happened.
penalty(posterior, weights)   (B,) weighted part of the loss.
update(raw_latents, weights)  learns from a batch of training, once per step and before `quantize`.
counts(raw_latents)           (codes,) how often each code occurs; of no code where latents are continuous.
usage()                       use of the codes in the last batch that `update` saw; see codes.usage.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from echoes.autoencoder.fsq import FiniteScalars, FsqConfig
from echoes.autoencoder.posteriors import Point, Posterior
from echoes.autoencoder.vq import BottleneckWeights, VectorQuantizer, VqConfig

LOGVAR = (-20.0, 10.0)  # bounds of what the encoder says


class GaussianBottleneck(nn.Module):
    """Continuous latents with a divergence from N(0, 1): the variant `kl`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.moments = 2 * channels

    def posterior(self, moments: Tensor) -> Posterior:
        """(B, 2 Z, *S) -> mean and logarithm of the variance."""
        mean, logvar = moments.chunk(2, dim=1)
        return Posterior(mean, logvar.clamp(*LOGVAR))

    def quantize(self, raw_latents: Tensor) -> Tensor:
        return raw_latents

    def penalty(self, posterior: Posterior | Point, weights: BottleneckWeights) -> Tensor:
        assert isinstance(posterior, Posterior)
        return weights.kl * posterior.kl()

    def update(self, raw_latents: Tensor, weights: BottleneckWeights) -> None:
        """Nothing to learn beside the gradients."""

    def counts(self, raw_latents: Tensor) -> Tensor:
        return torch.zeros(0, dtype=torch.int64, device=raw_latents.device)

    def usage(self) -> dict[str, float]:
        return {}


class Unchanged(nn.Module):
    """Latents as they are, of an autoencoder that learns nothing: the variant `identity`."""

    def posterior(self, moments: Tensor) -> Point:
        """(B, Z, *S) -> the same, as latents."""
        return Point(moments)

    def quantize(self, raw_latents: Tensor) -> Tensor:
        return raw_latents

    def penalty(self, posterior: Posterior | Point, weights: BottleneckWeights) -> Tensor:
        return torch.zeros(len(posterior.mean), device=posterior.mean.device)

    def update(self, raw_latents: Tensor, weights: BottleneckWeights) -> None:
        """Nothing to learn."""

    def counts(self, raw_latents: Tensor) -> Tensor:
        return torch.zeros(0, dtype=torch.int64, device=raw_latents.device)

    def usage(self) -> dict[str, float]:
        return {}


Bottleneck = GaussianBottleneck | VectorQuantizer | FiniteScalars


def build(variant: Literal["kl", "vq", "fsq"], channels: int, vq: VqConfig, fsq: FsqConfig) -> Bottleneck:
    """The bottleneck of a variant for latents of so many channels.

    Raises InputError unless fsq has one number of levels for each channel.
    """
    makers: dict[str, Callable[[], Bottleneck]] = {
        "kl": lambda: GaussianBottleneck(channels),
        "vq": lambda: VectorQuantizer(channels, vq),
        "fsq": lambda: FiniteScalars(channels, fsq),
    }
    return makers[variant]()
