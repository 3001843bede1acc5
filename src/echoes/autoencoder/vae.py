"""Autoencoder: encode, decode. Latents are exactly 1 / factor of the grid along each axis."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from echoes import params
from echoes.autoencoder.bottlenecks import Bottleneck
from echoes.autoencoder.posteriors import Point, Posterior
from echoes.compute.tiles import WHOLE, Tiles, tiled
from echoes.errors import InputError
from echoes.nets import stem
from echoes.nets.attention import Attention, everywhere
from echoes.nets.layers import Factor, ResBlock, along, conv, depth_to_space, norm, space_to_depth
from echoes.nets.stem import StemConfig

STRIDE = 2  # between two levels


@dataclass(frozen=True)
class VaeConfig:
    """channels, blocks  features and residual blocks of each level, each of half the resolution of the one above it.
    latent_channels   those of the latents.
    patch             cells folded into channels before all but the stem, along all axes or along each: what the finest
                      level is coarser than the grid.
    """

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    latent_channels: int
    patch: int | tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.channels:
            raise InputError("channels: expected at least one level, got none")
        if min(self.channels) < 1:
            raise InputError(f"channels: expected at least 1 for each level, got {list(self.channels)}")
        if len(self.blocks) != len(self.channels):
            raise InputError(
                f"blocks: expected one number for each of the {len(self.channels)} levels of channels, "
                f"got {list(self.blocks)}"
            )
        if min(self.blocks) < 0:
            raise InputError(f"blocks: expected 0 or more for each level, got {list(self.blocks)}")
        params.require_counts(latent_channels=self.latent_channels)
        if not self.patch or min(along(self.patch, 1)) < 1:
            told = self.patch if isinstance(self.patch, int) else list(self.patch)
            raise InputError(f"patch: expected at least 1 cell along each axis, got {told}")

    @property
    def factor(self) -> Factor:
        """Cells along each axis that share one latent."""
        coarser = STRIDE ** (len(self.channels) - 1)
        return self.patch * coarser if isinstance(self.patch, int) else tuple(p * coarser for p in self.patch)


@dataclass(frozen=True)
class AttentionConfig:
    """kind of the lowest level's attention: none, or of all latents to all (full), as in Rombach et al. 2022; heads."""

    kind: Literal["none", "full"]
    heads: int

    def __post_init__(self) -> None:
        params.require_counts(heads=self.heads)


# Sizes by name. The decoder costs what the encoder does; both stay below one call of the denoiser.
# f8d4 and f16d32: (256, 256) -> (4, 32, 32) as in Rombach et al. 2022, and (32, 16, 16) as in
# Yao et al. 2025; the widths are our own.
SIZES = {
    "tiny": VaeConfig(channels=(24, 48), blocks=(1, 1), latent_channels=4, patch=2),
    "ultra_lightweight": VaeConfig(channels=(32, 64), blocks=(1, 2), latent_channels=4, patch=2),
    "lightweight": VaeConfig(channels=(48, 128), blocks=(2, 2), latent_channels=4, patch=2),
    "standard": VaeConfig(channels=(64, 256), blocks=(2, 4), latent_channels=4, patch=2),
    "f8d4": VaeConfig(channels=(64, 128, 256), blocks=(2, 2, 2), latent_channels=4, patch=2),
    "f16d32": VaeConfig(channels=(64, 128, 256, 256), blocks=(2, 2, 2, 2), latent_channels=32, patch=2),
}


class Vae(nn.Module):
    """(B, C, *S) <-> (B, Z, *S / factor), by folding blocks of cells, strided convolutions and residual blocks."""

    def __init__(
        self,
        rank: int,
        channels: int,
        config: VaeConfig,
        bottleneck: Bottleneck,
        stem_config: StemConfig,
        attention: AttentionConfig,
    ) -> None:
        """Raises InputError for a patch of other axes, and for heads that do not divide the lowest level's channels."""
        super().__init__()
        self.patch = along(config.patch, rank)
        if len(self.patch) != rank:
            told = f"one number, or one for each of the {rank} axes of the grid"
            raise InputError(f"vae.architecture.size.patch: expected {told}, got {list(self.patch)}")
        self.rank, self.compression, self.latent_channels = rank, config.factor, config.latent_channels
        cells = channels * prod(self.patch)
        levels = list(zip(config.channels, config.blocks, strict=True))
        self.attention = attention
        if attention.kind == "full" and config.channels[-1] % attention.heads:
            told = f"a divisor of the {config.channels[-1]} channels of the lowest level"
            raise InputError(f"vae.architecture.attention.heads: expected {told}, got {attention.heads}")
        self.stem = stem.build(stem_config, rank, channels, "vae.architecture.stem")
        self.encoder = nn.Sequential(
            conv(rank, stem_config.out(channels) * prod(self.patch), config.channels[0]),
            *self._down(levels),
            *self._mixing(config.channels[-1]),
            norm(config.channels[-1]),
            nn.SiLU(),
            conv(rank, config.channels[-1], bottleneck.moments),
        )
        self.tiles = WHOLE
        self.bottleneck = bottleneck
        self.decoder = self._up(levels)
        self.head = conv(rank, config.channels[0], cells)

    def encode(self, x: Tensor) -> Posterior | Point:
        """(B, C, *S) in network range -> the posterior of its latents; raises InputError for sizes it cannot divide."""
        expected = self.latent_shape(tuple(x.shape[2:]))
        posterior = self.bottleneck.posterior(self._by_tiles(self._moments, x, 1))
        assert posterior.mean.shape[1:] == expected
        return posterior

    def decode(self, raw_latents: Tensor) -> Tensor:
        """(B, Z, *S / factor) -> (B, C, *S): logits of the masks, values of the rest."""
        return self._by_tiles(self._cells, self.bottleneck.quantize(raw_latents), self.compression)

    def tile(self, tiles: Tiles) -> None:
        """Encode and decode by tiles from now on, but for training. Raises InputError for tiles that do not fit."""
        tiles.require(along(self.compression, self.rank), "vae.architecture.tiles")
        self.tiles = tiles

    def latent_shape(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """(Z, *S / factor) of a grid of `sizes`; raises InputError where one is no multiple of the factor."""
        pairs = list(zip(sizes, along(self.compression, self.rank), strict=True))
        if any(size % factor for size, factor in pairs):
            told = f"a grid of multiples of {self.compression} cells, which share one latent along each axis"
            raise InputError(f"vae.architecture.size: expected {told}, got {list(sizes)}")
        return self.latent_channels, *(size // factor for size, factor in pairs)

    def _moments(self, x: Tensor) -> Tensor:
        return self.encoder(space_to_depth(self.stem(x), self.patch)).float()

    def _cells(self, hidden: Tensor) -> Tensor:
        for level, stage in enumerate(self.decoder):
            hidden = stage(depth_to_space(hidden, STRIDE) if level else hidden)
        return depth_to_space(self.head(hidden), self.patch).float()

    def _by_tiles(self, function: Callable[[Tensor], Tensor], x: Tensor, unit: Factor) -> Tensor:
        """unit: cells of the grid along each axis of what is one in x."""
        return function(x) if self.training else tiled(function, x, self.tiles, along(unit, self.rank))

    @torch.no_grad()
    def set_prior(self, channel: int, rate: float) -> None:
        """Bias the logit of `channel` so that an untrained head gives probability `rate` (Lin et al. 2017, 4.1)."""
        cells = prod(self.patch)
        bias = self.head.bias
        assert isinstance(bias, Tensor)
        bias[channel * cells : (channel + 1) * cells] = torch.logit(torch.tensor(rate))
        weight = self.head.weight
        assert isinstance(weight, Tensor)
        weight[channel * cells : (channel + 1) * cells] = 0.0

    def _down(self, levels: list[tuple[int, int]]) -> list[nn.Module]:
        """Residual blocks level by level, with a strided convolution between two of them."""
        width, blocks = levels[0]
        modules: list[nn.Module] = [ResBlock(self.rank, width, width) for _ in range(blocks)]
        for (above, _), (width, blocks) in pairwise(levels):
            modules.append(conv(self.rank, above, width, STRIDE, STRIDE))
            modules += [ResBlock(self.rank, width, width) for _ in range(blocks)]
        return modules

    def _mixing(self, width: int) -> list[nn.Module]:
        """The attention of the lowest level, which begins as the identity, or nothing."""
        return [Attention(self.rank, width, self.attention.heads, everywhere)] if self.attention.kind == "full" else []

    def _up(self, levels: list[tuple[int, int]]) -> nn.ModuleList:
        """One stage per level from the lowest up; the caller unfolds what each but the last gives."""
        stages = []
        for i, (width, blocks) in reversed(list(enumerate(levels))):
            lowest = i == len(levels) - 1
            enter = [conv(self.rank, self.latent_channels, width)] if lowest else []
            enter += self._mixing(width) if lowest else []
            body = [ResBlock(self.rank, width, width) for _ in range(blocks)]
            leave = [conv(self.rank, width, levels[i - 1][0] * STRIDE**self.rank, 1)] if i else [norm(width)]
            stages.append(nn.Sequential(*enter, *body, *leave, nn.SiLU()))
        return nn.ModuleList(stages)
