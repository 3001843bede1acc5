"""Which cells are occupied, by the probability of each: read-outs that need no threshold.

They hold as far as the probability can be believed. That of the gate is of all cells of the grid, and one that no ray
of the LiDAR reached counts as empty there: its sum is how many cells a LiDAR would show.
"""

import numpy as np
from scipy.special import expit, logit

LEAST = 1e-6  # a probability nearer to 0 or 1 is as good as that


def best_overlap(probability: np.ndarray) -> np.ndarray:
    """(M, 3) cells of (D, H, W) with the best expected IoU: the most probable ones down to some number.

    Of the k most probable, with the sum S of their probabilities, the intersection with what is there is S in the mean
    and the union k + (sum of all) - S; the best ratio of these is taken. Its threshold is J / (1 + J) at an IoU of J,
    as that of the best F1 is half of it (Lipton et al. 2014, Theorem 1).
    """
    order, sorted_p = _ordered(probability)
    inside = np.cumsum(sorted_p)
    overlap = inside / (np.arange(1, len(order) + 1) + inside[-1] - inside)
    return _cells(order[: np.argmax(overlap) + 1], probability)


def as_many(ranked: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """(M, 3) cells that come first by `ranked` (D, H, W): as many as are there in the mean by `probability`."""
    return _cells(_ordered(ranked)[0][: round(float(probability.sum(dtype=np.float64)))], probability)


def blended(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """The probability whose log odds are those of two, mixed: `share` of the second (Genest and Zidek 1986, Sec. 3)."""
    odds = [logit(np.clip(p.astype(np.float64), LEAST, 1 - LEAST)) for p in (first, second)]
    return np.asarray(expit((1 - share) * odds[0] + share * odds[1]))


def blended_cells(probability: np.ndarray, sampled: np.ndarray, share: float) -> np.ndarray:
    """(M, 3) cells of both (D, H, W) together, `share` of the sample: as many as are there by the `probability`."""
    return as_many(blended(probability, sampled, share), probability)


def _ordered(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of all cells, the most probable first, equal ones in their order; and their probabilities."""
    flat = probability.astype(np.float64).ravel()
    order = np.argsort(-flat, kind="stable")
    return order, flat[order]


def _cells(flat: np.ndarray, of: np.ndarray) -> np.ndarray:
    """(M, 3) indices in the order of the grid."""
    return np.stack(np.unravel_index(np.sort(flat), of.shape), axis=1)
