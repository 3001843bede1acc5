"""Self-attention between the cells of a grid of rank 2 or 3: all of them, those of a window, or those of a line."""

import torch
from torch import Tensor
from torch.nn import functional as F

from echoes.nets.blocks import Block
from echoes.nets.layers import conv, norm, zero

FEW = 128  # tokens up to which the processor's fused attention takes up to ten times as long backwards in bfloat16


def attend(query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(features)) v of (B, heads, tokens, features), contiguous; seen (B, 1, tokens, tokens)."""
    if query.is_cuda or query.shape[-2] > FEW:
        return F.scaled_dot_product_attention(query, key, value, seen)
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    if seen is not None:
        scores = scores.masked_fill(~seen, -torch.inf)
    return scores.softmax(-1) @ value


class Attention(Block):
    """x + projection(softmax(q k^T) v) between the cells of one window, with normalised queries and keys.

    window   cells along each axis, which divide its size; None: the whole axis. All None is full attention,
             whose cost grows with the square of the cells: for up to about 1024 of them. None along one axis and
             1 along the others is axial attention along that axis (Ho et al. 2019).
    shifted  moves the windows by half of their size, so that neighbours across an edge meet (Liu et al. 2021).
    """

    def __init__(
        self, rank: int, channels: int, heads: int, window: tuple[int | None, ...], shifted: bool = False
    ) -> None:
        super().__init__()
        assert len(window) == rank, "one size of the window for each axis"
        self.heads, self.window, self.shifted = heads, window, shifted
        self.norm = norm(channels)
        self.qkv = conv(rank, channels, 3 * channels, kernel=1)
        self.out = zero(conv(rank, channels, channels, kernel=1))

    def body(self, x: Tensor) -> Tensor:
        """(B, C, *S) -> (B, C, *S)."""
        sizes = tuple(x.shape[2:])
        window = fitting(self.window, sizes)
        shift = [w // 2 if self.shifted and w < s else 0 for w, s in zip(window, sizes, strict=True)]
        features = rolled(self.qkv(self.norm(x)), shift, -1)
        # Contiguous (B', heads, tokens, features): strided inputs made attention three times slower.
        heads = windows(features, window).unflatten(1, (3, self.heads, -1)).transpose(-1, -2).contiguous()
        query, key, value = heads.unbind(1)
        query, key = (F.rms_norm(part, part.shape[-1:]) for part in (query, key))
        seen = neighbours(sizes, window, shift, x.device).repeat(len(x), 1, 1, 1) if any(shift) else None
        mixed = attend(query, key, value.to(query.dtype), seen)
        merged = unwindows(mixed.transpose(-1, -2).flatten(1, 2), window, sizes)
        out: Tensor = x + self.out(rolled(merged, shift, 1))
        return out


def fitting(window: tuple[int | None, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The window with every None filled in, for axes that it divides."""
    filled = tuple(w or s for w, s in zip(window, sizes, strict=True))
    if any(s % w for w, s in zip(filled, sizes, strict=True)):
        raise ValueError(f"window: expected cells that divide the sizes {sizes} of the level, got {filled}")
    return filled


def windows(x: Tensor, window: tuple[int, ...]) -> Tensor:
    """(B, C, *S) -> (B * windows, C, cells of a window)."""
    rank = len(window)
    split = x.reshape(*x.shape[:2], *[n for s, w in zip(x.shape[2:], window, strict=True) for n in (s // w, w)])
    outer, inner = range(2, 2 + 2 * rank, 2), range(3, 3 + 2 * rank, 2)
    return split.permute(0, *outer, 1, *inner).flatten(0, rank).flatten(2)


def unwindows(cells: Tensor, window: tuple[int, ...], sizes: tuple[int, ...]) -> Tensor:
    """(B * windows, C, cells of a window) -> (B, C, *S), the inverse of `windows`."""
    rank = len(window)
    counts = [s // w for s, w in zip(sizes, window, strict=True)]
    split = cells.reshape(-1, *counts, cells.shape[1], *window)
    order = [axis for i in range(rank) for axis in (1 + i, 2 + rank + i)]
    return split.permute(0, 1 + rank, *order).reshape(-1, cells.shape[1], *sizes)


def rolled(x: Tensor, shift: list[int], sign: int) -> Tensor:
    """x (B, C, *S) moved along its axes, round the border."""
    return x.roll([sign * s for s in shift], list(range(2, x.ndim))) if any(shift) else x


def neighbours(sizes: tuple[int, ...], window: tuple[int, ...], shift: list[int], device: torch.device) -> Tensor:
    """(windows, 1, cells, cells) bool: which cells of a moved window met without going round the border."""
    ends = (torch.arange(n, device=device) >= n - s for n, s in zip(sizes, shift, strict=True))
    side = sum(end.long() << i for i, end in enumerate(torch.meshgrid(*ends, indexing="ij")))
    assert isinstance(side, Tensor)
    cells = windows(side[None, None], window)
    return cells[..., None] == cells[..., None, :]


def positions(sizes: tuple[int, ...], features: int, device: torch.device) -> Tensor:
    """(1, features, *S): cos and sin of each axis' coordinate in -1..1, so that cells know where they are."""
    coordinates = torch.meshgrid(*(torch.linspace(-1, 1, s, device=device) for s in sizes), indexing="ij")
    octaves = [float(2**i) * torch.pi / 2 for i in range(-(-features // (2 * len(sizes))))]
    waves = [wave(c * o) for c in coordinates for o in octaves for wave in (torch.cos, torch.sin)]
    return torch.stack(waves[:features])[None]
