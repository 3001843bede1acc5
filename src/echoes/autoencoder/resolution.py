"""Coarser grids for the autoencoder to learn from: coarse before fine, or several at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from echoes import seeds, tasks
from echoes.errors import InputError


@dataclass(frozen=True)
class Full:
    """Every batch as it is."""

    kind: Literal["full"]

    def scale(self, step: int, seed: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Progressive:
    """Coarse, then fine (Karras et al. 2018, without the growth of the network).

    until   the step at which each of `scales` ends; from the last on grids are whole.
    scales  cells along an axis over those of the grid.
    """

    kind: Literal["progressive"]
    until: tuple[int, ...]
    scales: tuple[float, ...]

    def __post_init__(self) -> None:
        _require_scales(self.scales)
        if len(self.until) != len(self.scales) or list(self.until) != sorted(set(self.until)) or min(self.until) < 1:
            told = f"an increasing step for each of {len(self.scales)} scales"
            raise InputError(f"until: expected {told}, got {list(self.until)}")

    def scale(self, step: int, seed: int) -> float:
        return next((scale for end, scale in zip(self.until, self.scales, strict=True) if step < end), 1.0)


@dataclass(frozen=True)
class Several:
    """One of `scales` at each step, any as likely: an autoencoder for grids of several resolutions."""

    kind: Literal["several"]
    scales: tuple[float, ...]

    def __post_init__(self) -> None:
        _require_scales(self.scales)

    def scale(self, step: int, seed: int) -> float:
        return float(seeds.rng(seed, "train_vae", "scale", step).choice(self.scales))


Resolution = Full | Progressive | Several
Multiple = int | Sequence[int]


def coarser_cells(batch: Tensor, channels: Sequence[str], scale: float, multiple: Multiple) -> Tensor:
    """(B, C, *S) cells in network range -> (B, C, *S') cells of a grid of `scale` times as many along each axis.

    A cell is as occupied as the most occupied one in it; what is measured is the mean over those that know it. S' are
    multiples of `multiple`, of each axis or of all.
    """
    if scale == 1:
        return batch
    at = dict(zip(channels, batch.unbind(1), strict=True))
    known = {name: summed(at[name], scale, multiple) for name in channels if tasks.KINDS[name] == "mask"}
    made = []
    for name in channels:
        if name in known:
            made.append(largest(at[name], scale, multiple))
        else:
            mask = tasks.mask_of(name, channels)
            made.append(summed(at[name] * at[mask], scale, multiple) / known[mask].where(known[mask] > 0, 1.0))
    return torch.stack(made, dim=1)


def coarser_picture(batch: Tensor, scale: float, multiple: Multiple) -> Tensor:
    """(B, C, *S) -> (B, C, *S'), means over the area of each cell; S' as of `coarser_cells`."""
    if scale == 1:
        return batch
    sizes = [_size(size, scale, of) for size, of in zip(batch.shape[2:], _each(multiple, batch.ndim - 2), strict=True)]
    return F.interpolate(batch, size=sizes, mode="area")


def summed(values: Tensor, scale: float, multiple: Multiple) -> Tensor:
    """(B, *S) -> (B, *S') sums over the cells that fall into each coarser one."""
    for axis, into in _axes(values, scale, multiple):
        values = _empty(values, axis, into).index_add_(axis, into, values)
    return values


def largest(values: Tensor, scale: float, multiple: Multiple) -> Tensor:
    """(B, *S) 0 or more -> (B, *S') the largest of the cells that fall into each coarser one."""
    for axis, into in _axes(values, scale, multiple):
        everywhere = into.reshape([-1 if a == axis else 1 for a in range(values.ndim)]).expand_as(values)
        values = _empty(values, axis, into).scatter_reduce_(axis, everywhere, values, "amax")
    return values


def _axes(values: Tensor, scale: float, multiple: Multiple) -> Iterator[tuple[int, Tensor]]:
    """The number of each axis of (B, *S), and in which coarser cell each of its cells falls."""
    for axis, of in enumerate(_each(multiple, values.ndim - 1), 1):
        size = values.shape[axis]
        yield axis, torch.arange(size, device=values.device) * _size(size, scale, of) // size


def _empty(values: Tensor, axis: int, into: Tensor) -> Tensor:
    """Zeros in the shape of (B, *S) with an axis as coarse as `into` says."""
    return values.new_zeros([*values.shape[:axis], int(into[-1]) + 1, *values.shape[axis + 1 :]])


def _each(multiple: Multiple, axes: int) -> Sequence[int]:
    return [multiple] * axes if isinstance(multiple, int) else multiple


def _size(size: int, scale: float, multiple: int) -> int:
    """The multiple that is nearest to `scale` x `size`, at least one and not more than `size`."""
    return min(size, max(1, round(size * scale / multiple)) * multiple)


def _require_scales(scales: Sequence[float]) -> None:
    if not scales or not all(0 < scale <= 1 for scale in scales):
        raise InputError(f"scales: expected some more than 0 and at most 1, got {list(scales)}")
