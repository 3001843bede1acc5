"""U-Net of rank 2 or 3: network(x, c_noise, condition) -> x. It knows nothing of noise levels or data."""

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes import params
from echoes.errors import InputError
from echoes.nets.attention import Attention, positions
from echoes.nets.conditions import Condition
from echoes.nets.layers import Fourier, ResBlock, conv, norm, zero


@dataclass(frozen=True)
class UNetConfig:
    """channels per level (each level halves the size), blocks per level, heads of the attention at the lowest level.

    attention  between all cells, those of windows (then of moved windows), or those of a line along each axis in turn.
    window     cells of a window along each axis of the lowest level.
    """

    channels: tuple[int, ...]
    blocks: int
    heads: int
    attention: Literal["full", "window", "axial"]
    window: int
    dropout: float

    def __post_init__(self) -> None:
        if not self.channels:
            raise InputError("channels: expected at least one level, got none")
        if min(self.channels) < 1:
            raise InputError(f"channels: expected at least 1 for each level, got {list(self.channels)}")
        if self.heads < 1 or self.channels[-1] % self.heads:
            raise InputError(f"heads: expected a divisor of {self.channels[-1]} channels, got {self.heads}")
        params.require_counts(window=self.window)
        if self.blocks < 0:
            raise InputError(f"blocks: expected 0 or more, got {self.blocks}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout: expected 0 to less than 1, got {self.dropout}")

    def require_sizes(self, sizes: tuple[int, ...], key: str) -> None:
        """Raises InputError, naming what is at fault in the section `key`, unless the network takes (B, C, *sizes)."""
        levels = min(((size & -size).bit_length() for size in sizes), default=1)
        if len(self.channels) > levels:
            told = f"at most {levels}, as {list(sizes)} cells can be halved {levels - 1} times"
            raise InputError(f"{key}.channels: expected levels, {told}, got {len(self.channels)}")
        lowest = [size >> (len(self.channels) - 1) for size in sizes]
        if self.attention == "window" and any(size % self.window for size in lowest):
            raise InputError(f"{key}.window: expected a divisor of {lowest}, the lowest level, got {self.window}")


class Blocks(nn.ModuleList):
    """Residual blocks of one level, one after the other."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        for block in self:
            x = block(x, embedding)
        return x


def mixers(rank: int, config: UNetConfig) -> nn.Sequential:
    """The attention at the lowest level, in as many steps as its choice of cells takes."""
    whole, cells = (None,) * rank, (config.window,) * rank
    lines = [tuple(None if i == axis else 1 for i in range(rank)) for axis in range(rank)]
    steps: dict[str, list[tuple[tuple[int | None, ...], bool]]] = {
        "full": [(whole, False)],
        "window": [(cells, False), (cells, True)],
        "axial": [(line, False) for line in lines],
    }
    return nn.Sequential(
        *[Attention(rank, config.channels[-1], config.heads, *step) for step in steps[config.attention]]
    )


class UNet(nn.Module):
    """Residual U-Net with additive skips, positions at the input and attention at the lowest level.

    Skips are added, not concatenated: half the cost of the decoder's first convolutions.

    inputs   channels of x and of the condition's field; vector: features of its vector, 0 for none.
    """

    def __init__(self, rank: int, inputs: int, outputs: int, config: UNetConfig, vector: int) -> None:
        super().__init__()
        widths, blocks = config.channels, range(config.blocks)
        features = 4 * widths[0]
        self.positions = 2 * rank
        self.embed = nn.Sequential(Fourier(64), nn.Linear(64, features), nn.SiLU(), nn.Linear(features, features))
        self.vector = nn.Linear(vector, features) if vector else None
        self.stem = conv(rank, inputs + self.positions, widths[0])

        def level(width: int) -> Blocks:
            return Blocks([ResBlock(rank, width, width, features, config.dropout) for _ in blocks])

        self.down = nn.ModuleList([level(width) for width in widths])
        self.shrink = nn.ModuleList([conv(rank, a, b, 2, 2) for a, b in itertools.pairwise(widths)])
        self.attention = mixers(rank, config)
        self.middle = ResBlock(rank, widths[-1], widths[-1], features, config.dropout)
        self.widen = nn.ModuleList([conv(rank, b, a, 1) for a, b in itertools.pairwise(widths)])
        self.up = nn.ModuleList([level(width) for width in widths])
        self.norm, self.out = norm(widths[0]), zero(conv(rank, widths[0], outputs))

    def forward(self, x: Tensor, c_noise: Tensor, condition: Condition) -> Tensor:
        """x (B, C, *S), c_noise (B,) -> (B, outputs, *S)."""
        embedding = self.embed(c_noise)
        if self.vector is not None:
            assert condition.vector is not None, "this network is told a vector"
            embedding = embedding + self.vector(condition.vector)
        where = positions(x.shape[2:], self.positions, x.device).expand(len(x), *[-1] * (x.ndim - 1))
        x = self.stem(torch.cat([x, where] if condition.field is None else [x, condition.field, where], dim=1))
        skips = []
        for i, level in enumerate(self.down):
            x = level(x, embedding)
            skips.append(x)
            if i < len(self.shrink):
                x = self.shrink[i](x)
        x = self.middle(self.attention(x), embedding)
        for i in reversed(range(len(self.up))):
            x = self.up[i](x + skips[i], embedding)
            if i:
                x = F.interpolate(self.widen[i - 1](x), scale_factor=2.0, mode="nearest")
        out: Tensor = self.out(F.silu(self.norm(x)))
        return out
