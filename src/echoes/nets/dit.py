"""Diffusion transformer of rank 2 or 3 (Peebles and Xie 2023, with the blocks of Yao et al. 2025, LightningDiT)."""

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes import params
from echoes.batch_noise import Dropout
from echoes.compute.tiles import WHOLE, Tiles, tiled
from echoes.errors import InputError
from echoes.nets.attention import Kind, Mix, cuts, require_axis, steps
from echoes.nets.blocks import Block
from echoes.nets.conditions import Condition
from echoes.nets.layers import Fourier, depth_to_space, space_to_depth, zero
from echoes.nets.positions import rotation, waves
from echoes.nets.transformer import SelfAttention, SwiGlu
from echoes.nets.two_times import RatioEmbedding
from echoes.nets.windows import Sizes

# depth, width and heads: S to XL of Peebles and Xie 2023, Table 1
SIZES = {
    "tiny": (6, 128, 4),
    "S": (12, 384, 6),
    "M": (12, 512, 8),
    "B": (12, 768, 12),
    "L": (24, 1024, 16),
    "XL": (28, 1152, 16),
}


@dataclass(frozen=True)
class DiTConfig:
    """The section `dit`.

    size       depth, width and heads.
    patch      cells along each axis that become one token.
    attention  which tokens meet in a block; blocks take turns where it has several steps: windows and moved windows
               (Liu et al. 2021), or one axis after the other (Ho et al. 2019).
    window     tokens along each axis of a window, and of a region of sparse attention.
    keep       regions that a region looks at in sparse attention.
    """

    size: Literal["tiny", "S", "M", "B", "L", "XL"]
    patch: Literal[1, 2]
    attention: Literal["full", "window", "axial", "height", "z", "y", "x", "linear", "sparse"]
    window: int
    keep: int
    dropout: float

    def __post_init__(self) -> None:
        params.require_counts(window=self.window, keep=self.keep)
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout: expected 0 to less than 1, got {self.dropout}")

    def require_sizes(self, sizes: tuple[int, ...], key: str) -> None:
        """Raises InputError, naming the section `key`, unless the network takes (B, C, *sizes)."""
        if any(size % self.patch for size in sizes):
            raise InputError(f"{key}.patch: expected a divisor of {list(sizes)} latents, got {self.patch}")
        require_axis(self.attention, len(sizes), f"{key}.attention")


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x (B, tokens, width) at root mean square 1, scaled and shifted by its sample's embedding (B, 1, width)."""
    return torch.addcmul(shift, F.rms_norm(x, x.shape[-1:]), 1 + scale)


class DiTBlock(Block):
    """Attention, then SwiGLU, each shifted, scaled and gated by the embedding: the identity at the start (adaLN-Zero).

    (Peebles and Xie 2023, Sec. 3.2)
    """

    def __init__(self, width: int, heads: int, mix: Mix, dropout: float) -> None:
        super().__init__()
        self.attention, self.mlp = SelfAttention(width, heads, mix), SwiGlu(width)
        self.modulate = nn.Linear(width, 6 * width)
        self.dropout = Dropout(dropout)

    def body(self, x: Tensor, embedding: Tensor, own: Tensor, other: Tensor, sizes: Sizes) -> Tensor:
        """x (B, tokens, width), embedding (B, width) after its SiLU -> (B, tokens, width)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulate(embedding)[:, None].to(x.dtype).chunk(6, dim=2)
        x = torch.addcmul(x, gate1, self.dropout(self.attention(modulated(x, shift1, scale1), own, other, sizes)))
        return torch.addcmul(x, gate2, self.dropout(self.mlp(modulated(x, shift2, scale2))))


class DiT(nn.Module):
    """Patches of `patch` cells along each axis become tokens that look at each other.

    inputs   channels of x and of the condition's field; vector: features of its vector, 0 for none.
    """

    def __init__(self, rank: int, inputs: int, outputs: int, config: DiTConfig, vector: int) -> None:
        super().__init__()
        depth, width, self.heads = SIZES[config.size]
        self.patch, cells = config.patch, config.patch**rank
        self.rank, self.window = rank, config.window
        self.kinds: tuple[Kind, ...] = (config.attention,)
        self.tile(WHOLE, ())
        self.embed = nn.Sequential(Fourier(256), nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.vector = nn.Linear(vector, width) if vector else None
        self.ratio: RatioEmbedding | None = None  # unless `hear_ratio` is called
        self.tokens = nn.Linear(inputs * cells, width)
        turns = itertools.cycle(steps(config.attention, rank, config.window, config.keep))
        self.blocks = nn.ModuleList([DiTBlock(width, self.heads, next(turns), config.dropout) for _ in range(depth)])
        self.modulate, self.out = nn.Linear(width, 2 * width), nn.Linear(width, outputs * cells)
        self.apply(_initialise)
        for name, parameter in self.named_parameters():
            if name in ("embed.1.weight", "embed.3.weight"):
                nn.init.normal_(parameter, std=0.02)
        for name, module in self.named_modules():
            if name == "out" or name.endswith("modulate"):
                zero(module)

    def hear_ratio(self) -> None:
        """Have two times from now on: listen to the ratio of a condition, without saying anything else at first."""
        self.ratio = RatioEmbedding(self.embed.get_parameter("3.weight"))

    def tile(self, tiles: Tiles, unit: tuple[int, ...]) -> None:
        """Answer by tiles from now on; unit: cells of the grid along each axis that one of x stands for."""
        self.tiles, self.unit = tiles, tuple(n * self.patch for n in unit)

    def cuts(self) -> tuple[int | None, ...]:
        """Cells of x along each axis at whose multiples a tile may begin; None along an axis that no tile may cut."""
        (kind,) = self.kinds
        return tuple(None if n is None else n * self.patch for n in cuts(kind, self.rank, self.window))

    def forward(self, x: Tensor, c_noise: Tensor, condition: Condition) -> Tensor:
        """x (B, C, *S), c_noise (B,) -> (B, outputs, *S)."""
        sizes = tuple(s // self.patch for s in x.shape[2:])
        if any(s % self.patch for s in x.shape[2:]):
            raise ValueError(f"patch: expected a divisor of the latents' sizes {tuple(x.shape[2:])}, got {self.patch}")
        embedding = self.embed(c_noise)
        if self.vector is not None:
            assert condition.vector is not None, "this network is told a vector"
            embedding = embedding + self.vector(condition.vector)
        if self.ratio is not None:
            embedding = embedding + self.ratio(c_noise, condition.ratio)
        embedding = F.silu(embedding)
        whole = x if condition.field is None else torch.cat([x, condition.field], dim=1)
        tokens = self.tokens(space_to_depth(whole, self.patch).flatten(2).transpose(1, 2))
        width = tokens.shape[-1]
        seen = (tokens + waves(sizes, width, x.device)).transpose(1, 2).unflatten(2, sizes)
        out = tiled(lambda part: self._answer(part, embedding), seen, self.tiles, self.unit)
        return depth_to_space(out, self.patch)

    def _answer(self, seen: Tensor, embedding: Tensor) -> Tensor:
        """What is seen (B, width, *S) of tokens that know where they lie in the whole -> (B, outputs * cells, *S)."""
        sizes, tokens = tuple(seen.shape[2:]), seen.flatten(2).transpose(1, 2)
        own, other = rotation(sizes, tokens.shape[-1] // self.heads, seen.device)
        for block in self.blocks:
            tokens = block(tokens, embedding, own, other, sizes)
        shift, scale = self.modulate(embedding)[:, None].to(tokens.dtype).chunk(2, dim=2)
        out = self.out(modulated(tokens, shift, scale)).transpose(1, 2)
        return out.reshape(*out.shape[:2], *sizes)


def _initialise(module: nn.Module) -> None:
    """Uniform weights after Glorot and Bengio 2010 and no biases, for all linear layers alike."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
