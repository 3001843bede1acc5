"""Metrics of frames -> means over frames with 95 % intervals."""

from collections.abc import Sequence

import numpy as np

from echoes import seeds
from echoes.evaluation.clouds import BANDS_M

BANDED = tuple(f"{key}_{band}" for key in ("chamfer_m", "f1@1.0m", "iou_3d", "iou_bev") for band in BANDS_M)
WITH_INTERVAL = ("chamfer_m", "f1@0.5m", "f1@1.0m", "iou_3d", "iou_bev", "jsd_bev", "count_ratio", *BANDED)
INTERVAL = (0.025, 0.975)


def summarise(frames: Sequence[dict[str, float]], seed: int, resamples: int) -> dict[str, float | int | None]:
    """Flat means of what `clouds.evaluate_frame` gave for each frame of one method.

    `<key>` is the mean over the frames that have a value (None where none has), `<key>_lo` and `<key>_hi`
    its 95 % percentile bootstrap interval over these frames. `empty_frames` counts empty predictions,
    `frames_<band>` and `frames_doppler` the frames behind the numbers that not every frame has. Methods
    evaluated on the same frames are resampled alike.
    """
    if not frames:
        raise ValueError("expected at least one frame to summarise, got none")
    table = {key: np.array([frame[key] for frame in frames]) for key in frames[0]}
    valid = {key: values[~np.isnan(values)] for key, values in table.items()}
    summary: dict[str, float | int | None] = {}
    for key in valid.keys() - {"empty"}:
        summary[key] = float(valid[key].mean()) if len(valid[key]) else None
        if key in WITH_INTERVAL:
            summary[f"{key}_lo"], summary[f"{key}_hi"] = interval(valid[key], seed, resamples)
    counts: dict[str, float | int | None] = {"empty_frames": int(table["empty"].sum())}
    counts |= {f"frames_{band}": len(valid[f"chamfer_m_{band}"]) for band in BANDS_M}
    counts["frames_doppler"] = len(valid["doppler_mae_mps"])
    return {key: summary[key] for key in _ordered(table, summary)} | counts


def interval(values: np.ndarray, seed: int, resamples: int) -> tuple[float, float] | tuple[None, None]:
    """95 % percentile bootstrap interval of the mean of (N,) values (Efron & Tibshirani 1993, Ch. 13).

    The draws depend on the seed and on N alone. One value is its own interval; none has (None, None).
    """
    if not len(values):
        return None, None
    draws = seeds.rng(seed, "bootstrap", len(values)).integers(0, len(values), (resamples, len(values)))
    lo, hi = np.quantile(values[draws].mean(axis=1), INTERVAL)
    return float(lo), float(hi)


def _ordered(table: dict[str, np.ndarray], summary: dict[str, float | int | None]) -> list[str]:
    """Keys as the frames have them, each followed by its interval: a stable order in the diff."""
    return [f"{key}{end}" for key in table for end in ("", "_lo", "_hi") if f"{key}{end}" in summary]
