"""Returns of earlier radar frames, brought to where they are now, beside those of the present frame.

A return moves along its line of sight with its Doppler over ground, which is exact for what moves radially (Haitman and
Bialer 2025, DoppDrive), and then with the radar's own motion. A cell tells what its newest returns measured and how old
they are: where the present frame has a return, it is as it would be without earlier ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echoes import params
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.rasters import voxels
from echoes.rasters.cells import Cells
from echoes.tasks import AGE


@dataclass(frozen=True)
class Sweeps:
    """count: radar frames whose returns go in, the present one among them; seconds: how old the oldest may be."""

    count: int
    seconds: float

    def __post_init__(self) -> None:
        params.require_counts(count=self.count)
        if not self.seconds > 0:
            raise InputError(f"seconds: expected more than 0, got {self.seconds}")


@dataclass(frozen=True)
class Sweep:
    """An earlier radar frame.

    points  (N, 5) x, y, z [m], Doppler over ground [m/s] positive = receding, power [dB], in the frame it was seen in.
    age_s   since it was measured.
    motion  (4, 4) that frame -> the present one.
    """

    points: np.ndarray
    age_s: float
    motion: np.ndarray


def motion(
    poses: tuple[np.ndarray | None, np.ndarray | None], velocities: tuple[np.ndarray, np.ndarray], age_s: float
) -> np.ndarray | None:
    """(4, 4) the radar's frame then -> its frame now; None where neither poses nor velocities tell.

    poses       (4, 4) radar -> world, then and now.
    velocities  (3,) of the radar over ground [m/s], then and now, NaN where unknown. Without poses the radar has gone
                straight on with their mean, as a single velocity does not tell how it turned.
    """
    then, now = poses
    if then is not None and now is not None:
        return np.linalg.solve(now, then)
    velocity = np.mean(velocities, axis=0)
    if not np.isfinite(velocity).all():
        return None
    straight = np.eye(4)
    straight[:3, 3] = -velocity * age_s
    return straight


def moved(sweep: Sweep) -> np.ndarray:
    """(N, 5) float32 the returns of an earlier frame where they are now; Doppler and power as they were measured."""
    points = sweep.points.astype(np.float64)
    range_m = np.linalg.norm(points[:, :3], axis=1)
    farther = 1 + np.divide(points[:, 3] * sweep.age_s, range_m, out=np.zeros_like(range_m), where=range_m > 0)
    gone = points[:, :3] * farther[:, None].clip(min=0)  # nothing passes through the radar
    points[:, :3] = gone @ sweep.motion[:3, :3].T + sweep.motion[:3, 3]
    return points.astype(np.float32)


def cells(points: np.ndarray, earlier: Sequence[Sweep], grid: Grid) -> Cells:
    """The cells of the present returns (N, 5) and of earlier ones, with the age [s] of what each cell tells.

    returns  features of the channels `tasks.RADAR` and `age`, the newest returns of a cell alone.
    """
    ordered = sorted(earlier, key=lambda sweep: sweep.age_s)
    found = [voxels.radar_cells(points, grid), *(voxels.radar_cells(moved(sweep), grid) for sweep in ordered)]
    ages = [0.0, *(sweep.age_s for sweep in ordered)]
    aged = [np.column_stack([c.features, np.full(len(c.features), age)]) for c, age in zip(found, ages, strict=True)]
    indices, features = np.concatenate([c.indices for c in found]), np.concatenate(aged).astype(np.float32)
    flat = np.ravel_multi_index(tuple(indices.T.astype(np.intp)), grid.shape)
    first = np.unique(flat, return_index=True)[1]  # the newest of each cell, in the order of the grid
    return Cells(indices[first], features[first])


def present(found: Cells, channels: Sequence[str]) -> Cells:
    """The cells in which a return of the present frame lies: all, where no age is told.

    channels  of the cloud; the features are those behind the first, the occupancy.
    """
    if AGE not in channels:
        return found
    now = found.features[:, channels.index(AGE) - 1] == 0
    return Cells(found.indices[now], found.features[now])
