"""Diffusion in the grid itself: blocks of cells become the channels of latents, and nothing is learned or lost.

A mask becomes an analog bit, -1 or 1, which a model of continuous numbers generates (Chen et al. 2022, Bit Diffusion,
arXiv:2208.04202). They read it out by its sign. A denoiser gives the mean of the clean bit, 2 p - 1 for a cell that is
occupied with probability p; so we decode it to the logit of that p, which thresholds are calibrated on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from echoes.autoencoder.bottlenecks import Unchanged
from echoes.autoencoder.posteriors import Point
from echoes.errors import InputError
from echoes.nets.layers import depth_to_space, space_to_depth

SURE = 1 - 1e-6  # bits are bounded by it, so that their logits are finite


@dataclass(frozen=True)
class PatchConfig:
    """Cells along each axis that become the channels of one latent."""

    patch: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.patch or min(self.patch) < 1:
            raise InputError(f"patch: expected at least 1 cell along each axis, got {list(self.patch)}")


class Patches(nn.Module):
    """(B, C, *S) <-> (B, C * cells of a patch, *S / patch). What is a mask is known once `set_masks` has told it."""

    def __init__(self, rank: int, channels: int, config: PatchConfig) -> None:
        """Raises InputError unless the patch has the axes of the grid."""
        super().__init__()
        if len(config.patch) != rank:
            told = f"one number for each of the {rank} axes of the grid"
            raise InputError(f"vae.architecture.identity.patch: expected {told}, got {list(config.patch)}")
        self.rank, self.compression = rank, config.patch
        self.latent_channels = channels * prod(config.patch)
        self.bottleneck = Unchanged()
        self.masks = nn.Parameter(torch.zeros(channels), requires_grad=False)  # 1 for a mask, 0 for a value

    @torch.no_grad()
    def set_masks(self, channels: Sequence[int]) -> None:
        """Which channels hold 0 or 1; all others are values, which stay as they are."""
        self.masks.zero_()
        self.masks[list(channels)] = 1.0

    def encode(self, x: Tensor) -> Point:
        """(B, C, *S) in network range -> the latents; raises InputError for sizes that the patch does not divide."""
        self.latent_shape(tuple(x.shape[2:]))
        bits = torch.where(self._spread(), 2 * x.float() - 1, x.float())
        return self.bottleneck.posterior(space_to_depth(bits, self.compression))

    def decode(self, raw_latents: Tensor) -> Tensor:
        """(B, Z, *S / patch) -> (B, C, *S): logits of the masks, values of the rest."""
        cells = depth_to_space(raw_latents.float(), self.compression)
        logits = 2 * torch.atanh(cells.clamp(-SURE, SURE))  # log(p / (1 - p)) of p = (1 + bit) / 2
        return torch.where(self._spread(), logits, cells)

    def latent_shape(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """(Z, *S / patch) of a grid of `sizes`; raises InputError where the patch does not divide them."""
        pairs = list(zip(sizes, self.compression, strict=True))
        if any(size % patch for size, patch in pairs):
            told = f"divisors of a grid of {list(sizes)} cells"
            raise InputError(f"vae.architecture.identity.patch: expected {told}, got {list(self.compression)}")
        return self.latent_channels, *(size // patch for size, patch in pairs)

    def _spread(self) -> Tensor:
        """(1, C, 1, ...) bool, whether a channel is a mask."""
        return self.masks.reshape(1, -1, *[1] * self.rank) > 0.5
