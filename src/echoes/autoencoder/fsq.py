"""Finite scalar quantization: each latent channel is bounded and rounded to a few levels (Mentzer et al. 2024)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from echoes.autoencoder import codes
from echoes.autoencoder.posteriors import Point, Posterior
from echoes.autoencoder.vq import BottleneckWeights
from echoes.compute import distributed
from echoes.errors import InputError

MARGIN = 1e-3  # by this share tanh reaches beyond the outermost levels, which are then found at finite values


@dataclass(frozen=True)
class FsqConfig:
    """Number of levels of each latent channel."""

    levels: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.levels or min(self.levels) < 2:
            raise InputError(f"levels: expected numbers of at least 2, got {list(self.levels)}")


class FiniteScalars(nn.Module):
    """The grid of all combinations of levels is the codebook: nothing to learn, nothing to collapse.

    Latents are the bounded values before they are rounded, level / (L // 2), within -1..1; 0 is a level of each
    channel. For an even L there is one level more below 0 than above.
    """

    levels: Tensor  # (Z,)
    last: Tensor  # (codes,) of the last batch

    def __init__(self, channels: int, config: FsqConfig) -> None:
        """Raises InputError unless there is one number of levels for each channel."""
        super().__init__()
        if len(config.levels) != channels:
            raise InputError(
                f"levels: expected one number for each of the {channels} latent channels, got {list(config.levels)}"
            )
        self.moments, self.codes = channels, math.prod(config.levels)
        self.register_buffer("levels", torch.tensor(config.levels), persistent=False)
        self.register_buffer("last", torch.zeros(self.codes, dtype=torch.int64), persistent=False)

    def posterior(self, moments: Tensor) -> Point:
        """(B, Z, *S) unbounded -> (B, Z, *S) bounded (Mentzer et al. 2024, 3.1); 0 stays 0."""
        levels = self._spread(moments)
        reach, offset = (levels - 1) * (1 + MARGIN) / 2, (levels + 1) % 2 / 2
        bounded = torch.tanh(moments.float() + torch.atanh(offset / reach)) * reach - offset
        return Point(bounded / (levels // 2))

    def quantize(self, raw_latents: Tensor) -> Tensor:
        """(B, Z, *S) -> the nearest level of each, with the gradient of `raw_latents`."""
        return codes.straight_through(raw_latents, self._level(raw_latents) / (self._spread(raw_latents) // 2))

    def penalty(self, posterior: Posterior | Point, weights: BottleneckWeights) -> Tensor:
        return torch.zeros(len(posterior.mean), device=posterior.mean.device)

    def update(self, raw_latents: Tensor, weights: BottleneckWeights) -> None:
        """Count the codes of a batch."""
        self.last.copy_(distributed.total(self.counts(raw_latents.detach())))

    def indices(self, raw_latents: Tensor) -> Tensor:
        """(B, Z, *S) -> (B, *S) number of the code, the first channel running fastest."""
        digits = self._level(raw_latents) + self._spread(raw_latents) // 2
        radix = torch.cumprod(torch.cat([torch.ones_like(self.levels[:1]), self.levels[:-1]]), 0)
        return (digits.movedim(1, -1).long() * radix).sum(-1)

    def counts(self, raw_latents: Tensor) -> Tensor:
        """(codes,) how often each code occurs."""
        return torch.bincount(self.indices(raw_latents).flatten(), minlength=self.codes)

    def usage(self) -> dict[str, float]:
        return codes.usage(self.last)

    def _level(self, raw_latents: Tensor) -> Tensor:
        """The whole number -(L // 2) .. (L - 1) // 2 nearest to each latent."""
        levels = self._spread(raw_latents)
        return torch.round(raw_latents * (levels // 2)).clamp(-(levels // 2), (levels - 1) // 2)

    def _spread(self, like: Tensor) -> Tensor:
        return self.levels.reshape(1, -1, *[1] * (like.ndim - 2))
