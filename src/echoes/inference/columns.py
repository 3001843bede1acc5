"""A cloud of points with named columns, as a structured array and as plain rows."""

from collections.abc import Sequence

import numpy as np


def structured(values: np.ndarray, fields: Sequence[str]) -> np.ndarray:
    """(M, K) float32 and K names -> (M,) with a float32 field for each name."""
    point = np.dtype([(name, np.float32) for name in fields])
    return np.ascontiguousarray(values, np.float32).view(point)[:, 0]


def names(cloud: np.ndarray) -> tuple[str, ...]:
    """Of the fields of a structured array."""
    assert cloud.dtype.names is not None, "made by `structured`"
    return cloud.dtype.names


def rows(cloud: np.ndarray) -> np.ndarray:
    """(M,) with K float32 fields -> (M, K) float32."""
    return np.ascontiguousarray(cloud).view(np.float32).reshape(len(cloud), len(names(cloud)))
