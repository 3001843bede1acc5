"""The occupancy threshold, chosen on validation frames: from there on it is a constant."""

from collections.abc import Sequence

import numpy as np

from echoes.evaluation.cells import Target

Probable = tuple[np.ndarray, np.ndarray]  # (M, 3) indices (z, y, x) and the (M,) probability that each is occupied


def choose_threshold(
    predictions: Sequence[Probable],
    targets: Sequence[Target],
    candidates: Sequence[float],
) -> float:
    """The candidate with the largest mean IoU of cells over frames.

    A cell is occupied where its probability is at least the threshold. Of equal candidates the first wins.
    """
    levels = np.asarray(candidates, dtype=np.float64)
    means = np.mean([iou_3d(p, t, levels) for p, t in zip(predictions, targets, strict=True)], axis=0)
    return float(levels[means.argmax()])


def iou_3d(prediction: Probable, target: Target, thresholds: np.ndarray) -> np.ndarray:
    """(T,) IoU of cells at each threshold; each array is sorted once."""
    indices, probability = prediction
    seen = target.observed[tuple(indices.T)]
    best = np.full(target.observed.shape, -np.inf)
    best[tuple(indices[seen].T)] = probability[seen]
    occupied = np.zeros(target.observed.shape, dtype=bool)
    occupied[tuple(target.cells.indices.T)] = True
    predicted, shared = (_at_least(values, thresholds) for values in (best.ravel(), best[occupied]))
    union = predicted + occupied.sum() - shared
    return np.where(union == 0, 1.0, shared / np.maximum(union, 1))


def _at_least(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(T,) how many values reach each threshold."""
    return len(values) - np.searchsorted(np.sort(values), thresholds, side="left")
