"""How unlike the radar frames of its training a recording is: what differs, by how much, in its own unit.

A network answers whatever it is given. Another radar, another unit of power, Doppler of the other sign or
axes in another order show in a few scalars of each frame, which are compared here with those of the training
frames by robust deviations: (value - median) / (1.4826 median absolute deviation), which are standard
deviations where the scalar is normal (Rousseeuw & Croux 1993, Eq. 1.2) and do not mind a few broken frames.
Nothing told is no promise: the scalars do not see where the points lie among each other.
"""

from dataclasses import dataclass

import numpy as np

from echoes.errors import InputError
from echoes.evaluation.bands import BANDS_M, band_of

NORMAL = 1.4826  # standard deviations in a median absolute deviation, of a normal distribution
USUAL = 0.99  # share of the training frames that lie nearer than what is told
MIN_DEVIATIONS = 3.0  # deviations that are told, however narrow the training frames lie


@dataclass(frozen=True)
class _Scalar:
    """quantity and statistic in words; unit; the least deviation, in that unit, that is a difference at all."""

    quantity: str
    statistic: str
    unit: str
    least: float


def _quantiles(key: str, quantity: str, unit: str, least: float) -> dict[str, _Scalar]:
    words = {10: "lower tenth", 50: "median", 90: "upper tenth"}
    return {f"{key}_q{level}": _Scalar(quantity, words[level], unit, least) for level in words}


POINTS = "points_log10"
SCALARS = {
    POINTS: _Scalar("points", "median", "a frame", 0.02),  # of the decadic logarithm: 5 %
    **_quantiles("power_db", "power", "dB", 0.2),
    **_quantiles("range_m", "range", "m", 0.2),
    **_quantiles("height_m", "height", "m", 0.1),
    **{f"share_{band}": _Scalar("share of points", f"in {band}", "", 0.01) for band in BANDS_M},
    "doppler_median_mps": _Scalar("Doppler", "median", "m/s", 0.1),
    "doppler_spread_mps": _Scalar("Doppler", "spread (tenth to tenth)", "m/s", 0.1),
}


def summary(points: np.ndarray) -> np.ndarray:
    """The scalars of one frame, (K,) float64 in the order of SCALARS.

    points   (N, 5 or more) x, y, z [m], Doppler [m/s], power [dB] in the sensor frame.

    Range is horizontal. A frame without points has a number of points, counted as one half, and nothing else: NaN.
    """
    x, y, z, doppler_mps, power_db = points[:, :5].astype(np.float64).T
    values = np.full(len(SCALARS), np.nan)
    values[0] = np.log10(max(len(points), 0.5))
    if len(points):
        range_m = np.hypot(x, y)
        tenths = np.concatenate([np.quantile(v, (0.1, 0.5, 0.9)) for v in (power_db, range_m, z)])
        shares = np.bincount(band_of(range_m), minlength=len(BANDS_M)) / len(points)
        low_mps, median_mps, high_mps = np.quantile(doppler_mps, (0.1, 0.5, 0.9))
        values[1:] = [*tenths, *shares, median_mps, high_mps - low_mps]
    return values


@dataclass(frozen=True)
class Seen:
    """What the frames of the training were like, in each of K scalars.

    names       of SCALARS, in their order.
    median      of the training frames.
    deviation   robust one, at least what counts as a difference.
    limit       deviations within which 99 % of the training frames lie, at least MIN_DEVIATIONS.
    """

    names: tuple[str, ...]
    median: tuple[float, ...]
    deviation: tuple[float, ...]
    limit: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.names != tuple(SCALARS):
            raise InputError(f"names: expected {', '.join(SCALARS)}, got {', '.join(self.names)}")
        for name in ("median", "deviation", "limit"):
            if len(getattr(self, name)) != len(self.names):
                raise InputError(f"{name}: expected {len(self.names)} numbers, got {len(getattr(self, name))}")
        if not all(deviation > 0 for deviation in self.deviation):
            raise InputError(f"deviation: expected numbers above 0, got {list(self.deviation)}")

    def score(self, summaries: np.ndarray) -> np.ndarray:
        """(..., K) summaries -> (..., K) signed robust deviations from the training frames; NaN stays NaN."""
        return np.asarray((summaries - np.array(self.median)) / np.array(self.deviation))

    def unlike(self, summaries: np.ndarray) -> np.ndarray:
        """(..., K) bool: farther from the training frames than all but 1 % of them were."""
        return np.abs(self.score(summaries)) > np.array(self.limit)

    def tell(self, summaries: np.ndarray) -> list[str]:
        """A line for each quantity in which a recording is unlike the training, the farthest first; none if alike.

        summaries   (F, K) of the frames of one recording.

        The median over its frames is judged, not each frame: a recording has rare frames, as the training had. Of
        several scalars of a quantity the farthest stands for it.
        """
        middle = _quantile(summaries, 0.5)
        away, unlike = np.abs(self.score(middle)), self.unlike(middle)
        told: dict[str, str] = {}
        for k in np.argsort(-np.nan_to_num(away), kind="stable"):
            scalar = SCALARS[self.names[k]]
            if unlike[k] and scalar.quantity not in told:
                here, there = (_shown(self.names[k], value) for value in (middle[k], self.median[k]))
                compared = f"{scalar.statistic} {here}, {there} in training"
                told[scalar.quantity] = f"{scalar.quantity}: {compared}: {away[k]:.0f} deviations"
        return list(told.values())


def fit(summaries: np.ndarray) -> Seen:
    """What (F, K) summaries of the frames of the training were like."""
    if not np.isfinite(summaries).all(axis=1).any():
        raise ValueError(f"summaries: expected a frame with points, got none in {len(summaries)} frames")
    median = _quantile(summaries, 0.5)
    least = np.array([scalar.least for scalar in SCALARS.values()])
    apart = np.abs(summaries - median)
    deviation = np.maximum(NORMAL * _quantile(apart, 0.5), least)
    limit = np.maximum(_quantile(apart / deviation, USUAL), MIN_DEVIATIONS)
    return Seen(tuple(SCALARS), *(tuple(map(float, values)) for values in (median, deviation, limit)))


def _quantile(summaries: np.ndarray, level: float) -> np.ndarray:
    """(K,) quantile of each scalar over the frames that have it; NaN where none has."""
    columns = [values[~np.isnan(values)] for values in summaries.T]
    return np.array([np.quantile(values, level) if len(values) else np.nan for values in columns])


def _shown(name: str, value: float) -> str:
    """A value with its unit."""
    number = f"{10**value:.0f}" if name == POINTS else f"{value:.{2 if name.startswith('share') else 1}f}"
    return f"{number} {SCALARS[name].unit}".rstrip()
