"""The stem of an encoder: convolutions at full resolution, before blocks of cells are folded into channels."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes import params
from echoes.errors import InputError
from echoes.nets.blocks import Block
from echoes.nets.layers import conv, zero
from echoes.nets.sparse import SubmanifoldBlock, SubmanifoldConv, active_cells

SCENE = 3  # axes of a grid of which most cells are empty, with the occupancy as its first channel


@dataclass(frozen=True)
class StemConfig:
    """convolution  none, of all cells (dense) or of the occupied ones only (sparse): of a scene the same numbers.
    channels     features of a cell that join its own channels.
    layers       convolutions.
    """

    convolution: Literal["none", "dense", "sparse"]
    channels: int
    layers: int

    def __post_init__(self) -> None:
        if self.channels < 2:
            raise InputError(f"channels: expected at least 2, which a norm goes over, got {self.channels}")
        params.require_counts(layers=self.layers)

    def out(self, channels: int) -> int:
        """Channels that a grid of so many has behind the stem."""
        return channels if self.convolution == "none" else channels + self.channels


def build(config: StemConfig, rank: int, channels: int, section: str) -> nn.Module:
    """(B, channels, *S) -> (B, config.out(channels), *S); section: of its numbers.

    Raises InputError for a sparse one of anything but scenes: every cell of a spectrogram is occupied.
    """
    if config.convolution == "none":
        return nn.Identity()
    if config.convolution == "dense":
        return DenseStem(rank, channels, config)
    if rank != SCENE:
        raise InputError(
            f"{section}.convolution: expected none or dense, as all cells of a grid of rank {rank} count, got sparse"
        )
    return SparseStem(rank, channels, config)


class SparseStem(nn.Module):
    """The grid with the features of its occupied cells, those whose first channel is above 0; others have features 0.

    Features are convolved once from the channels, then by residual blocks of one convolution each.
    """

    def __init__(self, rank: int, channels: int, config: StemConfig) -> None:
        super().__init__()
        self.first = SubmanifoldConv(rank, channels, config.channels)
        self.blocks = nn.ModuleList(SubmanifoldBlock(rank, config.channels) for _ in range(config.layers - 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) -> (B, C + features, *S)."""
        cells = active_cells(x[:, 0] > 0)
        features = self.first(cells.take(x), cells)
        for block in self.blocks:
            features = block(features, cells)
        return torch.cat([x, cells.put(features)], dim=1)


class DenseStem(nn.Module):
    """The same by convolutions of all cells, and with the same weights; where all cells count, of any grid."""

    def __init__(self, rank: int, channels: int, config: StemConfig) -> None:
        super().__init__()
        self.masked = rank == SCENE
        self.first = conv(rank, channels, config.channels)
        self.blocks = nn.ModuleList(DenseBlock(rank, config.channels) for _ in range(config.layers - 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) -> (B, C + features, *S)."""
        mask = x[:, :1] > 0 if self.masked else torch.ones_like(x[:, :1])
        features = self.first(x * mask) * mask
        for block in self.blocks:
            features = block(features, mask)
        return torch.cat([x, features], dim=1)


class DenseBlock(Block):
    """x + conv(silu(norm(x))) of the cells of a mask, and 0 in the others; the norm is that of each cell."""

    def __init__(self, rank: int, channels: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.LayerNorm(channels), zero(conv(rank, channels, channels))

    def body(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, C, *S), mask (B, 1, *S) -> (B, C, *S)."""
        normed = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        return x + self.conv(F.silu(normed) * mask) * mask
