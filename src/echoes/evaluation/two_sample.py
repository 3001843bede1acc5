"""Classifier two-sample test: whether a classifier can tell two sets of samples apart (Lopez-Paz and Oquab 2017)."""

import numpy as np
from scipy.optimize import minimize

RIDGE = 1.0  # on weights of features of deviation 1: as many samples as there are would fit any labels without it

Sets = tuple[np.ndarray, np.ndarray]


def accuracy(train: Sets, test: Sets) -> float:
    """Accuracy on two sets (N, K), (M, K) of features of a logistic regression that was fitted to two others.

    0.5 where both are of one distribution, with a deviation of about 0.5 / sqrt(N + M) (their Sec. 3); 1 where they can
    be told apart. The sets of each pair are as large. Half of the samples that lie on the border count as right.
    """
    for name, sets in (("train", train), ("test", test)):
        if len(sets[0]) != len(sets[1]) or not len(sets[0]):
            raise ValueError(f"{name}: expected two sets of equally many samples, got {len(sets[0])}, {len(sets[1])}")
    x, y = _joined(train)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    weights, bias = logistic((x - mean) / deviation, y)
    x, y = _joined(test)
    score = ((x - mean) / deviation @ weights + bias) * y
    return float((np.sign(score) + 1).mean() / 2)


def logistic(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """(K,) weights and bias of least sum of log(1 + exp(-y (w x + b))) + RIDGE |w|^2 / 2, of (N, K) and signs (N,)."""

    def loss(found: np.ndarray) -> tuple[float, np.ndarray]:
        margin = y * (x @ found[:-1] + found[-1])
        pull = -y / (1 + np.exp(np.clip(margin, -500, 500)))
        value = np.logaddexp(0, -margin).sum() + RIDGE * (found[:-1] ** 2).sum() / 2
        return float(value), np.append(x.T @ pull + RIDGE * found[:-1], pull.sum())

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return found[:-1], float(found[-1])


def _joined(sets: Sets) -> tuple[np.ndarray, np.ndarray]:
    """The samples of both and their signs: -1 for the first, 1 for the second."""
    signs = np.repeat([-1.0, 1.0], [len(one) for one in sets])
    return np.concatenate(sets).astype(np.float64), signs
