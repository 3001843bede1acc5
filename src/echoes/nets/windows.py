"""The cells of a grid cut into windows and put back, with windows that do not divide it filled up."""

from math import prod

import torch
from torch import Tensor
from torch.nn import functional as F

Sizes = tuple[int, ...]


def fitting(window: tuple[int | None, ...], sizes: Sizes) -> Sizes:
    """The window with every None filled in, no larger than the grid."""
    return tuple(min(w or s, s) for w, s in zip(window, sizes, strict=True))


def filled(sizes: Sizes, window: Sizes) -> Sizes:
    """The sizes of a grid filled up to whole windows."""
    return tuple(-(-s // w) * w for s, w in zip(sizes, window, strict=True))


def cut(x: Tensor, window: Sizes, shift: Sizes) -> Tensor:
    """(B, heads, *S, d) -> (B, windows, heads, cells of a window, d).

    The grid is filled up with zeros at the end of each axis, then moved by `shift` round its border.
    """
    sizes = tuple(x.shape[2:-1])
    more = [f - s for f, s in zip(filled(sizes, window), sizes, strict=True)]
    if any(more):
        x = F.pad(x, (0, 0, *(n for m in reversed(more) for n in (0, m))))
    if any(shift):
        x = x.roll([-s for s in shift], list(range(2, x.ndim - 1)))
    rank, counts = len(window), [s // w for s, w in zip(x.shape[2:-1], window, strict=True)]
    split = x.reshape(*x.shape[:2], *(n for pair in zip(counts, window, strict=True) for n in pair), x.shape[-1])
    outer, inner = range(2, 2 + 2 * rank, 2), range(3, 3 + 2 * rank, 2)
    ordered = split.permute(0, *outer, 1, *inner, 2 + 2 * rank)
    return ordered.reshape(len(x), prod(counts), x.shape[1], prod(window), x.shape[-1])


def joined(cells: Tensor, window: Sizes, shift: Sizes, sizes: Sizes) -> Tensor:
    """(B, windows, heads, cells of a window, d) -> (B, heads, *S, d), the inverse of `cut`."""
    rank, whole = len(window), filled(sizes, window)
    counts = [s // w for s, w in zip(whole, window, strict=True)]
    split = cells.reshape(len(cells), *counts, cells.shape[2], *window, cells.shape[-1])
    order = [axis for i in range(rank) for axis in (1 + i, 2 + rank + i)]
    x = split.permute(0, 1 + rank, *order, 2 + 2 * rank).reshape(len(cells), cells.shape[2], *whole, cells.shape[-1])
    if any(shift):
        x = x.roll(shift, list(range(2, x.ndim - 1)))
    return x[(slice(None), slice(None), *(slice(s) for s in sizes))]


def parts(sizes: Sizes, window: Sizes, shift: Sizes, device: torch.device) -> Tensor:
    """(windows, cells of a window) numbers of the parts that a window falls into by its cut; 0: filled up, no cell.

    A window that goes round the border has a part on each side, and parts do not meet.
    """
    whole = filled(sizes, window)
    places = torch.meshgrid(*(torch.arange(n, device=device) for n in whole), indexing="ij")
    part = torch.ones(whole, dtype=torch.int64, device=device)
    for i, (place, n, s) in enumerate(zip(places, whole, shift, strict=True)):
        part += (place >= n - s).long() << i
    for place, n, s, size in zip(places, whole, shift, sizes, strict=True):
        part *= (place + s) % n < size
    # Cut as it lies: it was moved above.
    return cut(part[None, None, ..., None], window, (0,) * len(window))[0, :, 0, :, 0]
