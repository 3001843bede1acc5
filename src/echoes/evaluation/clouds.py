"""One predicted frame against its target, both as cells of the same grid -> every number `evaluate` reports.

Unknown is not free: predicted cells in unobserved space are dropped, for every method alike, before
anything is measured. Points are the centres of cells.

A number that a frame cannot have is NaN: `doppler_mae_mps` and `power_mae_db` where no cell is occupied in
both with a valid target Doppler, `count_ratio` and `pd` of an empty target, `pfa` where nothing is free, and a
range band in which the target has no cell. Nothing else is ever left out: an empty prediction is
`grid.diagonal_m` off with precision 0, and where both are empty they agree (distances 0, shares 1).
"""

import math

import numpy as np

from echoes.evaluation import geometry
from echoes.evaluation.bands import BANDS_M, within
from echoes.evaluation.cells import Cells, Target, count_ratio, detection, flat, iou, visible
from echoes.evaluation.distributions import jensen_shannon
from echoes.evaluation.doppler import mean_absolute_error
from echoes.grids import Grid


def evaluate_frame(prediction: Cells, target: Target, grid: Grid) -> dict[str, float]:
    """Every metric of one frame, under the keys of metrics/<track>/evaluate.json; `empty` is 0 or 1."""
    prediction = visible(prediction, target.observed)
    predicted, true = (flat(cells.indices, grid) for cells in (prediction, target.cells))
    assert target.observed.ravel()[true].all(), "a target cell is occupied, hence observed"
    _, i, j = np.intersect1d(predicted, true, assume_unique=True, return_indices=True)
    valid = target.doppler_valid[j]
    return {
        **_distances(prediction.indices, target.cells.indices, grid),
        **_overlaps(predicted, true, grid),
        "count_ratio": count_ratio(predicted, true),
        **detection(len(i), len(predicted), len(true), int(target.observed.sum())),
        "jsd_bev": jensen_shannon(_columns(predicted, grid), _columns(true, grid)),
        "doppler_mae_mps": _error(prediction.doppler_mps, target.cells.doppler_mps, i[valid], j[valid]),
        "power_mae_db": _error(prediction.power_db, target.cells.power_db, i[valid], j[valid]),
        "empty": float(len(predicted) == 0),
    }


def _distances(predicted: np.ndarray, true: np.ndarray, grid: Grid) -> dict[str, float]:
    """Point metrics from (M, 3) and (N, 3) indices, of the frame and by range band."""
    predicted_m, true_m = grid.centres(predicted), grid.centres(true)
    of_predicted = geometry.nearest_m(predicted_m, true_m, grid.diagonal_m)
    of_target = geometry.nearest_m(true_m, predicted_m, grid.diagonal_m)
    return {
        **geometry.distances(of_predicted, of_target),
        **geometry.by_band(predicted_m, true_m, of_predicted, of_target),
    }


def _overlaps(predicted: np.ndarray, true: np.ndarray, grid: Grid) -> dict[str, float]:
    """IoU of cells and of columns, from flat indices, of the frame and by the range band of the cell."""
    columns = grid.shape[1] * grid.shape[2]
    values = {}
    for key, first, second in (
        ("iou_3d", predicted, true),
        ("iou_bev", np.unique(predicted % columns), np.unique(true % columns)),
    ):
        shared = np.intersect1d(first, second, assume_unique=True)
        values[key] = iou(len(shared), len(first), len(second))
        for band, (start_m, stop_m) in BANDS_M.items():
            inside = within(_column_centres(grid), start_m, stop_m)
            sizes = [int(inside[cells % columns].sum()) for cells in (shared, first, second)]
            values[f"{key}_{band}"] = iou(*sizes) if sizes[2] else math.nan
    return values


def _column_centres(grid: Grid) -> np.ndarray:
    """(H * W, 3) x, y, z [m] of the cells of one layer."""
    y, x = np.divmod(np.arange(grid.shape[1] * grid.shape[2]), grid.shape[2])
    return grid.centres(np.stack([np.zeros_like(y), y, x], axis=1))


def _columns(flat: np.ndarray, grid: Grid) -> np.ndarray:
    """(H * W,) occupied cells in each column."""
    size = grid.shape[1] * grid.shape[2]
    return np.bincount(flat % size, minlength=size)


def _error(predicted: np.ndarray | None, true: np.ndarray | None, i: np.ndarray, j: np.ndarray) -> float:
    return math.nan if predicted is None or true is None else mean_absolute_error(predicted[i], true[j])
