"""Self-attention between the cells of a grid of rank 2 or 3, and the choices of which cells meet."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from echoes.errors import InputError
from echoes.nets.blocks import Block
from echoes.nets.layers import GROUPS, Norm, conv, norm, zero
from echoes.nets.windows import Sizes, cut, filled, fitting, joined, parts

FEW = 128  # tokens up to which the processor's fused attention takes up to ten times as long backwards in bfloat16
Kind = Literal["none", "full", "window", "axial", "height", "z", "y", "x", "linear", "sparse"]
AXES = {"height": 3, "z": 3, "y": 2, "x": 1}  # counted from the last one
# query, key, value (B, heads, tokens, features) and the sizes of the grid of tokens -> as value
Mix = Callable[[Tensor, Tensor, Tensor, Sizes], Tensor]


def attend(query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(features)) v of (B, heads, tokens, features), contiguous.

    seen  bool, whether a query sees a key: of the scores' shape, or of one that broadcasts to it.
    """
    if query.is_cuda or query.shape[-2] > FEW:
        return F.scaled_dot_product_attention(query, key, value, seen)
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    if seen is not None:
        scores = scores.masked_fill(~seen, -torch.inf)
    return scores.softmax(-1) @ value


def everywhere(query: Tensor, key: Tensor, value: Tensor, sizes: Sizes) -> Tensor:
    """Between all cells: the time grows with the square of the cells, the memory with their number."""
    return attend(query, key, value)


def within(
    query: Tensor, key: Tensor, value: Tensor, sizes: Sizes, window: tuple[int | None, ...], shifted: bool
) -> Tensor:
    """Between the cells of one window.

    window   cells along each axis; None: the whole axis. None along one axis and 1 along the others is axial
             attention along that axis (Ho et al. 2019).
    shifted  moves the windows by half of their size, so that neighbours across an edge meet (Liu et al. 2021).
    """
    batch, fitted = len(query), fitting(window, sizes)
    shift = tuple(w // 2 if shifted and w < s else 0 for w, s in zip(fitted, sizes, strict=True))
    query, key, value = (cut(x.unflatten(2, sizes), fitted, shift).flatten(0, 1) for x in (query, key, value))
    seen = None
    if any(shift) or filled(sizes, fitted) != sizes:
        part = parts(sizes, fitted, shift, query.device)
        # What was filled up sees itself, as a softmax over nothing has no gradient.
        seen = (part[:, None, :, None] == part[:, None, None, :]).repeat(batch, 1, 1, 1)
    mixed = attend(query, key, value, seen).unflatten(0, (batch, -1))
    return joined(mixed, fitted, shift, sizes).flatten(2, -2)


def linear(query: Tensor, key: Tensor, value: Tensor, sizes: Sizes) -> Tensor:
    """phi(q) (phi(k)^T v) / (phi(q) sum(phi(k))) with phi = elu + 1: time and memory grow with the number of cells.

    (Katharopoulos et al. 2020, Eq. 5 and 7)
    """
    with torch.autocast(query.device.type, enabled=False):  # sums over all cells are not for 8 bits
        query, key = (F.elu(part.float()) + 1 for part in (query, key))
        mixed = query @ (key.transpose(-1, -2) @ value.float())
        total = query @ key.sum(-2, keepdim=True).transpose(-1, -2)
        return (mixed / total).to(value.dtype)


def routed(
    query: Tensor, key: Tensor, value: Tensor, sizes: Sizes, window: tuple[int | None, ...], keep: int
) -> Tensor:
    """The cells of a region see those of the `keep` regions whose mean key suits its mean query best.

    (Zhu et al. 2023, BiFormer, Eq. 3 to 6; each head chooses for itself, as in MoBA, Lu et al. 2025.) No scores
    but of regions with regions, and of cells with the cells that were chosen, are ever computed.

    window  cells of a region along each axis.
    """
    fitted, still = fitting(window, sizes), (0,) * len(sizes)
    # (B, heads, regions, cells, features)
    query, key, value = (
        cut(x.unflatten(2, sizes), fitted, still).transpose(1, 2).contiguous() for x in (query, key, value)
    )
    batch, heads, regions, cells, features = query.shape
    real = parts(sizes, fitted, still, query.device) > 0
    best = min(keep, regions)
    with torch.no_grad():
        asked, offered = (x.float().sum(-2) / real.sum(1)[:, None] for x in (query, key))
        chosen = (asked @ offered.transpose(-1, -2)).topk(best).indices.reshape(batch * heads, regions * best)
        first = torch.arange(batch * heads, device=query.device)[:, None] * regions
        rows = (chosen + first).flatten()
    near_key, near_value = (
        x.flatten(0, 2).index_select(0, rows).reshape(batch * heads, regions, best * cells, features)
        for x in (key, value)
    )
    whole = filled(sizes, fitted) == sizes
    seen = None if whole else real[chosen].reshape(batch * heads, regions, 1, best * cells)
    mixed = attend(query.flatten(0, 1), near_key, near_value, seen)
    back = mixed.reshape(batch, heads, regions, cells, features).transpose(1, 2)
    return joined(back, fitted, still, sizes).flatten(2, -2)


def steps(kind: Kind, rank: int, window: int, keep: int) -> list[Mix]:
    """What one choice of attention does, one step after the other.

    window  cells of a window, or of a region of sparse attention, along each axis; keep: regions that one looks at.

    Raises InputError for an axis that a grid of this rank does not have.
    """
    require_axis(kind, rank, "attention")
    cells = (window,) * rank
    lines = [
        partial(within, window=tuple(None if i == axis else 1 for i in range(rank)), shifted=False)
        for axis in range(rank)
    ]
    if kind in AXES:
        return [lines[rank - AXES[kind]]]
    choices: dict[str, list[Mix]] = {
        "none": [],
        "full": [everywhere],
        "window": [partial(within, window=cells, shifted=False), partial(within, window=cells, shifted=True)],
        "axial": list(lines),
        "linear": [linear],
        "sparse": [partial(routed, window=cells, keep=keep)],
    }
    return choices[kind]


def cuts(kind: Kind, rank: int, window: int) -> tuple[int | None, ...]:
    """Cells along each axis at whose multiples a grid can be cut without a change far from the cut; None along an axis
    all of which a cell looks at.
    """
    if kind in ("none", "window"):
        return (window if kind == "window" else 1,) * rank
    return tuple(1 if kind in AXES and axis != rank - AXES[kind] else None for axis in range(rank))


def require_axis(kind: Kind, rank: int, key: str) -> None:
    """Raises InputError, naming `key`, for attention along an axis that a grid of this rank does not have."""
    if AXES.get(kind, 0) > rank:
        raise InputError(f"{key}: expected an axis of {rank}, x or y, or another attention, got {kind}")


class Attention(Block):
    """x + projection(mix(q, k, v)) with normalised queries and keys; mix: which cells meet, of `steps`."""

    def __init__(self, rank: int, channels: int, heads: int, mix: Mix, normed: Norm = GROUPS) -> None:
        super().__init__()
        self.heads, self.mix = heads, mix
        self.norm = norm(channels, normed)
        self.qkv = conv(rank, channels, 3 * channels, kernel=1)
        self.out = zero(conv(rank, channels, channels, kernel=1))

    def body(self, x: Tensor) -> Tensor:
        """(B, C, *S) -> (B, C, *S)."""
        sizes = tuple(x.shape[2:])
        # Contiguous (B, 3, heads, tokens, features): strided inputs made attention three times slower.
        heads = self.qkv(self.norm(x)).flatten(2).unflatten(1, (3, self.heads, -1)).transpose(-1, -2).contiguous()
        query, key, value = heads.unbind(1)
        query, key = (F.rms_norm(part, part.shape[-1:]) for part in (query, key))
        mixed = self.mix(query, key, value.to(query.dtype), sizes)
        out: Tensor = x + self.out(mixed.transpose(-1, -2).reshape(x.shape))
        return out


def positions(sizes: tuple[int, ...], features: int, device: torch.device) -> Tensor:
    """(1, features, *S): cos and sin of each axis' coordinate in -1..1, so that cells know where they are."""
    coordinates = torch.meshgrid(*(torch.linspace(-1, 1, s, device=device) for s in sizes), indexing="ij")
    octaves = [float(2**i) * torch.pi / 2 for i in range(-(-features // (2 * len(sizes))))]
    waves = [wave(c * o) for c in coordinates for o in octaves for wave in (torch.cos, torch.sin)]
    return torch.stack(waves[:features])[None]
