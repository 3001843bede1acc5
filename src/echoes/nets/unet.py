"""U-Net of rank 2 or 3: network(x, c_noise, features) -> x. It knows nothing of noise levels or data."""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes.errors import InputError
from echoes.nets.attention import Attention, positions
from echoes.nets.layers import Fourier, ResBlock, conv, norm, zero


@dataclass(frozen=True)
class UNetConfig:
    """channels per level (each level halves the size), blocks per level, heads of the attention at the lowest level."""

    channels: tuple[int, ...]
    blocks: int
    heads: int
    dropout: float

    def __post_init__(self) -> None:
        if not self.channels:
            raise InputError("channels: expected at least one level, got none")
        if self.heads < 1 or self.channels[-1] % self.heads:
            raise InputError(f"heads: expected a divisor of {self.channels[-1]} channels, got {self.heads}")


class Blocks(nn.ModuleList):
    """Residual blocks of one level, one after the other."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        for block in self:
            x = block(x, embedding)
        return x


class UNet(nn.Module):
    """Residual U-Net with additive skips, positions at the input and attention at the lowest level.

    Skips are added, not concatenated: half the cost of the decoder's first convolutions.
    """

    def __init__(self, rank: int, inputs: int, outputs: int, config: UNetConfig) -> None:
        super().__init__()
        widths, blocks = config.channels, range(config.blocks)
        features = 4 * widths[0]
        self.positions = 2 * rank
        self.embed = nn.Sequential(Fourier(64), nn.Linear(64, features), nn.SiLU(), nn.Linear(features, features))
        self.stem = conv(rank, inputs + self.positions, widths[0])

        def level(width: int) -> Blocks:
            return Blocks([ResBlock(rank, width, width, features, config.dropout) for _ in blocks])

        self.down = nn.ModuleList([level(width) for width in widths])
        self.shrink = nn.ModuleList([conv(rank, a, b, 2, 2) for a, b in itertools.pairwise(widths)])
        self.attention = Attention(rank, widths[-1], config.heads)
        self.middle = ResBlock(rank, widths[-1], widths[-1], features, config.dropout)
        self.widen = nn.ModuleList([conv(rank, b, a, 1) for a, b in itertools.pairwise(widths)])
        self.up = nn.ModuleList([level(width) for width in widths])
        self.norm, self.out = norm(widths[0]), zero(conv(rank, widths[0], outputs))

    def forward(self, x: Tensor, c_noise: Tensor, features: Tensor | None = None) -> Tensor:
        """x (B, C, *S), c_noise (B,), features (B, K, *S) concatenated to x -> (B, outputs, *S)."""
        embedding = self.embed(c_noise)
        where = positions(x.shape[2:], self.positions, x.device).expand(len(x), *[-1] * (x.ndim - 1))
        x = self.stem(torch.cat([x, where] if features is None else [x, features, where], dim=1))
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
