"""Several samples of the same frame against what was there: how far off they are, and whether they know it.

A sample is a cloud of cells; what is compared are the shares of occupied cells in blocks, which a few samples can tell.
"""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from echoes.grids import COMPRESSION

BLOCK = COMPRESSION  # cells along each axis of a block


def shares(occupied: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """(..., N) share of the observed cells of each block that are occupied, in the blocks that have observed cells.

    occupied  (..., D, H, W) bool; observed (D, H, W) bool: unknown is not free, and is left out.
    """
    known = _sums(observed)
    return np.asarray(_sums(occupied & observed)[..., known > 0] / known[known > 0])


def crps(members: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(...) continuous ranked probability score of K members (K, ...) of an ensemble against the truth (...).

    The fair one, whose mean is least for members of the truth's own distribution, however few (Ferro 2014, Eq. 11):
    mean of |x_i - y| less half of the mean of |x_i - x_j| over i != j. Of one member it is the absolute error.
    """
    count = len(members)
    error = np.abs(members - truth).mean(axis=0)
    if count == 1:
        return np.asarray(error)
    rank = 2 * np.arange(1, count + 1) - count - 1  # sum over pairs of |x_i - x_j|, of sorted members
    apart = np.tensordot(rank, np.sort(members, axis=0), axes=1) / (count * (count - 1))
    return np.asarray(error - apart)


def energy_score(members: np.ndarray, truth: np.ndarray) -> float:
    """The same of N values together: (K, N) members against (N,) (Gneiting and Raftery 2007, Eq. 22, fair).

    Distances are root mean squares over the values, so that their number does not matter.
    """
    error = np.sqrt(((members - truth) ** 2).mean(axis=1)).mean()
    if len(members) == 1:
        return float(error)
    apart = np.sqrt(((members[:, None] - members[None]) ** 2).mean(axis=2)).sum() / (len(members) * (len(members) - 1))
    return float(error - apart / 2)


def spread_and_error(members: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Mean over N values of the variance of (K, N) members, and of the squared error of their mean against (N,).

    The variance is that of the mean's error if the truth is of the members' distribution: (K + 1) / K of the unbiased
    one (Fortin et al. 2014, Eq. 15).
    """
    count = len(members)
    variance = members.var(axis=0, ddof=1).mean() * (count + 1) / count
    return float(variance), float(((members.mean(axis=0) - truth) ** 2).mean())


def summarise(frames: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, float | None]:
    """`crps`, `member_mae`, `energy_score`, `spread_skill`, `members` of frames: (K, N) members, (N,) truth; K > 1.

    `member_mae` is the absolute error of one member. `spread_skill` is 1 where the members are spread as far as their
    mean is off, below 1 where they are too sure; None where their mean is never off.
    """
    spread, error = np.mean([spread_and_error(*frame) for frame in frames], axis=0)
    return {
        "crps": float(np.mean([crps(*frame).mean() for frame in frames])),
        "member_mae": float(np.mean([np.abs(members - truth).mean() for members, truth in frames])),
        "energy_score": float(np.mean([energy_score(*frame) for frame in frames])),
        "spread_skill": sqrt(spread / error) if error > 0 else None,
        "members": len(frames[0][0]),
    }


def _sums(cells: np.ndarray) -> np.ndarray:
    """(..., D, H, W) bool -> (..., N) how many are in each block."""
    split = [size for length in cells.shape[-3:] for size in (length // BLOCK, BLOCK)]
    sums = cells.reshape(*cells.shape[:-3], *split).sum(axis=(-5, -3, -1))
    return np.asarray(sums.reshape(*cells.shape[:-3], -1))
