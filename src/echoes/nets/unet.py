"""U-Net of rank 2 or 3: network(x, c_noise, condition) -> x. It knows nothing of noise levels or data."""

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes.compute.tiles import WHOLE, Tiles, tiled
from echoes.nets.attention import Attention, cuts, positions, steps
from echoes.nets.conditions import Condition
from echoes.nets.layers import Fourier, ResBlock, conv, norm, shrinking, zero
from echoes.nets.strides import Strides, factor
from echoes.nets.two_times import RatioEmbedding
from echoes.nets.unet_config import UNetConfig


class Blocks(nn.ModuleList):
    """Residual blocks of one level, one after the other."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        for block in self:
            x = block(x, embedding)
        return x


class UNet(nn.Module):
    """Residual U-Net with additive skips and positions at the input.

    Skips are added, not concatenated: half the cost of the decoder's first convolutions. The attention of a level
    stands at the end of its blocks on the way down alone, before its skip is taken, so that the way up gets what it
    found at no further cost; that of the lowest level comes after the skip, before the block in the middle.

    config   with strides that are no longer adaptive (UNetConfig.written_out).
    inputs   channels of x and of the condition's field; vector: features of its vector, 0 for none.
    """

    def __init__(self, rank: int, inputs: int, outputs: int, config: UNetConfig, vector: int) -> None:
        super().__init__()
        size, widths = config.numbers, config.numbers.channels
        self.rank, self.window, self.kinds = rank, config.window, size.attention
        self.strides: Strides = config.steps(rank)
        self.tile(WHOLE, ())
        features = 4 * widths[0]
        self.positions = 2 * rank
        self.embed = nn.Sequential(Fourier(64), nn.Linear(64, features), nn.SiLU(), nn.Linear(features, features))
        self.vector = nn.Linear(vector, features) if vector else None
        self.ratio: RatioEmbedding | None = None  # unless `hear_ratio` is called
        self.stem = conv(rank, inputs + self.positions, widths[0])

        def block(width: int) -> ResBlock:
            return ResBlock(rank, width, width, features, config.dropout, size.norm, size.convolution)

        def level(width: int) -> Blocks:
            return Blocks([block(width) for _ in range(size.blocks)])

        self.down = nn.ModuleList([level(width) for width in widths])
        between = list(itertools.pairwise(widths))
        self.shrink = nn.ModuleList(
            [shrinking(rank, a, b, step) for (a, b), step in zip(between, self.strides, strict=True)]
        )
        *above, self.attention = (mixer(rank, i, config) for i in range(len(widths)))
        self.above = nn.ModuleList(above)
        self.middle = block(widths[-1])
        self.widen = nn.ModuleList([conv(rank, b, a, 1) for a, b in between])
        self.up = nn.ModuleList([level(width) for width in widths])
        self.norm, self.out = norm(widths[0], size.norm), zero(conv(rank, widths[0], outputs))

    def hear_ratio(self) -> None:
        """Have two times from now on: listen to the ratio of a condition, without saying anything else at first."""
        self.ratio = RatioEmbedding(self.embed.get_parameter("3.weight"))

    def tile(self, tiles: Tiles, unit: tuple[int, ...]) -> None:
        """Answer by tiles from now on; unit: cells of the grid along each axis that one of x stands for."""
        self.tiles, self.unit = tiles, unit

    def cuts(self) -> tuple[int | None, ...]:
        """Cells of x along each axis at whose multiples a tile may begin; None along an axis that no tile may cut."""
        levels = [
            [None if n is None else n * by for n, by in zip(cuts(kind, self.rank, self.window), coarser, strict=True)]
            for kind, coarser in zip(self.kinds, self._coarser(), strict=True)
        ]
        return tuple(_multiple(along) for along in zip(*levels, strict=True))

    def _coarser(self) -> list[tuple[int, ...]]:
        """By how much each level is coarser than x along each axis."""
        return [factor(self.strides[:level], self.rank) for level in range(len(self.strides) + 1)]

    def forward(self, x: Tensor, c_noise: Tensor, condition: Condition) -> Tensor:
        """x (B, C, *S), c_noise (B,) -> (B, outputs, *S)."""
        embedding = self.embed(c_noise)
        if self.vector is not None:
            assert condition.vector is not None, "this network is told a vector"
            embedding = embedding + self.vector(condition.vector)
        if self.ratio is not None:
            embedding = embedding + self.ratio(c_noise, condition.ratio)
        where = positions(x.shape[2:], self.positions, x.device).expand(len(x), *[-1] * (x.ndim - 1))
        seen = torch.cat([x, where] if condition.field is None else [x, condition.field, where], dim=1)
        return tiled(lambda part: self._answer(part, embedding), seen, self.tiles, self.unit)

    def _answer(self, seen: Tensor, embedding: Tensor) -> Tensor:
        """What is seen (B, C, *S), x, the condition's field and where it lies in the whole, -> (B, outputs, *S)."""
        x, skips = self.stem(seen), []
        for level, attention, shrink in zip(self.down, self.above, self.shrink, strict=False):
            x = attention(level(x, embedding))
            skips.append(x)
            x = shrink(x)
        x = self.down[-1](x, embedding)
        skips.append(x)
        x = self.middle(self.attention(x), embedding)
        for i in reversed(range(len(self.up))):
            x = self.up[i](x + skips[i], embedding)
            if i:
                wider = [float(n) for n in self.strides[i - 1]]
                x = F.interpolate(self.widen[i - 1](x), scale_factor=wider, mode="nearest")
        out: Tensor = self.out(F.silu(self.norm(x)))
        return out


def _multiple(of_levels: tuple[int | None, ...]) -> int | None:
    found = [n for n in of_levels if n is not None]
    return math.lcm(*found) if len(found) == len(of_levels) else None


def mixer(rank: int, level: int, config: UNetConfig) -> nn.Sequential:
    """The attention of one level, in as many steps as its kind takes: none, or one after the other."""
    channels, kind = config.numbers.channels[level], config.numbers.attention[level]
    mixes = steps(kind, rank, config.window, config.keep)
    return nn.Sequential(*[Attention(rank, channels, config.heads, mix, config.numbers.norm) for mix in mixes])
