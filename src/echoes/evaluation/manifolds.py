"""How well generated features cover real ones, and whether they copy those that the model was trained on."""

import numpy as np
from scipy.spatial.distance import cdist

from echoes.evaluation.halves import NEAREST
from echoes.evaluation.parts import parts


def precision_recall_density_coverage(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    """`precision recall` (Kynkaanniemi et al. 2019, Eq. 1) and `density coverage` (Naeem et al. 2020, Sec. 3) of (N, K)
    and (M, K) features.

    The ball around a sample reaches its NEAREST-th neighbour in its own set, as in both papers. Two draws from one
    distribution have a density around 1 and the coverage of their Lemma 2. Takes time for N^2 distances, and memory for
    those of two parts.
    """
    for name, features in (("real", real), ("generated", generated)):
        if len(features) <= NEAREST:
            raise ValueError(f"expected more than {NEAREST} {name} samples, got {len(features)}")
    reach, reach_of_generated = _reaches(real), _reaches(generated)
    balls = np.zeros(len(generated), np.int64)  # around real samples, that hold each generated one
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for i in parts(len(real)):
        for j in parts(len(generated)):
            distances = cdist(real[i], generated[j])
            held = distances < reach[i, None]
            balls[j] += held.sum(axis=0)
            covered[i] |= held.any(axis=1)
            recalled[i] |= (distances < reach_of_generated[j]).any(axis=1)
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls.mean() / NEAREST),
        "coverage": float(covered.mean()),
    }


def nearest_ratio(generated: np.ndarray, held_out: np.ndarray, train: np.ndarray) -> float:
    """Mean distance of generated features to the nearest of the training set, in units of that of held-out ones.

    1: as new as unseen recordings; towards 0: copies of the training set; above 1: off the data.
    """
    near, expected = (_nearest(features, train).mean() for features in (generated, held_out))
    if not expected > 0:
        raise ValueError("expected held-out features that differ from those of the training set")
    return float(near / expected)


def _reaches(features: np.ndarray) -> np.ndarray:
    """(N,) distance of each sample to its NEAREST-th neighbour in its own set; the first of the nearest is itself."""
    found = []
    for i in parts(len(features)):
        nearest = np.empty((i.stop - i.start, 0))
        for j in parts(len(features)):
            closer = np.concatenate([nearest, cdist(features[i], features[j])], axis=1)
            nearest = np.partition(closer, min(NEAREST, closer.shape[1] - 1), axis=1)[:, : NEAREST + 1]
        found.append(nearest.max(axis=1))
    return np.concatenate(found)


def _nearest(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) distance of each sample to the nearest of the others."""
    columns = parts(len(others))
    rows = [[cdist(features[i], others[j]).min(axis=1) for j in columns] for i in parts(len(features))]
    return np.concatenate([np.min(row, axis=0) for row in rows])
