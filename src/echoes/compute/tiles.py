"""A network over a grid that does not fit into memory: tile by tile, with overlaps that are blended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from echoes.errors import InputError

WHOLE = (slice(None), slice(None))  # the batch and the channels


@dataclass(frozen=True)
class Tiles:
    """cells    of a tile along each axis of the grid; none for a grid that is taken whole.
    overlap  cells that two neighbouring tiles share, of each axis.

    Both in cells of the grid, also where latents are tiled: a tile of latents is that many over the factor.
    """

    cells: tuple[int, ...]
    overlap: int

    def __post_init__(self) -> None:
        if self.overlap < 0 or (not self.cells and self.overlap):
            raise InputError(f"overlap: expected 0 or more, and 0 where there are no tiles, got {self.overlap}")
        if self.cells and min(self.cells) < max(1, 2 * self.overlap):
            raise InputError(f"cells: expected at least twice the overlap of {self.overlap}, got {list(self.cells)}")

    def require(self, rank: int, factor: int, key: str) -> None:
        """Raises InputError, naming the section `key`, unless tiles have `rank` axes and lie on blocks of `factor`."""
        if not self.cells:
            return
        if len(self.cells) != rank:
            raise InputError(f"{key}.cells: expected one number for each of {rank} axes, got {list(self.cells)}")
        if any(size % factor for size in (*self.cells, self.overlap)):
            told = f"multiples of {factor} cells, which share one latent"
            raise InputError(f"{key}: expected {told}, got cells {list(self.cells)} and overlap {self.overlap}")

    def over(self, unit: int) -> "Tiles":
        """The same in units of so many cells."""
        return Tiles(tuple(size // unit for size in self.cells), self.overlap // unit)


def tiled(function: Callable[[Tensor], Tensor], x: Tensor, tiles: Tiles) -> Tensor:
    """function(x), from the tiles of x (B, C, *S); the function scales all axes of a tile alike.

    Within a quarter of the overlap from its border a tile has no say, so that a function whose value depends on cells
    no farther away than that gives what it gives of the whole. Over the two quarters in the middle neighbours blend
    linearly. What looks farther, such as a normalisation over all cells, sees its tile instead of the whole grid.
    """
    sizes = x.shape[2:]
    if not tiles.cells or all(size <= tile for size, tile in zip(sizes, tiles.cells, strict=True)):
        return function(x)
    spans = [_spans(size, tile, tiles.overlap) for size, tile in zip(sizes, tiles.cells, strict=True)]
    blended: Tensor | None = None
    for tile in product(*spans):
        made = function(x[(*WHOLE, *(slice(*span) for span in tile))])
        scale = made.shape[-1] / (tile[-1][1] - tile[-1][0])
        if blended is None:
            blended = made.new_zeros(*made.shape[:2], *(round(size * scale) for size in sizes))
        place = (slice(round(start * scale), round(stop * scale)) for start, stop in tile)
        blended[(*WHOLE, *place)] += made * _weight(tile, sizes, tiles.overlap, scale).to(made)
    assert blended is not None
    return blended


def _spans(size: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Start and stop of tiles that cover an axis, the same overlap between all but at its end, where it is cut."""
    starts = range(0, max(1, size - overlap), tile - overlap)
    return [(start, min(start + tile, size)) for start in starts]


def _weight(tile: Sequence[tuple[int, int]], sizes: Sequence[int], overlap: int, scale: float) -> Tensor:
    """How much each cell of what a tile gives counts; those of all tiles add up to 1."""
    weight = torch.ones(())
    for (start, stop), size in zip(tile, sizes, strict=True):
        along = torch.ones(round((stop - start) * scale))
        if overlap:
            rise = _rise(round(overlap * scale))
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
