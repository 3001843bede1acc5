"""How much the probability of a cell listens to the radar and to each model, learned per range band.

    logit p = sum_k w_k logit_k + b        with w_k >= 0, one set of weights per range band

Platt's scaling (1999) with several inputs: with one input it corrects confidence alone, with several it also
weighs them. A weight below 0 would say that the more a model believes in a cell the less likely it is; an
input of which that, or nothing, comes out is not used in that band, and neither is one that does not help on
stretches of road it was not fitted to. Weights that are 0 are therefore statements: `Gate.used`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from echoes.errors import InputError
from echoes.evaluation.bands import BANDS_M

PRECISION = 1e-12  # of the mean log-likelihood [nats per cell], at which Newton's steps end
STEPS = 100  # of Newton's method, which needs about ten


@dataclass(frozen=True)
class Band:
    """Weights, one per input and none below 0, and bias of one range band of BANDS_M."""

    name: str
    weights: tuple[float, ...]
    bias: float


@dataclass(frozen=True)
class Gate:
    """inputs: names of the K inputs; bands: one per range band, in the order of BANDS_M."""

    inputs: tuple[str, ...]
    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        names = tuple(band.name for band in self.bands)
        if names != tuple(BANDS_M):
            raise InputError(f"bands: expected {', '.join(BANDS_M)}, got {', '.join(names)}")
        for band in self.bands:
            if len(band.weights) != len(self.inputs) or not all(weight >= 0 for weight in band.weights):
                wanted = f"{len(self.inputs)} weights of at least 0 in {band.name}"
                raise InputError(f"bands: expected {wanted}, got {list(band.weights)}")

    def used(self, band: str, name: str) -> bool:
        """Whether the input of this name has a say in this band."""
        weights = {b.name: b.weights for b in self.bands}[band]
        return weights[self.inputs.index(name)] > 0


@dataclass(frozen=True)
class Samples:
    """Cells to fit a gate to.

    logits     (M, K) finite.
    occupied   (M,) bool: what was there.
    band       (M,) integers, index in BANDS_M.
    weight     (M,) how many cells each stands for, such as 4 where one in four was drawn.
    block      (M,) integers: the stretch of road (or the recording) a cell is from. Neighbouring frames show the
               same things, so a held-out part is a stretch; a few to a few dozen of them.
    """

    logits: np.ndarray
    occupied: np.ndarray
    band: np.ndarray
    weight: np.ndarray
    block: np.ndarray

    def take(self, which: np.ndarray) -> "Samples":
        return Samples(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def join(parts: Sequence[Samples]) -> Samples:
    """The cells of all parts, such as frames, in their order."""
    return Samples(*(np.concatenate([getattr(p, name) for p in parts]) for name in Samples.__dataclass_fields__))


def fit(samples: Samples, inputs: tuple[str, ...], ridge: float) -> Gate:
    """The gate of the largest penalised likelihood, with the inputs that help.

    ridge   more than 0: the penalty is ridge / 2 times the squared distance of weights and bias to "trust the
            first input as it is" (weight 1, others 0, bias 0), against a sum over cells. So a band without cells
            trusts the first input, one with few does nearly so, and cells that can be separated have finite weights.

    In each band inputs whose held-out gain fails are left out one at a time, that of the smallest gain next and the
    first input last: it must gain anything, each other one more than its standard error (the rule of one standard
    error, Breiman et al. 1984, Sec. 3.4.3; a useless input has a gain above 0 by chance). Where fewer than two
    stretches have cells nothing is held out, hence nothing but the first input is shown to help.
    """
    if samples.logits.shape[1] != len(inputs):
        raise ValueError(f"inputs: expected {samples.logits.shape[1]} names, got {', '.join(inputs)}")
    if not np.isfinite(samples.logits).all() or not ridge > 0:
        raise ValueError(f"expected finite logits and a ridge above 0, got NaN or infinity, or a ridge of {ridge}")
    bands = []
    for i, name in enumerate(BANDS_M):
        here = _weighted(samples.take(samples.band == i))
        *weights, bias = (float(value) for value in _coefficients(here, _helpful(here, ridge), ridge))
        bands.append(Band(name, tuple(weights), bias))
    return Gate(inputs, tuple(bands))


def _weighted(samples: Samples) -> Samples:
    """Those that stand for something, in float64."""
    kept = samples.take(samples.weight > 0)
    return replace(kept, logits=kept.logits.astype(np.float64), weight=kept.weight.astype(np.float64))


def _helpful(samples: Samples, ridge: float) -> list[int]:
    """Inputs of one band that are left when those that do not help are taken out, the worst first, the first last."""
    used = list(range(samples.logits.shape[1]))
    if len(np.unique(samples.block)) < 2:
        return used[:1]
    while used:
        gains, errors = _gains(samples, used, ridge)
        failing = {k: gains[i] for i, k in enumerate(used) if gains[i] <= (errors[i] if k else 0)}
        if not failing:
            break
        used.remove(min(failing, key=lambda k: (k == 0, failing[k])))
    return used


def _gains(samples: Samples, used: list[int], ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Held-out gain of each used input over the other used ones in one band, and its standard error.

    The gain is a ratio of sums over stretches, of gains and of cells, and so is its error (Cochran 1977, Eq. 6.13).
    """
    blocks = np.unique(samples.block)
    if len(blocks) < 2:
        return np.full(len(used), np.nan), np.full(len(used), np.nan)
    total, cells = np.zeros((len(blocks), len(used))), np.zeros(len(blocks))
    for b, block in enumerate(blocks):
        rest, held_out = samples.take(samples.block != block), samples.take(samples.block == block)
        cells[b] = held_out.weight.sum()
        full = _log_likelihood(held_out, _coefficients(rest, used, ridge))
        for i, left_out in enumerate(used):
            without = _coefficients(rest, [k for k in used if k != left_out], ridge)
            total[b, i] = full - _log_likelihood(held_out, without)
    gains = total.sum(axis=0) / cells.sum()
    spread = ((total - gains * cells[:, None]) ** 2).sum(axis=0)
    return gains, np.sqrt(spread * len(blocks) / (len(blocks) - 1)) / cells.sum()


def _coefficients(samples: Samples, used: list[int], ridge: float) -> np.ndarray:
    """(K + 1,) weights and bias of one band: the likeliest with no weight below 0, 0 for what is not used.

    The input of the lowest weight is dropped and the rest fitted again until no weight is 0 or less.
    """
    prior = np.zeros(samples.logits.shape[1] + 1)
    prior[0] = 1.0
    found = np.zeros_like(prior)
    while True:
        columns = [*used, len(prior) - 1]
        found[columns] = _newton(samples, columns, prior[columns], ridge)
        negative = [k for k in used if found[k] <= 0]
        if not negative:
            return found
        worst = min(negative, key=found.__getitem__)
        used = [k for k in used if k != worst]
        found[worst] = 0.0


def _newton(samples: Samples, columns: list[int], prior: np.ndarray, ridge: float) -> np.ndarray:
    """Maximise the penalised log-likelihood by Newton's method with halved steps (Boyd & Vandenberghe 2004, Alg. 9.5).

    columns   of the logits followed by ones, the bias; prior (J,) their coefficients without cells.
    """
    if not len(samples.weight):
        return prior
    design = np.column_stack([samples.logits, np.ones(len(samples.weight))])[:, columns]
    share, pull = samples.weight / samples.weight.sum(), ridge / samples.weight.sum()

    def loss(theta: np.ndarray) -> float:
        return float(share @ _surprise(design @ theta, samples.occupied) + pull / 2 * ((theta - prior) ** 2).sum())

    theta = prior
    for _ in range(STEPS):
        p = expit(design @ theta)
        slope = design.T @ (share * (p - samples.occupied)) + pull * (theta - prior)
        curvature = (design * (share * p * (1 - p))[:, None]).T @ design + pull * np.eye(len(theta))
        step = np.linalg.solve(curvature, slope)
        decrement = float(slope @ step)
        if decrement < PRECISION:
            return theta
        length = 1.0
        while loss(theta - length * step) > loss(theta) - length * decrement / 4:
            length /= 2
        theta = theta - length * step
    raise AssertionError("the penalised likelihood is strictly concave, so Newton's method ends")


def _log_likelihood(samples: Samples, coefficients: np.ndarray) -> float:
    """Sum over cells [nats], each as often as it stands for."""
    logits = samples.logits @ coefficients[:-1] + coefficients[-1]
    return -float(samples.weight @ _surprise(logits, samples.occupied))


def _surprise(logits: np.ndarray, occupied: np.ndarray) -> np.ndarray:
    """(M,) -log of the probability given to what was there."""
    return np.asarray(np.logaddexp(0, np.where(occupied, -logits, logits)))
