"""Generated frames of a radar against real ones, as points: in the same scene, and as sets of frames.

Points are (N, 5) x, y, z [m], Doppler [m/s], power [dB]. What was not measured, as of a LiDAR's points, is NaN: it
agrees with nothing.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import wasserstein_distance

from echoes.evaluation.distributions import jensen_shannon
from echoes.evaluation.geometry import ROUNDING_M, f1
from echoes.evaluation.halves import NEAREST
from echoes.evaluation.realism import BLOCK, Numbers, halved, mean
from echoes.grids import Grid

RADIUS_M, POWER_DB, DOPPLER_MPS = 1.0, 8.0, 2.5  # nearer than which two points are the same return
STATIC_MPS = 0.5  # slower, and what stands in a cell is static
BINS = {"range": 1.0, "doppler": 0.5, "power": 1.0}  # of histograms [m, m/s, dB]
KEYS = (
    *("points_jsd_bev", "location_w1_m", "points_range_jsd", "points_range_w1_m"),
    *("doppler_jsd", "doppler_w1_mps", "power_jsd", "power_w1_db", "points_w1"),
)


def paired(made: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """How many points (M, 5) that were made are returns of the radar (N, 5) in the same scene.

    A point is a hit where a real one lies within RADIUS_M whose power differs by less than POWER_DB and whose Doppler
    by less than DOPPLER_MPS. `hit_precision` is the share of the made points that are hits, `hit_recall` that of the
    real ones that are hit, `hit_given_near` that of the made points with any real one within RADIUS_M; NaN where there
    is none. Of empty frames as in `geometry.precision_recall`.
    """
    near = _near(made, real)
    apart = np.abs(made[near["i"], 3:] - real[near["j"], 3:])
    hits = near[(apart < (DOPPLER_MPS, POWER_DB)).all(axis=1)]
    hitting, hit, located = (len(np.unique(found)) for found in (hits["i"], hits["j"], near["i"]))
    neither = not len(made) and not len(real)
    precision, recall = (
        found / len(points) if len(points) else float(neither) for found, points in ((hitting, made), (hit, real))
    )
    return {
        "hit_precision": precision,
        "hit_recall": recall,
        "hit_f1": f1(precision, recall),
        "hit_given_near": hitting / located if located else math.nan,
    }


def static_doppler_mps(made: np.ndarray, real: np.ndarray, grid: Grid) -> float:
    """Median absolute Doppler over ground [m/s] of made points (M, 5) in cells whose real returns (N, 5) are static.

    NaN where no made point is in such a cell. Both inside the grid; a cell is as fast as its returns in the mean.
    """
    of_made, of_real = (np.ravel_multi_index(tuple(grid.cells(points)[0].T), grid.shape) for points in (made, real))
    cells, owner, number = np.unique(of_real, return_inverse=True, return_counts=True)
    mean_mps = np.bincount(owner, real[:, 3], len(cells)) / number
    found = np.abs(made[np.isin(of_made, cells[np.abs(mean_mps) < STATIC_MPS]), 3])
    return float(np.median(found)) if len(found) else math.nan


def against(
    real: Sequence[np.ndarray], made: Sequence[np.ndarray], stretches: np.ndarray, grid: Grid, seed: int
) -> Numbers:
    """KEYS of what was made of frames against what is real in other ones, as `realism.against` halves the roads.

    stretches  (N,) number of the stretch that each frame is of. `made` may be the real frames themselves: the floor.

    None, all of them, where a half has no more than NEAREST frames.
    """
    first, second = halved(stretches, seed)
    if len(first) <= NEAREST:
        return dict.fromkeys(KEYS)
    ways = [compared([real[i] for i in a], [made[i] for i in b], grid) for a, b in ((first, second), (second, first))]
    return {key: mean([numbers[key] for numbers in ways]) for key in KEYS}


def compared(real: Sequence[np.ndarray], made: Sequence[np.ndarray], grid: Grid) -> Numbers:
    """Distances of the points of two sets of frames, pooled: of where they are, of what they measured, of how many.

    `_jsd` are Jensen-Shannon distances (root, nats) of histograms in BINS, that from above in blocks of columns; `_w1`
    are Wasserstein distances, of the location the mean of those along x and along y. None where a set has no point, or
    was not measured.
    """
    a, b = np.concatenate(real), np.concatenate(made)
    real_m, made_m = (np.hypot(points[:, 0], points[:, 1]) for points in (a, b))
    along = [_w1(a[:, i], b[:, i]) for i in (0, 1)]
    return {
        "points_jsd_bev": jensen_shannon(_above(a, grid), _above(b, grid)) if len(a) and len(b) else None,
        "location_w1_m": mean(along),
        "points_range_jsd": _jsd(real_m, made_m, BINS["range"]),
        "points_range_w1_m": _w1(real_m, made_m),
        "doppler_jsd": _jsd(a[:, 3], b[:, 3], BINS["doppler"]),
        "doppler_w1_mps": _w1(a[:, 3], b[:, 3]),
        "power_jsd": _jsd(a[:, 4], b[:, 4], BINS["power"]),
        "power_w1_db": _w1(a[:, 4], b[:, 4]),
        "points_w1": float(wasserstein_distance([len(one) for one in real], [len(one) for one in made])),
    }


def _near(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """(K,) pairs `i`, `j` of points that lie within RADIUS_M."""
    if not len(made) or not len(real):
        return np.zeros(0, [("i", np.intp), ("j", np.intp)])
    trees = [cKDTree(points[:, :3].astype(np.float64)) for points in (made, real)]
    found: np.ndarray = trees[0].sparse_distance_matrix(trees[1], RADIUS_M + ROUNDING_M, output_type="ndarray")
    return found


def _above(points: np.ndarray, grid: Grid) -> np.ndarray:
    """Points in blocks of columns, seen from above."""
    edges = [axis.edges[::BLOCK] for axis in grid.axes[1:]]
    return np.histogram2d(points[:, 1], points[:, 0], edges)[0]


def _known(*sets: np.ndarray) -> bool:
    """Whether there are values in all of them, and all were measured."""
    return all(len(values) and not np.isnan(values).any() for values in sets)


def _w1(first: np.ndarray, second: np.ndarray) -> float | None:
    return float(wasserstein_distance(first, second)) if _known(first, second) else None


def _jsd(first: np.ndarray, second: np.ndarray, bin_size: float) -> float | None:
    """Of two sets of values, counted in bins of a size."""
    if not _known(first, second):
        return None
    bins = [np.floor(values / bin_size).astype(np.int64) for values in (first, second)]
    low = min(int(found.min()) for found in bins)
    most = max(int(found.max()) for found in bins) - low + 1
    return jensen_shannon(*(np.bincount(found - low, minlength=most) for found in bins))
