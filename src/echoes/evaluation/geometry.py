"""How far two sets of points lie apart.

Point metrics start from the two arrays of nearest-neighbour distances, `of_predicted` (each predicted
point to its nearest target point) and `of_target` (the other way). One rule covers empty sets: the
nearest neighbour in an empty set is `far_m` away, and a direction without points has no say. So an empty
prediction of a target that is there is `far_m` off, and two empty sets are 0 m apart.
"""

import math
from collections.abc import Callable

import numpy as np
from pykdtree.kdtree import KDTree
from threadpoolctl import ThreadpoolController

from echoes.evaluation.bands import BANDS_M, within

RADII_M = (0.5, 1.0)  # of precision, recall and F1
ROUNDING_M = 1e-9  # cell centres form a lattice: distances equal to a radius are common, rounding must not decide

_openmp = ThreadpoolController().select(user_api="openmp")


def nearest_m(points: np.ndarray, others: np.ndarray, far_m: float) -> np.ndarray:
    """(N,) float64 distance [m] of each of (N, 3) points to the nearest of (M, 3) others; far_m if M = 0.

    In one thread: those of OpenMP do not survive a fork, and workers have a core each.
    """
    if not len(points) or not len(others):
        return np.full(len(points), far_m)
    for array in (points, others):
        assert np.isfinite(array).all(), "artifacts hold finite numbers"
    with _openmp.limit(limits=1):
        found: np.ndarray = KDTree(others).query(points)[0]
    return found


def distances(of_predicted: np.ndarray, of_target: np.ndarray) -> dict[str, float]:
    """Every number that both directions of nearest-neighbour distances give."""
    both_m = chamfer_sum_m(of_predicted, of_target)
    values = {
        "chamfer_m": both_m / 2,
        "chamfer_sum_m": both_m,
        "hausdorff_m": hausdorff_m(of_predicted, of_target),
        "mhd_m": mhd_m(of_predicted, of_target),
    }
    for radius_m in RADII_M:
        precision, recall = precision_recall(of_predicted, of_target, radius_m)
        values |= {f"precision@{radius_m}m": precision, f"recall@{radius_m}m": recall}
        values[f"f1@{radius_m}m"] = f1(precision, recall)
    return values


def by_band(
    predicted: np.ndarray, true: np.ndarray, of_predicted: np.ndarray, of_target: np.ndarray
) -> dict[str, float]:
    """`chamfer_m_<band>` and `f1@1.0m_<band>` of (M, 3) and (N, 3) points [m] and their distances.

    A band takes the target points in it against all predictions and the predicted points in it against all
    targets, so that a pair across its border is still a pair. Where nothing is predicted in the band, the
    target's side stands alone, for the distance and for F1; where there is no target, both are NaN.
    """
    values = {}
    for band, (start_m, stop_m) in BANDS_M.items():
        here, there = of_predicted[within(predicted, start_m, stop_m)], of_target[within(true, start_m, stop_m)]
        precision, recall = precision_recall(here, there, 1.0)
        known = len(there) > 0
        values[f"chamfer_m_{band}"] = chamfer_sum_m(here, there) / 2 if known else math.nan
        values[f"f1@1.0m_{band}"] = f1(precision if len(here) else recall, recall) if known else math.nan
    return values


def directions_m(of_predicted: np.ndarray, of_target: np.ndarray) -> tuple[float, float]:
    """The mean distance from the prediction to the target, and the other way (rules of empty sets as above)."""
    return _both(np.mean, of_predicted, of_target)


def chamfer_sum_m(of_predicted: np.ndarray, of_target: np.ndarray) -> float:
    """The mean distance of one direction plus that of the other.

    Chamfer means three things in the literature: this sum, half of it (RadarHD and its peers; our
    `chamfer_m`), and a sum of squares (not here). A direction without points takes the value of the other.
    """
    return sum(directions_m(of_predicted, of_target))


def hausdorff_m(of_predicted: np.ndarray, of_target: np.ndarray) -> float:
    """The largest of all nearest-neighbour distances."""
    return max(_both(np.max, of_predicted, of_target))


def mhd_m(of_predicted: np.ndarray, of_target: np.ndarray) -> float:
    """Modified Hausdorff distance as in RadarHD (Prabhakara et al. 2023): the larger of the two medians."""
    return max(_both(np.median, of_predicted, of_target))


def precision_recall(of_predicted: np.ndarray, of_target: np.ndarray, radius_m: float) -> tuple[float, float]:
    """Share of predicted points with a target point within the radius, and of target points with a predicted one.

    An empty prediction of a target that is there has precision 0; two empty sets have 1 and 1.
    """
    if not len(of_predicted) and not len(of_target):
        return 1.0, 1.0
    reach_m = radius_m + ROUNDING_M
    precision = float(np.mean(of_predicted <= reach_m)) if len(of_predicted) else 0.0
    recall = float(np.mean(of_target <= reach_m)) if len(of_target) else 0.0
    return precision, recall


def f1(precision: float, recall: float) -> float:
    """Harmonic mean of the two; 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _both(
    reduce: Callable[[np.ndarray], np.floating], of_predicted: np.ndarray, of_target: np.ndarray
) -> tuple[float, float]:
    """`reduce` of each direction; where one has no points, that of the other; (0, 0) where both have none."""
    values = [float(reduce(distances)) for distances in (of_predicted, of_target) if len(distances)]
    return (values[0], values[-1]) if values else (0.0, 0.0)
