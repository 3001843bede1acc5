"""What a method predicts in a frame and what was there, both as cells of the same grid, and how much they share."""

import math
from dataclasses import dataclass

import numpy as np

from echoes.grids import Grid


@dataclass(frozen=True)
class Cells:
    """What a method predicts in one frame; each cell occurs once.

    indices      (M, 3) integers (z, y, x).
    doppler_mps  (M,) radial velocity, positive = receding; None where the method gives none.
    power_db     (M,); None where the method gives none.
    """

    indices: np.ndarray
    doppler_mps: np.ndarray | None
    power_db: np.ndarray | None


@dataclass(frozen=True)
class Target:
    """What was there.

    cells          the occupied cells, all of them observed.
    doppler_valid  (M,) bool: their Doppler and power are known.
    observed       (D, H, W) bool: free or occupied, as opposed to unknown.
    """

    cells: Cells
    doppler_valid: np.ndarray
    observed: np.ndarray


def agreement(prediction: Cells, target: Target, grid: Grid) -> dict[str, float]:
    """`iou_3d` and `count_ratio` of one frame, as `clouds.evaluate_frame` gives them beside all else."""
    prediction = visible(prediction, target.observed)
    predicted, true = (flat(cells.indices, grid) for cells in (prediction, target.cells))
    shared = np.intersect1d(predicted, true, assume_unique=True)
    return {"iou_3d": iou(len(shared), len(predicted), len(true)), "count_ratio": count_ratio(predicted, true)}


def count_ratio(predicted: np.ndarray, true: np.ndarray) -> float:
    """How many cells (M,) are predicted for each of (N,) that is there; NaN where none is."""
    return len(predicted) / len(true) if len(true) else math.nan


def iou(shared: int, predicted: int, target: int) -> float:
    """Intersection over union from the sizes of the intersection and of the two sets; 1 where both are empty."""
    union = predicted + target - shared
    return shared / union if union else 1.0


def detection(shared: int, predicted: int, target: int, observed: int) -> dict[str, float]:
    """`pd`, the share of the target's cells that are predicted, and `pfa`, that of the free ones, from sizes of sets.

    NaN where no cell is occupied, or none is free. observed: how many are either.
    """
    free = observed - target
    return {"pd": shared / target if target else math.nan, "pfa": (predicted - shared) / free if free else math.nan}


def visible(cells: Cells, observed: np.ndarray) -> Cells:
    """Those of the cells that are observed: (D, H, W) bool."""
    seen = observed[tuple(cells.indices.T)]
    kept = [None if values is None else values[seen] for values in (cells.doppler_mps, cells.power_db)]
    return Cells(cells.indices[seen], *kept)


def flat(indices: np.ndarray, grid: Grid) -> np.ndarray:
    """(M,) flat indices of cells (M, 3), each of which occurs once."""
    found = np.ravel_multi_index(tuple(indices.T), grid.shape)
    assert len(np.unique(found)) == len(found), "each cell occurs once"
    return found
