"""The returns of one frame -> which of them do not come from the ground.

Each frame stands for itself: a filter that remembers earlier frames gives another answer for each
order of the workers.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from echoes.errors import InputError

SLOPE_STEP = 0.02  # between the planes that are voted on; the fit afterwards finds the slopes in between
MIN_CANDIDATES = 20  # candidates; with fewer there is nothing to tell the ground from anything else
ITERATIONS = 30  # of the fit, which then moves by millimetres


@dataclass(frozen=True)
class NoGround:
    """Keep every return."""

    method: Literal["none"]


@dataclass(frozen=True)
class PlaneGround:
    """Drop what lies less than `height_m` above a plane, and all below it.

    The plane is fitted to the lowest return of each square of `cell_m` by `cell_m` and climbs at most
    about `slope_max` (metres per metre) along x and along y, the tilt of the sensor included.
    """

    method: Literal["plane"]
    height_m: float
    cell_m: float
    slope_max: float

    def __post_init__(self) -> None:
        for name in ("height_m", "cell_m", "slope_max"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}: expected a positive number, got {getattr(self, name)}")


Ground = NoGround | PlaneGround
Plane = tuple[float, float, float]  # slopes along x and y, height at the origin [m]


def keep(points: np.ndarray, ground: Ground) -> np.ndarray:
    """(N,) bool: the return is not of the ground.

    points   (N, 3 or more) x, y, z [m], z roughly up.

    Keeps all returns of a frame that covers fewer than MIN_CANDIDATES squares.
    """
    found = fit(points, ground)
    return np.ones(len(points), bool) if found is None else above(points, found, height_of(ground))


def fit(points: np.ndarray, ground: Ground) -> Plane | None:
    """The plane of the ground under (N, 3 or more) x, y, z [m]; None where none is asked for, or too little is seen."""
    if isinstance(ground, NoGround):
        return None
    candidates = lowest(points, ground.cell_m)
    return None if len(candidates) < MIN_CANDIDATES else plane(candidates, ground)


def above(points: np.ndarray, plane: Plane, height_m: float) -> np.ndarray:
    """(N,) bool: the points (N, 3 or more) lie more than `height_m` above the plane."""
    x, y, z = points[:, :3].astype(np.float64).T
    return np.asarray(z - (plane[0] * x + plane[1] * y + plane[2]) > height_m)


def rotated(plane: Plane, angle_rad: float) -> Plane:
    """The same ground after a turn about z, from x to y."""
    cos, sin = float(np.cos(angle_rad)), float(np.sin(angle_rad))
    return plane[0] * cos - plane[1] * sin, plane[0] * sin + plane[1] * cos, plane[2]


def height_of(ground: Ground) -> float:
    """How far above its plane the ground reaches [m]; 0 where none is taken out."""
    return 0.0 if isinstance(ground, NoGround) else ground.height_m


def lowest(points: np.ndarray, cell_m: float) -> np.ndarray:
    """(K, 3) float64 x, y, z of the lowest return of each square, in the order of the squares."""
    x, y, z = points[:, :3].astype(np.float64).T
    column, row = np.floor(x / cell_m), np.floor(y / cell_m)
    order = np.lexsort((y, x, z, row, column))  # x and y too: equally low returns must not depend on their order
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(column[order]) != 0) | (np.diff(row[order]) != 0)
    return np.stack([x, y, z], axis=1)[order[first]]


def plane(candidates: np.ndarray, ground: PlaneGround) -> Plane:
    """Slopes along x and y and height at the origin [m] of the plane through the ground.

    candidates   (K, 3) x, y, z [m]; walls, cars and crowns may be the greater part.

    A vote over planes finds the right one, then a fit with Tukey's weights (Beaton & Tukey 1974), which
    ignore what lies more than 2 height_m away.
    """
    x, y, z = candidates.T
    design = np.stack([x, y, np.ones_like(x)], axis=1)
    fitted = np.array(_vote(candidates, ground))
    for _ in range(ITERATIONS):
        gap = (z - design @ fitted) / (2 * ground.height_m)
        root = np.maximum(1 - gap**2, 0)  # square root of the weight
        fitted = np.linalg.lstsq(design * root[:, None], z * root, rcond=None)[0]
    slope_x, slope_y, height_m = map(float, fitted)
    return slope_x, slope_y, height_m


def _vote(candidates: np.ndarray, ground: PlaneGround) -> tuple[float, float, float]:
    """The plane with the most candidates within height_m, less those below it (a Hough vote).

    Candidates below count against a plane because nothing lies under the ground: one laser of a
    spinning LiDAR draws a perfect plane at the height of the sensor.
    """
    steps = int(np.ceil(ground.slope_max / SLOPE_STEP))
    slopes = np.linspace(-ground.slope_max, ground.slope_max, 2 * steps + 1)
    slope_x, slope_y = (slope.ravel() for slope in np.meshgrid(slopes, slopes))
    x, y, z = candidates.T
    heights_m = np.sort(z - np.outer(slope_x, x) - np.outer(slope_y, y), axis=1)
    below = np.arange(len(z))
    # the band of each plane begins at one of its candidates
    votes = np.stack([np.searchsorted(row, row + 2 * ground.height_m, side="right") for row in heights_m]) - 2 * below
    best, begin = np.unravel_index(votes.argmax(), votes.shape)
    return float(slope_x[best]), float(slope_y[best]), float(heights_m[best, begin] + ground.height_m)
