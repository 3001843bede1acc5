"""After which speed the Doppler of a recording repeats, told from its points alone.

Doppler that repeats has hard edges: what lies beyond one comes back at the other, so that both ends of its range are as
full as what lies between them, and the range is the span. The edges alone may be those of clutter; so the points have
to agree better on one ego velocity modulo that span than as it was declared (Kellner et al. 2013, as in ego_motion).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from echoes.readers import ego_motion
from echoes.readers.ego_motion import Doppler

END, FULL = 0.05, 0.2  # share of the range at either end, and its density relative to the average, at least
OUTSIDE = 0.001  # share of values at either end that may lie beyond the edges
ALIKE = 0.02  # relative difference of two spans that are one
FRAMES, POINTS = 12, 20  # that are fitted; fewer points do not tell
BETTER = 0.05  # share of static points that tells two fits apart
SOME = 0.2  # share of the frames: a span shows where the radar is faster than half of it
LEAST = 0.3  # share of static points, beyond those by chance: fewer are none
RUNGS = 8  # points at a value: then there are steps, and the last one belongs to the span


@dataclass(frozen=True)
class Repeating:
    """span_mps: found; static, declared: shares of static points with it, and as declared, less those by chance."""

    span_mps: float
    static: float
    declared: float


def repeating(radars: Sequence[np.ndarray], doppler: Doppler) -> Repeating | None:
    """The span of the Doppler of frames (N, 5); None where there is none, or the declared one.

    doppler  as it was declared.
    """
    told = [radar for radar in radars if len(radar) >= POINTS]
    span_mps = edges(np.concatenate([radar[:, 3] for radar in told])) if told else None
    known = doppler.span_mps
    if span_mps is None or span_mps <= 4 * doppler.static_mps or (known and abs(span_mps / known - 1) < ALIKE):
        return None
    chosen = [told[i] for i in np.unique(np.linspace(0, len(told) - 1, min(FRAMES, len(told))).round().astype(int))]
    wrapped = replace(doppler, span_mps=span_mps)
    found, declared = (np.array([_static(radar, each) for radar in chosen]) for each in (wrapped, doppler))
    better = (found >= LEAST) & (found > declared + BETTER)
    if better.sum() < max(1.0, SOME * len(chosen)) or better.sum() <= 2 * (declared > found + BETTER).sum():
        return None
    return Repeating(span_mps, *(float(np.median(share[better])) for share in (found, declared)))


def edges(doppler_mps: np.ndarray) -> float | None:
    """The width of the range of values (N,) [m/s] with hard edges at both ends; None where it thins out at one.

    A few values beyond them, which no radar of that span would tell, are passed over: it is then a little too small.
    """
    for outside in (0.0, OUTSIDE):
        low, high = map(float, np.quantile(doppler_mps, (outside, 1 - outside)))
        inside = doppler_mps[(doppler_mps >= low) & (doppler_mps <= high)]
        end = END * (high - low)
        ends = [np.count_nonzero(inside < low + end), np.count_nonzero(inside > high - end)]
        if high > low and min(ends) >= FULL * END * len(inside):
            values, counts = np.unique(inside, return_counts=True)
            return high - low + (float(np.median(np.diff(values))) if np.median(counts) >= RUNGS else 0.0)
    return None


def _static(radar: np.ndarray, doppler: Doppler) -> float:
    """The share of the points that agree on one ego velocity, without those that do by chance; 0 for none."""
    fit = ego_motion.estimate(radar, doppler)
    if fit is None:
        return 0.0
    chance = 0.0 if doppler.span_mps is None else min(0.9, 2 * doppler.static_mps / doppler.span_mps)
    return (float(fit.static.mean()) - chance) / (1 - chance)
