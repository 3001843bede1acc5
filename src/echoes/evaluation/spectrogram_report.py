"""Generated spectrograms against real ones: the flat block of numbers of one method."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echoes import seeds
from echoes.evaluation import bootstrap, classification, manifolds, spectrograms
from echoes.evaluation.distributions import frechet, kid
from echoes.evaluation.spectrograms import Motion

DEVIATIONS = 1.96  # on each side of a normal distribution hold 95 %


@dataclass(frozen=True)
class Classified:
    """N spectrograms as the report sees them.

    labels       (N, kinds) integers: what they show; of generated ones, what was asked for.
    features     (N, K) of the classifier whose features distances are measured in.
    predictions  (N, kinds) integers: the labels that the other classifier recognises.
    """

    labels: np.ndarray
    features: np.ndarray
    predictions: np.ndarray
    motion: Motion

    def take(self, which: np.ndarray) -> "Classified":
        return Classified(self.labels[which], self.features[which], self.predictions[which], self.motion.take(which))


def block(
    method: Classified, chosen: np.ndarray, reference: Classified, kinds: Sequence[str], seed: int, resamples: int
) -> dict[str, float | None]:
    """Every number of one method, those with an interval followed by `_lo` and `_hi` (95 %).

    method     all its spectrograms: accuracies are over all of them.
    chosen     (M,) indices of those whose distribution is compared with that of `reference`: for a Frechet
               distance whose bias is the same for all methods, always as many as the reference has.
    kinds      names of the kinds of labels; quantities of motion are compared per label of the last one.

    Labels being alike on both sides, the kernel distance of real to real lies a little below 0.
    Intervals of accuracies are percentiles of the bootstrap; those of distances are normal, of the bootstrap's
    standard error (Efron & Tibshirani 1993, Ch. 13.2), because a resampled set, having samples twice, is always
    further away than the set itself.
    """
    compared = method.take(chosen)
    if len(chosen) != len(reference.labels):
        raise ValueError(f"expected as many as the reference's {len(reference.labels)}, got {len(chosen)} spectrograms")
    measured = distances(compared, reference)
    errors = _standard_errors(compared, reference, seed, resamples)
    spread = {name: _normal(name, measured[name], errors[name]) for name in measured}
    report = spread.pop("frechet") | spread.pop("kid")
    report |= manifolds.precision_recall_density_coverage(reference.features, compared.features)
    for i, kind in enumerate(kinds):
        report |= accuracy(f"{kind}_accuracy", method.labels[:, i], method.predictions[:, i], seed, resamples)
    for values in spread.values():
        report |= values
    return report


def accuracy(
    key: str, labels: np.ndarray, predictions: np.ndarray, seed: int, resamples: int
) -> dict[str, float | None]:
    """`key`, the share of (N,) predictions that are right, with its interval."""
    classes = int(max(labels.max(), predictions.max())) + 1
    lo, hi = bootstrap.interval((labels == predictions).astype(np.float64), seed, resamples)
    return {key: classification.accuracy(labels, predictions, classes), f"{key}_lo": lo, f"{key}_hi": hi}


def distances(compared: Classified, reference: Classified) -> dict[str, float]:
    """Distances of two sets: of features, and of the quantities of motion per label of the last kind."""
    return {
        "frechet": frechet(compared.features, reference.features),
        "kid": kid(compared.features, reference.features),
        **spectrograms.distances(compared.motion, compared.labels[:, -1], reference.motion, reference.labels[:, -1]),
    }


def _standard_errors(compared: Classified, reference: Classified, seed: int, resamples: int) -> dict[str, float]:
    """Standard deviation of `distances` over resamples of both sets, drawn within each label of the last kind."""
    found = []
    for i in range(resamples):
        rng = seeds.rng(seed, "bootstrap distances", i)
        found.append(
            distances(*(judged.take(_resampled(judged.labels[:, -1], rng)) for judged in (compared, reference)))
        )
    return {name: float(np.std([values[name] for values in found])) for name in found[0]}


def _resampled(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N,) indices with replacement, as many of each label as there are."""
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.concatenate([rng.choice(group, len(group)) for group in groups])


def _normal(key: str, value: float, error: float) -> dict[str, float | None]:
    """`key` with its interval; only the kernel distance, being unbiased, may be negative."""
    lo, hi = value - DEVIATIONS * error, value + DEVIATIONS * error
    return {key: value, f"{key}_lo": lo if key == "kid" else max(lo, 0.0), f"{key}_hi": hi}
