"""A network over a grid that does not fit into memory: tile by tile, with overlaps that are blended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from echoes.errors import InputError

ALL = (slice(None), slice(None))  # the batch and the channels


@dataclass(frozen=True)
class Tiles:
    """cells    of a tile along each axis of the grid; none for a grid that is taken whole.
    overlap  cells that two neighbouring tiles share, of each axis.
    """

    cells: tuple[int, ...]
    overlap: int

    def __post_init__(self) -> None:
        if self.overlap < 0 or (not self.cells and self.overlap):
            raise InputError(f"overlap: expected 0 or more, and 0 where there are no tiles, got {self.overlap}")
        if self.cells and min(self.cells) < max(1, 2 * self.overlap):
            raise InputError(f"cells: expected at least twice the overlap of {self.overlap}, got {list(self.cells)}")

    def require(self, factors: Sequence[int], key: str) -> None:
        """Raises InputError, naming the section `key`, unless tiles lie on blocks of so many cells along each axis."""
        if not self.cells:
            return
        if len(self.cells) != len(factors):
            raise InputError(
                f"{key}.cells: expected one number for each of {len(factors)} axes, got {list(self.cells)}"
            )
        if any(size % factor or self.overlap % factor for size, factor in zip(self.cells, factors, strict=True)):
            told = f"multiples of {list(factors)} cells, which a network takes together"
            raise InputError(f"{key}: expected {told}, got cells {list(self.cells)} and overlap {self.overlap}")


WHOLE = Tiles((), 0)


def tiled(function: Callable[[Tensor], Tensor], x: Tensor, tiles: Tiles, unit: Sequence[int]) -> Tensor:
    """function(x), from the tiles of x (B, C, *S); the function may make an axis finer or coarser by a factor.

    unit  cells of the grid along each axis that one of x stands for: 1, or those that share a latent.

    Within a quarter of the overlap from its border a tile has no say, so that a function whose value depends on cells
    no farther away than that gives what it gives of the whole. Over the two quarters in the middle neighbours blend
    linearly. What looks farther, such as a normalisation over all cells, sees its tile instead of the whole grid.
    """
    sizes = x.shape[2:]
    cells = [size // of for size, of in zip(tiles.cells, unit, strict=False)]
    overlaps = [tiles.overlap // of for of in unit]
    if not cells or all(size <= tile for size, tile in zip(sizes, cells, strict=True)):
        return function(x)
    spans = [_spans(*of) for of in zip(sizes, cells, overlaps, strict=True)]
    blended: Tensor | None = None
    for tile in product(*spans):
        made = function(x[(*ALL, *(slice(*span) for span in tile))])
        scales = [size / (stop - start) for size, (start, stop) in zip(made.shape[2:], tile, strict=True)]
        if blended is None:
            blended = made.new_zeros(*made.shape[:2], *map(_scaled, sizes, scales))
        place = (slice(_scaled(start, by), _scaled(stop, by)) for (start, stop), by in zip(tile, scales, strict=True))
        blended[(*ALL, *place)] += made * _weight(tile, sizes, overlaps, scales).to(made)
    assert blended is not None
    return blended


def _spans(size: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Start and stop of tiles that cover an axis, the same overlap between all but at its end, where it is cut."""
    starts = range(0, max(1, size - overlap), tile - overlap)
    return [(start, min(start + tile, size)) for start in starts]


def _scaled(count: int, by: float) -> int:
    return round(count * by)


def _weight(
    tile: Sequence[tuple[int, int]], sizes: Sequence[int], overlaps: Sequence[int], scales: Sequence[float]
) -> Tensor:
    """How much each cell of what a tile gives counts; those of all tiles add up to 1."""
    weight = torch.ones(())
    for (start, stop), size, overlap, scale in zip(tile, sizes, overlaps, scales, strict=True):
        along = torch.ones(_scaled(stop - start, scale))
        if overlap:
            rise = _rise(_scaled(overlap, scale))
            if start > 0:
                along[: len(rise)] *= rise
            if stop < size:
                along[-len(rise) :] *= 1 - rise
        weight = weight[..., None] * along
    return weight


def _rise(overlap: int) -> Tensor:
    """(overlap,) 0 over its first quarter, 1 over its last, linear between."""
    middle = (torch.arange(overlap) + 0.5) / overlap
    return ((middle - 0.25) * 2).clamp(0, 1)
