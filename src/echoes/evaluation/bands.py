"""Horizontal range in bands, of which every number of clouds is told too."""

import math

import numpy as np

BANDS_M = {"0-20m": (0.0, 20.0), "20-40m": (20.0, 40.0), "40+m": (40.0, math.inf)}  # horizontal range


def within(points: np.ndarray, start_m: float, stop_m: float) -> np.ndarray:
    """(N,) bool: horizontal range of (N, 2 or more) points from the sensor in [start, stop)."""
    range_m = np.hypot(points[:, 0], points[:, 1])
    return np.asarray((range_m >= start_m) & (range_m < stop_m))


def band_of(range_m: np.ndarray) -> np.ndarray:
    """(N,) int64 index in BANDS_M of each horizontal range [m]."""
    return np.searchsorted([start_m for start_m, _ in BANDS_M.values()], range_m, side="right").astype(np.int64) - 1
