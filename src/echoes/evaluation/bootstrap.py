"""Metrics of frames -> means over frames with 95 % intervals over the stretches of the recording that they are of."""

from collections.abc import Sequence

import numpy as np

from echoes import seeds
from echoes.evaluation.bands import BANDS_M
from echoes.evaluation.blocks import INTERVAL, block_interval, ratio_interval

BANDED = tuple(f"{key}_{band}" for key in ("chamfer_m", "f1@1.0m", "iou_3d", "iou_bev") for band in BANDS_M)
WITH_INTERVAL = ("chamfer_m", "f1@0.5m", "f1@1.0m", "iou_3d", "iou_bev", "jsd_bev", "count_ratio", *BANDED)
POINTS_WITH_INTERVAL = ("chamfer_m", "to_target_m", "from_target_m", "precision@1.0m", "recall@1.0m", "f1@1.0m")
RADAR_WITH_INTERVAL = ("hit_precision", "hit_recall", "hit_f1")
RATIOS = {"chamfer_ratio": "chamfer_m", "f1_ratio": "f1@1.0m"}  # to the radar's


def summarise(
    frames: Sequence[dict[str, float]], blocks: np.ndarray, seed: int, resamples: int
) -> dict[str, float | int | None]:
    """Flat means of what `clouds.evaluate_frame` gave for each frame of one method.

    blocks  (N,) number of the stretch that each frame is of.

    `<key>` is the mean over the frames that have a value (None where none has), `<key>_lo` and `<key>_hi`
    its 95 % percentile bootstrap interval over stretches. `empty_frames` counts empty predictions,
    `frames_<band>` and `frames_doppler` the frames behind the numbers that not every frame has. Methods
    evaluated on the same frames are resampled alike.
    """
    table = _table(frames)
    summary = _means(table, blocks, WITH_INTERVAL, seed, resamples)
    counts: dict[str, float | int | None] = {"empty_frames": int(table["empty"].sum())}
    counts |= {f"frames_{band}": int((~np.isnan(table[f"chamfer_m_{band}"])).sum()) for band in BANDS_M}
    counts["frames_doppler"] = int((~np.isnan(table["doppler_mae_mps"])).sum())
    return {key: value for key, value in summary.items() if key != "empty"} | counts


def summarise_points(
    frames: Sequence[dict[str, float]],
    of_radar: Sequence[dict[str, float]],
    blocks: np.ndarray,
    seed: int,
    resamples: int,
) -> dict[str, float | int | None]:
    """The same of what `points.evaluate_points` gave, each key with the prefix `points_`, and against the radar.

    of_radar  the numbers of the radar's own points in the same frames.

    `points_chamfer_ratio` and `points_f1_ratio` are ratios of the means to the radar's, with intervals that resample
    the stretches of both alike: below 1 the first, above 1 the second where a method helps.
    """
    table, radar = _table(frames), _table(of_radar)
    summary = _means(table, blocks, POINTS_WITH_INTERVAL, seed, resamples)
    for name, key in RATIOS.items():
        below = float(radar[key].mean())
        summary[name] = float(table[key].mean()) / below if below else None
        ends = ratio_interval(table[key], radar[key], blocks, seed, resamples)
        summary[f"{name}_lo"], summary[f"{name}_hi"] = ends
    summary["empty_frames"] = int(table["empty"].sum())
    return {f"points_{key}": value for key, value in summary.items() if key != "empty"}


def summarise_radar(
    frames: Sequence[dict[str, float]], blocks: np.ndarray, seed: int, resamples: int
) -> dict[str, float | int | None]:
    """The same of what `radar_frames` gave of each frame, each key with the prefix `radar_`."""
    summary = _means(_table(frames), blocks, RADAR_WITH_INTERVAL, seed, resamples)
    return {f"radar_{key}": value for key, value in summary.items()}


def interval(values: np.ndarray, seed: int, resamples: int) -> tuple[float, float] | tuple[None, None]:
    """95 % percentile bootstrap interval of the mean of (N,) values (Efron & Tibshirani 1993, Ch. 13).

    The draws depend on the seed and on N alone. One value is its own interval; none has (None, None).
    """
    if not len(values):
        return None, None
    draws = seeds.rng(seed, "bootstrap", len(values)).integers(0, len(values), (resamples, len(values)))
    lo, hi = np.quantile(values[draws].mean(axis=1), INTERVAL)
    return float(lo), float(hi)


def _table(frames: Sequence[dict[str, float]]) -> dict[str, np.ndarray]:
    if not frames:
        raise ValueError("expected at least one frame to summarise, got none")
    return {key: np.array([frame[key] for frame in frames]) for key in frames[0]}


def _means(
    table: dict[str, np.ndarray], blocks: np.ndarray, with_interval: Sequence[str], seed: int, resamples: int
) -> dict[str, float | int | None]:
    """Keys as the frames have them, each followed by its interval: a stable order in the diff."""
    summary: dict[str, float | int | None] = {}
    for key, values in table.items():
        known = ~np.isnan(values)
        summary[key] = float(values[known].mean()) if known.any() else None
        if key in with_interval:
            ends = block_interval(values[known], blocks[known], seed, resamples)
            summary[f"{key}_lo"], summary[f"{key}_hi"] = ends
    return summary
