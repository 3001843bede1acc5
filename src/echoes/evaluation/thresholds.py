"""The occupancy threshold, chosen on validation frames: from there on it is a constant."""

from collections.abc import Callable, Sequence

import numpy as np

from echoes.evaluation.cells import Target

Probable = tuple[np.ndarray, np.ndarray]  # (M, 3) indices (z, y, x) and the (M,) probability that each is occupied


def choose_threshold(
    predictions: Sequence[Probable],
    targets: Sequence[Target],
    candidates: Sequence[float],
    curve: Callable[[Probable, Target, np.ndarray], np.ndarray],
) -> float:
    """The candidate with the largest mean over frames of `curve`: `iou_bev` or `iou_3d` below.

    A cell is occupied where its probability is at least the threshold. Of equal candidates the first wins.
    """
    levels = np.asarray(candidates, dtype=np.float64)
    means = np.mean([curve(p, t, levels) for p, t in zip(predictions, targets, strict=True)], axis=0)
    return float(levels[means.argmax()])


def iou_bev(prediction: Probable, target: Target, thresholds: np.ndarray) -> np.ndarray:
    """(T,) IoU of columns at each threshold; a column is as probable as its most probable observed cell."""
    return _iou(prediction, target, thresholds, target.observed.shape[1] * target.observed.shape[2])


def iou_3d(prediction: Probable, target: Target, thresholds: np.ndarray) -> np.ndarray:
    """(T,) IoU of cells at each threshold."""
    return _iou(prediction, target, thresholds, target.observed.size)


def _iou(prediction: Probable, target: Target, thresholds: np.ndarray, groups: int) -> np.ndarray:
    """IoU of groups of cells, a group being the flat index modulo `groups`; each array is sorted once."""
    indices, probability = prediction
    seen = target.observed[tuple(indices.T)]
    best = np.full(groups, -np.inf)
    np.maximum.at(best, _group(indices[seen], target, groups), probability[seen])
    occupied = np.zeros(groups, dtype=bool)
    occupied[_group(target.cells.indices, target, groups)] = True
    predicted, shared = (_at_least(values, thresholds) for values in (best, best[occupied]))
    union = predicted + occupied.sum() - shared
    return np.where(union == 0, 1.0, shared / np.maximum(union, 1))


def _group(indices: np.ndarray, target: Target, groups: int) -> np.ndarray:
    return np.ravel_multi_index(tuple(indices.T), target.observed.shape) % groups


def _at_least(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(T,) how many values reach each threshold."""
    return len(values) - np.searchsorted(np.sort(values), thresholds, side="left")
