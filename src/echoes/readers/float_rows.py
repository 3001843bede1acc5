"""Rows of little-endian float32 in a file that tells no columns, as of KITTI, and whether they are as wide as was said.

Bytes that divide by the size of a row do not tell that: 7 rows of 8 numbers are 8 rows of 7. The columns of a file
differ in size, so the column explains a part of the variance of all numbers: of their ranks, which a few large ones do
not bend, the correlation ratio (Fisher 1925, section 45). Rows of another width mix the columns, and explain less.
"""

from pathlib import Path

import numpy as np

WIDTHS = range(3, 17)  # that are tried
NUMBERS = 20_000  # of a file tell
LEAST = 0.1  # part of the variance that another width has to explain
TIMES = 2.0  # as much as the one that was said, at least
ROWS = 20  # fewer do not tell


def load(path: Path, columns: int) -> np.ndarray:
    """(N, columns) float32. Raises ValueError for bytes that do not divide, and for rows that have another width."""
    size = path.stat().st_size
    if columns < 1 or size % (4 * columns):
        raise ValueError(f"{size} bytes")
    rows = np.fromfile(path, "<f4").reshape(-1, columns)
    if other := told_width(rows):
        raise ValueError(f"numbers that repeat after {other}, so rows of {other}")
    return rows


def told_width(rows: np.ndarray) -> int | None:
    """Another width than that of the rows (N, K) that their numbers tell; None where they do not.

    A multiple of K is none: of what alternates from point to point, as the layers of a LiDAR do, it explains more.
    """
    columns = rows.shape[1]
    flat = rows[: NUMBERS // columns].ravel()
    ranks = _ranks(flat)
    explained = {width: _explained(ranks, width) for width in {*WIDTHS, columns} if len(ranks) >= ROWS * width}
    if columns not in explained:
        return None
    others = {width: part - 3 * width / len(ranks) for width, part in explained.items() if width % columns}
    best = max(others, key=lambda width: others[width], default=columns)
    found = others.get(best, 0.0)
    return best if found > LEAST and found > TIMES * explained[columns] else None


def _ranks(numbers: np.ndarray) -> np.ndarray:
    """(M,) ranks, the mean one of numbers that are alike; all NaN are."""
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - counts / 2)[places])


def _explained(ranks: np.ndarray, width: int) -> float:
    """The part of the variance of all numbers that their columns explain."""
    table = ranks[: len(ranks) // width * width].reshape(-1, width)
    variance = float(table.var())
    return float(table.mean(axis=0).var()) / variance if variance > 0 else 0.0
