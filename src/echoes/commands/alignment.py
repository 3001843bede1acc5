"""Does the radar fit the LiDAR: distances and offsets where both look, and whether a wrong mounting fits better."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

POINTS = 20  # fewer of either sensor in the common view do not tell
CELL_M = 1.0  # a sensor counts each of these once, or the dense near range would draw its centroid


def _turned(degrees: float) -> np.ndarray:
    """(4, 4) about z, from x to y."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def _moved(x_m: float, y_m: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:2, 3] = x_m, y_m
    return matrix


# What goes wrong with the mounting of a sensor. A height is not among them: the ground under the radar's points
# comes nearer as the LiDAR is lifted, so the distances do not tell it.
MOUNTINGS = {
    "mirrored left to right": np.diag([1.0, -1.0, 1.0, 1.0]),
    "upside down": np.diag([1.0, 1.0, -1.0, 1.0]),
    **{f"turned by {degrees:+d} deg": _turned(degrees) for degrees in (-90, -10, -5, 5, 10, 90, 180)},
    **{f"moved by {m:+.0f} m along x": _moved(m, 0) for m in (-2.0, -1.0, 1.0, 2.0)},
    **{f"moved by {m:+.0f} m along y": _moved(0, m) for m in (-2.0, -1.0, 1.0, 2.0)},
}


@dataclass(frozen=True)
class Alignment:
    """One frame.

    distance_m  from a radar point in the common view to the nearest point of the target, median.
    offset_m    (3,) centroid of the radar minus that of the target, in the common view.
    mounted_m   the same distance with the radar mounted otherwise, for each of MOUNTINGS.
    """

    distance_m: float
    offset_m: np.ndarray
    mounted_m: dict[str, float]


def align(radar: np.ndarray, target: np.ndarray) -> Alignment | None:
    """Compare two clouds (N, 3 or more) x, y, z [m] in the radar's frame; None where they hardly share a view."""
    if min(len(radar), len(target)) < POINTS:
        return None
    low, high = _common(_polar(radar), _polar(target))
    seen, there = (cloud[_inside(_polar(cloud), low, high), :3].astype(np.float64) for cloud in (radar, target))
    if min(len(seen), len(there)) < POINTS:
        return None
    tree = cKDTree(target[:, :3])
    mounted_m = {name: _distance(tree, seen @ m[:3, :3].T + m[:3, 3]) for name, m in MOUNTINGS.items()}
    return Alignment(_distance(tree, seen), _centroid(seen) - _centroid(there), mounted_m)


def _distance(tree: cKDTree, points: np.ndarray) -> float:
    return float(np.median(tree.query(points)[0]))


def _centroid(points: np.ndarray) -> np.ndarray:
    return np.unique(np.floor(points / CELL_M), axis=0).mean(axis=0) * CELL_M


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
