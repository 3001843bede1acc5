"""How far two ways lie apart that were tried several times on the same recordings, and how sure that is."""

import numpy as np

from echoes import seeds
from echoes.evaluation.blocks import INTERVAL


def interval(values: np.ndarray, blocks: np.ndarray, seed: int, resamples: int) -> tuple[float, float]:
    """95 % percentile interval of the mean of (S, N) values of S tries, over resamples of tries and of whole blocks.

    blocks  (N,) the number of the block that each column is of, such as its recording; any whole numbers.

    Rows and blocks of columns are drawn with replacement, each by themselves, because tries share their recordings and
    recordings their tries (the pigeonhole bootstrap, Owen 2007, which errs on the wide side). The mean is over all
    values that were drawn. The draws depend on the seed and on both numbers alone. A single try is taken as it is.
    """
    block = np.unique(blocks, return_inverse=True)[1]
    counts = np.bincount(block)
    sums = np.stack([np.bincount(block, row, len(counts)) for row in values])
    tries, size = sums.shape
    rng = seeds.rng(seed, "tries and blocks", tries, size)
    rows, columns = rng.integers(0, tries, (resamples, tries)), rng.integers(0, size, (resamples, size))
    pairs = zip(rows, columns, strict=True)
    means = [sums[row].mean(axis=0)[drawn].sum() / counts[drawn].sum() for row, drawn in pairs]
    lo, hi = np.quantile(means, INTERVAL)
    return float(lo), float(hi)
