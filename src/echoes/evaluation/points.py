"""One enhanced frame against the LiDAR's points, both as points and not as cells -> numbers.

Ground, range and the box of the grid are taken from prediction and truth by the same rule, `inside`. Nothing
else is dropped: what the LiDAR could not see counts as wrong where it is predicted, because who maps with a
cloud has no mask of what was observed. These numbers are therefore lower than those of `clouds`.
"""

import math
from dataclasses import dataclass

import numpy as np

from echoes.errors import InputError
from echoes.evaluation import geometry
from echoes.evaluation.bands import within
from echoes.grids import Grid


@dataclass(frozen=True)
class Region:
    """Which points are compared.

    range_m    horizontal range from the sensor below which a point counts.
    grid       a point counts inside its box.
    ground     slopes along x and along y and height at the origin [m] of the plane of the ground, as
               `rasters.ground.plane` gives them; None: no ground is taken out.
    height_m   what lies less than this above the plane is ground, and so is all below.

    Ends are as everywhere: a lower limit is inside, an upper one outside.
    """

    range_m: float
    grid: Grid
    ground: tuple[float, float, float] | None
    height_m: float

    def __post_init__(self) -> None:
        if not self.range_m > 0:
            raise InputError(f"range_m: expected a positive range, got {self.range_m}")
        if not self.height_m >= 0:
            raise InputError(f"height_m: expected a height of at least 0, got {self.height_m}")


def inside(points: np.ndarray, region: Region) -> np.ndarray:
    """(N,) bool: the point is compared.

    points   (N, 3 or more) x, y, z [m] in the sensor frame; float32 or float64, of a prediction or of the truth.
    """
    points_m = points[:, :3].astype(np.float64)
    kept = within(points_m, 0.0, region.range_m) & region.grid.cells(points_m)[1]
    if region.ground is None:
        return kept
    slope_x, slope_y, height_m = region.ground
    x, y, z = points_m.T
    return np.asarray(kept & (z - (slope_x * x + slope_y * y + height_m) >= region.height_m))


def restrict(points: np.ndarray, region: Region) -> np.ndarray:
    """The points (N, 3 or more) that are compared."""
    return points[inside(points, region)]


def evaluate_points(predicted: np.ndarray, true: np.ndarray, far_m: float) -> dict[str, float]:
    """Every number of one frame.

    predicted, true   (M, 3 or more) and (N, 3 or more) x, y, z [m], both restricted by `inside` before.
    far_m             how far the nearest point of an empty set is, such as the diagonal of the grid.

    `to_target_m` is the mean distance from a predicted point to the nearest true one, `from_target_m` from a true
    one to the nearest predicted one: the first grows with what is made up, the second with what is missed.
    The others are as in `clouds`. Points given twice count twice. `empty` is 0 or 1; `count_ratio` of an empty
    truth and a band without a true point are NaN, empty sets else follow `geometry`.
    """
    predicted_m, true_m = (points[:, :3].astype(np.float64) for points in (predicted, true))
    of_predicted = geometry.nearest_m(predicted_m, true_m, far_m)
    of_target = geometry.nearest_m(true_m, predicted_m, far_m)
    to_target_m, from_target_m = geometry.directions_m(of_predicted, of_target)
    return {
        **geometry.distances(of_predicted, of_target),
        "to_target_m": to_target_m,
        "from_target_m": from_target_m,
        **geometry.by_band(predicted_m, true_m, of_predicted, of_target),
        "count_ratio": len(predicted) / len(true) if len(true) else math.nan,
        "empty": float(len(predicted) == 0),
    }
