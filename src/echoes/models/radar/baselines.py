"""What a model has to beat: the target of the most similar training frame."""

from collections.abc import Iterator

import numpy as np


def nearest_train(descriptors: Iterator[tuple[int, np.ndarray]], wanted: np.ndarray) -> np.ndarray:
    """(T,) the training frame whose input is most like each of `wanted` (T, K), by cosine of their descriptors."""
    best, found = np.full(len(wanted), -np.inf), np.zeros(len(wanted), np.int64)
    for frame, descriptor in descriptors:
        likeness = wanted @ descriptor
        closer = likeness > best
        best[closer], found[closer] = likeness[closer], frame
    return found


def descriptor(indices: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(K,) of length 1: square roots of the input's cells, counted in columns of 4 x 4 and smoothed over neighbours.

    indices (M, 3) of the occupied cells; shape (D, H, W) of the grid.
    """
    height, width = shape[1] // 4, shape[2] // 4
    counts = np.zeros((height + 2, width + 2))
    np.add.at(counts, (indices[:, 1] // 4 + 1, indices[:, 2] // 4 + 1), 1.0)
    counts = np.sqrt(counts)
    smooth = counts[:-2] + 2 * counts[1:-1] + counts[2:]
    smooth = (smooth[:, :-2] + 2 * smooth[:, 1:-1] + smooth[:, 2:]).ravel()
    return smooth / max(float(np.linalg.norm(smooth)), 1e-12)
