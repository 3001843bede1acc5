"""How well generated features cover real ones, and whether they copy those that the model was trained on."""

import io
from contextlib import redirect_stdout

import numpy as np
from prdc import compute_prdc
from scipy.spatial.distance import cdist

from echoes.evaluation.halves import NEAREST


def precision_recall_density_coverage(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    """`precision recall` (Kynkaanniemi et al. 2019) and `density coverage` (Naeem et al. 2020) of (N, K) features.

    The ball around a sample reaches its NEAREST-th neighbour in its own set, as in both papers. Two draws from one
    distribution have a density around 1 and the coverage of their Lemma 2. Takes memory for N^2 distances.
    """
    for name, features in (("real", real), ("generated", generated)):
        if len(features) <= NEAREST:
            raise ValueError(f"expected more than {NEAREST} {name} samples, got {len(features)}")
    with redirect_stdout(io.StringIO()):  # the library prints
        found = compute_prdc(real.astype(np.float64), generated.astype(np.float64), nearest_k=NEAREST)
    return {name: float(found[name]) for name in ("precision", "recall", "density", "coverage")}


def nearest_ratio(generated: np.ndarray, held_out: np.ndarray, train: np.ndarray) -> float:
    """Mean distance of generated features to the nearest of the training set, in units of that of held-out ones.

    1: as new as unseen recordings; towards 0: copies of the training set; above 1: off the data.
    """
    near, expected = (cdist(features, train).min(axis=1).mean() for features in (generated, held_out))
    if not expected > 0:
        raise ValueError("expected held-out features that differ from those of the training set")
    return float(near / expected)
