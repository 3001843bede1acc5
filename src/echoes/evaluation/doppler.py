"""Errors of what a radar measures besides positions, over matched cells."""

import numpy as np


def mean_absolute_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """Mean of |predicted - true| over matched cells, both (K,); NaN where none is matched.

    Raises ValueError for a value that is not finite, which would pass for "no cell matched".
    """
    if not np.isfinite(predicted).all() or not np.isfinite(true).all():
        raise ValueError("expected finite values in matched cells, got NaN or infinity")
    return float(np.abs(predicted.astype(np.float64) - true).mean()) if len(true) else float("nan")
