"""Distances between distributions: of histograms, and of given features of two sets of samples."""

from collections.abc import Callable

import numpy as np
from scipy.special import rel_entr

from echoes.evaluation.parts import parts

# (n, K) and (m, K) samples -> (n, m), how alike each of the ones is to each of the others.
Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
DISJOINT_JSD = float(np.sqrt(np.log(2)))  # Jensen-Shannon distance of distributions that share nothing


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> float:
    """Jensen-Shannon distance of two histograms of equal shape: the root of the divergence in nats, 0..sqrt(ln 2).

    Counts are normalised here. An empty histogram is as far as can be from one that is not, and equal to
    another empty one. (scipy.spatial.distance.jensenshannon agrees elsewhere; it is NaN for empty ones, and
    for near-equal ones where rounding makes the divergence negative.)
    """
    p, q = (np.asarray(counts, dtype=np.float64).ravel() for counts in (first, second))
    if not p.sum() or not q.sum():
        return 0.0 if p.sum() == q.sum() else DISJOINT_JSD
    p, q = p / p.sum(), q / q.sum()
    mean = (p + q) / 2
    divergence = (rel_entr(p, mean).sum() + rel_entr(q, mean).sum()) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """Frechet distance of Gaussians fitted to (N, K) and (M, K) features (Heusel et al. 2017, Eq. 6).

    Biased upwards by about (2 K + K (K + 1) / 2) / N for two sets of N whitened features: compare at equal N.
    """
    moments = [(x.mean(axis=0), np.atleast_2d(np.cov(x, rowvar=False))) for x in _checked(first, second)]
    return frechet_of_gaussians(*moments[0], *moments[1])


def frechet_of_gaussians(
    mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other_covariance: np.ndarray
) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), from (K,) means and (K, K) covariances.

    The product is symmetric, so its root needs eigenvalues only and stays real where C1 C2 has none.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T  # rounding makes zeros slightly negative
    product = np.linalg.eigvalsh(root @ other_covariance @ root).clip(min=0)
    shift = ((mean - other_mean) ** 2).sum()
    return float(shift + np.trace(covariance) + np.trace(other_covariance) - 2 * np.sqrt(product).sum())


def kid(first: np.ndarray, second: np.ndarray) -> float:
    """Kernel distance of (N, K) and (M, K) features: unbiased squared MMD with the polynomial kernel
    (x.y / K + 1)^3 (Binkowski et al. 2018, Sec. 4). Its mean is 0 for equal distributions, so it may be negative.
    """
    return mmd2(*_checked(first, second), _cubic)


def mmd2(first: np.ndarray, second: np.ndarray, kernel: Kernel) -> float:
    """Unbiased squared maximum mean discrepancy of (N, K) and (M, K) samples (Gretton et al. 2012, Eq. 3): a sample and
    itself do not count. Takes time for all pairs, and memory for those of two parts.
    """
    inner = []
    for samples in (first, second):
        total, diagonal = _sums(samples, samples, kernel)
        inner.append((total - diagonal) / (len(samples) * (len(samples) - 1)))
    between, _ = _sums(first, second, kernel)
    return float(sum(inner) - 2 * (between / (len(first) * len(second))))


def _sums(first: np.ndarray, second: np.ndarray, kernel: Kernel) -> tuple[float, float]:
    """Of the kernel between all pairs, and between the samples that have the same place in both sets."""
    total = diagonal = 0.0
    for i in parts(len(first)):
        for j in parts(len(second)):
            values = kernel(first[i], second[j])
            total += values.sum()
            diagonal += np.trace(values) if i == j else 0.0
    return total, diagonal


def _cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray((x @ y.T / x.shape[1] + 1) ** 3)


def _checked(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.asarray(features, dtype=np.float64) for features in (first, second))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(f"expected (N, K) and (M, K) features of at least 2 samples each, got {x.shape} and {y.shape}")
    return x, y
