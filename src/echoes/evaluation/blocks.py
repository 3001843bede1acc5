"""Intervals of means of values that come in blocks: frames of one stretch of a drive depend on each other."""

import numpy as np

from echoes import seeds
from echoes.errors import InputError

INTERVAL = (0.025, 0.975)
MIN_RESAMPLES = 40  # resamples: one of them is to lie beyond each end of the interval


def require_resamples(count: int) -> None:
    """For a check in __post_init__: raises InputError for fewer resamples than a 95 % interval takes.

    The percentiles of fewer are their extremes, and what was measured may well lie outside of them.
    """
    if count < MIN_RESAMPLES:
        raise InputError(f"resamples: expected at least {MIN_RESAMPLES}, which a 95 % interval takes, got {count}")


def block_interval(
    values: np.ndarray, blocks: np.ndarray, seed: int, resamples: int
) -> tuple[float, float] | tuple[None, None]:
    """95 % percentile interval of the mean of (N,) values, over resamples of whole blocks.

    blocks  (N,) the number of the block that each value is of; any whole numbers.

    As many blocks as there are are drawn with replacement, and the mean is over the values of all that were drawn, so
    that a long block weighs as much as its values (Davison & Hinkley 1997, Sec. 3.8). The draws depend on the seed and
    on the number of blocks alone. A single block is its own interval; no value has (None, None).
    """
    if not len(values):
        return None, None
    lo, hi = np.quantile(_means(values, blocks, seed, resamples), INTERVAL)
    return float(lo), float(hi)


def ratio_interval(
    values: np.ndarray, others: np.ndarray, blocks: np.ndarray, seed: int, resamples: int
) -> tuple[float, float] | tuple[None, None]:
    """The same of the ratio of two means, of values and others (N,) that were measured in the same frames.

    Both are resampled alike. (None, None) where the mean of the others is 0 in a resample, or there is none.
    """
    if not len(values):
        return None, None
    below = _means(others, blocks, seed, resamples)
    if not below.all():
        return None, None
    lo, hi = np.quantile(_means(values, blocks, seed, resamples) / below, INTERVAL)
    return float(lo), float(hi)


def _means(values: np.ndarray, blocks: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """(resamples,) means of the values of as many whole blocks as there are, drawn with replacement."""
    block = np.unique(blocks, return_inverse=True)[1]
    counts, sums = np.bincount(block), np.bincount(block, values)
    drawn = seeds.rng(seed, "blocks", len(counts)).integers(0, len(counts), (resamples, len(counts)))
    return np.asarray(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
