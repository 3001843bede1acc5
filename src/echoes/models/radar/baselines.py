"""What a model has to beat: the target of the most similar training frame, and a LiDAR thinned to a radar."""

from collections.abc import Iterator

import numpy as np

NEAR = 100  # training cells at about the range of a point, one of which it takes its Doppler and its power from


def thinned(
    points: np.ndarray, count: int, range_m: np.ndarray, measured: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(P, 5) float32 x, y, z [m], Doppler [m/s], power [dB] of `count` points of a LiDAR (N, 4), or all, at random.

    range_m   (K,) horizontal range of the training cells, in ascending order; measured (K, 2) their Doppler and power.
    """
    chosen = points[rng.choice(len(points), min(count, len(points)), replace=False), :3]
    place = np.searchsorted(range_m, np.hypot(chosen[:, 0], chosen[:, 1]))
    place += rng.integers(-NEAR // 2, NEAR // 2, len(chosen), endpoint=True)
    return np.column_stack([chosen, measured[place.clip(0, len(range_m) - 1)]]).astype(np.float32)


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
