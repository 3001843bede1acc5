"""Axis: name, unit, start, stop, size. Grid: axes, cell <-> metre both ways.

The only place that knows the order of the axes: a grid of space is (D, H, W) = (z, y, x), a point is
(x, y, z).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from echoes.errors import InputError

Y_AXIS = -2  # of (..., D, H, W): left and right of the sensor
COMPRESSION = 4  # cells along each axis that share one latent cell


@dataclass(frozen=True)
class Axis:
    """`size` cells of equal width from `start` to `stop`, in `unit`."""

    name: str
    unit: str
    start: float
    stop: float
    size: int

    @cached_property
    def edges(self) -> np.ndarray:
        """(size + 1,) float64, the borders of the cells; a cell holds its lower one."""
        return np.linspace(self.start, self.stop, self.size + 1)

    @property
    def step(self) -> float:
        return (self.stop - self.start) / self.size

    @cached_property
    def centres(self) -> np.ndarray:
        """(size,) float64, the middle of each cell."""
        return (self.edges[:-1] + self.edges[1:]) / 2

    def cells(self, values: np.ndarray) -> np.ndarray:
        """(N,) int64 cell of each value; -1 below the axis, `size` at its end and above.

        searchsorted on the edges, because a division puts values on an edge into the wrong cell.
        """
        return np.searchsorted(self.edges, values, side="right") - 1


@dataclass(frozen=True)
class Range:
    """One axis in params.yaml: from `start` to `stop` in `size` cells."""

    start: float
    stop: float
    size: int

    def __post_init__(self) -> None:
        if self.size < COMPRESSION or self.size % COMPRESSION:
            raise InputError(f"size: expected a multiple of {COMPRESSION}, got {self.size}")
        if not self.stop > self.start:
            raise InputError(f"stop: expected more than start = {self.start}, got {self.stop}")


@dataclass(frozen=True)
class Grid:
    """The cells of space around the sensor; axes in the order (z, y, x) = (D, H, W)."""

    axes: tuple[Axis, Axis, Axis]

    @classmethod
    def of(cls, z: Range, y: Range, x: Range) -> "Grid":
        named = {"z": z, "y": y, "x": x}
        z_axis, y_axis, x_axis = (Axis(n, "m", r.start, r.stop, r.size) for n, r in named.items())
        return cls((z_axis, y_axis, x_axis))

    def header(self) -> list[dict[str, Any]]:
        return [{k: getattr(a, k) for k in ("name", "unit", "start", "stop", "size")} for a in self.axes]

    @property
    def shape(self) -> tuple[int, int, int]:
        z, y, x = self.axes
        return z.size, y.size, x.size

    @property
    def widths(self) -> np.ndarray:
        """(3,) lengths of a cell along z, y, x [m]."""
        return np.array([axis.step for axis in self.axes])

    @property
    def diagonal_m(self) -> float:
        """The longest distance inside the grid."""
        return float(np.linalg.norm([axis.stop - axis.start for axis in self.axes]))

    def cells(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cell of each point.

        points   (N, 3 or more) x, y, z [m].
        returns  (N, 3) int64 indices (z, y, x), and (N,) bool: inside the grid.
        """
        indices = np.stack([axis.cells(points[:, 2 - i]) for i, axis in enumerate(self.axes)], axis=1)
        return indices, np.asarray(((indices >= 0) & (indices < self.shape)).all(axis=1))

    def centres(self, indices: np.ndarray) -> np.ndarray:
        """(N, 3) indices (z, y, x) -> (N, 3) float64 x, y, z [m] of the middle of each cell."""
        return np.stack([self.axes[2 - i].centres[indices[:, 2 - i]] for i in range(3)], axis=1)

    def positions(self, indices: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """(N, 3) float64 x, y, z [m] of points at offsets (N, 3) along z, y, x from the middle of cells, in cells."""
        return self.centres(indices) + (offsets * self.widths)[:, ::-1]
