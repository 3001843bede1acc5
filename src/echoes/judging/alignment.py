"""Does the radar fit the LiDAR: distances and offsets where both look, and whether a wrong mounting fits better."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

POINTS = 20  # fewer of either sensor in the common view do not tell
SUFFICIENT_POINTS = 400  # points of the radar
FAR_M = 10.0  # a longer distance counts as this one: a search without end is slow
MATCH_M = 2.0  # points farther apart are not of the same thing
ROUNDS = 20  # of matching; it settles after 5-15


def _turned(degrees: float) -> np.ndarray:
    """(3, 3) about z, from x to y."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


# What goes wrong with the mounting of a sensor, beside its place.
MOUNTINGS = {
    "mirrored left to right": np.diag([1.0, -1.0, 1.0]),
    "upside down": np.diag([1.0, 1.0, -1.0]),
    **{f"turned by {degrees:+d} deg": _turned(degrees) for degrees in (-90, -10, -5, 5, 10, 90, 180)},
}


@dataclass(frozen=True)
class Alignment:
    """One frame.

    distance_m  from a radar point in the common view to the nearest point of the target, median.
    mounted_m   the same distance with the radar mounted otherwise, for each of MOUNTINGS.
    offset_m    (3,) centroid of the radar points minus that of the target points that match them. Its z is no
                more than a hint: the ground matches what floats above it.
    """

    distance_m: float
    mounted_m: dict[str, float]
    offset_m: np.ndarray


def align(radar: np.ndarray, target: np.ndarray) -> Alignment | None:
    """Compare two clouds (N, 3 or more) x, y, z [m] in the radar's frame; None where they hardly share a view."""
    if min(len(radar), len(target)) < POINTS:
        return None
    low, high = _common(_polar(radar), _polar(target))
    seen, there = (_inside(_polar(cloud), low, high) for cloud in (radar, target))
    if min(seen.sum(), there.sum()) < POINTS:
        return None
    points = radar[seen, :3].astype(np.float64)[:: -(-int(seen.sum()) // SUFFICIENT_POINTS)]
    places = target[:, :3].astype(np.float64)
    tree = cKDTree(places)
    mounted_m = {name: _distance(tree, points @ matrix.T) for name, matrix in MOUNTINGS.items()}
    return Alignment(_distance(tree, points), mounted_m, _offset(tree, points, places))


def _distance(tree: cKDTree, points: np.ndarray) -> float:
    distances_m, _ = tree.query(points, distance_upper_bound=FAR_M)
    return float(np.median(np.minimum(distances_m, FAR_M)))


def _offset(tree: cKDTree, points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(3,) the shift of `points` from `places`, matched again after each step (Besl and McKay 1992, shift only).

    One round of matching would see half of it: the nearest point is mostly another one than the right one.
    """
    offset_m = np.zeros(3)
    for _ in range(ROUNDS):
        distances_m, nearest = tree.query(points - offset_m, distance_upper_bound=MATCH_M)
        matched = np.isfinite(distances_m)
        if not matched.any():
            break
        step_m = (points[matched] - offset_m - places[np.asarray(nearest)[matched]]).mean(axis=0)
        offset_m = offset_m + step_m
        if np.abs(step_m).max() < 0.01:
            break
    return offset_m


def _polar(points: np.ndarray) -> np.ndarray:
    """(N, 3) range [m], azimuth and elevation [rad]."""
    x, y, z = points[:, :3].T.astype(np.float64)
    return np.stack([np.sqrt(x**2 + y**2 + z**2), np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))], axis=1)


def _common(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The limits (3,), (3,) of what both see, without the outermost 2 % of either."""
    limits = [np.quantile(polar, (0.02, 0.98), axis=0) for polar in (first, second)]
    return np.maximum(limits[0][0], limits[1][0]), np.minimum(limits[0][1], limits[1][1])


def _inside(polar: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.asarray(((polar >= low) & (polar <= high)).all(axis=1))
