"""A kinematic sieve: which spectrograms no body makes, by limits of what the real ones of an activity show.

Generated spectrograms train a classifier better once those are sifted out whose envelopes no human has (Erol, Gurbuz &
Amin 2020, who compare the envelopes with those of real ones). We depart from them in the quantities, which are five
numbers with units, so that what is dropped can be told in words, and in the limits, which are quantiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from echoes.errors import InputError
from echoes.evaluation.spectrograms import motion, without_traces
from echoes.grids import Axis

QUANTITIES = ("speed_mps", "torso_mps", "bandwidth_mps", "cadence_hz", "outside_share")
TAIL = 0.005  # share of the training spectrograms of an activity below the lower limit, and above the upper one
LEAST_SHARE = 0.01  # of `outside_share`: what is no difference
BATCH = 64  # spectrograms whose frames are in memory at once


@dataclass(frozen=True)
class Limits:
    """Activity, or what else the last kind of labels names -> quantity -> its least and its largest value."""

    of: dict[str, dict[str, tuple[float, float]]]

    def __post_init__(self) -> None:
        for label, limits in self.of.items():
            if set(limits) != set(QUANTITIES):
                raise InputError(f"of.{label}: expected {', '.join(QUANTITIES)}, got {', '.join(limits) or 'nothing'}")
            for name, (least, largest) in limits.items():
                if least > largest:
                    raise InputError(f"of.{label}.{name}: expected a least and a largest value, got {least}, {largest}")

    def broken(self, values: np.ndarray, label: str) -> list[str | None]:
        """(N, K) quantities of spectrograms of a label -> of each the first beyond its limits; None where all hold."""
        least, largest = np.array([self.of[label][name] for name in QUANTITIES]).T
        beyond = (values < least) | (values > largest)
        return [QUANTITIES[int(row.argmax())] if row.any() else None for row in beyond]

    def hold(self, values: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """(N,) bool, of (N, K) quantities of spectrograms of N labels: whether all are within their limits."""
        return np.array([self.broken(row[None], label) == [None] for row, label in zip(values, labels, strict=True)])


def quantities(spectrograms: np.ndarray, velocity: Axis, time: Axis, span_db: float) -> np.ndarray:
    """(N, K) float64 of (N, C, F, T) spectrograms in network range, of colours by their brightness, as QUANTITIES:

    speed_mps      the fastest that either envelope gets, whichever way; torso_mps: the same of the torso line.
    bandwidth_mps  mean over the frames.
    cadence_hz     of the envelopes.
    outside_share  of the brightness, which is dB above the floor, in cells that lie wholly beyond the envelopes: haze
                   and specks, where no limb is. Of the power that share is the same for all, by what envelopes are.
    """
    starts = range(0, len(spectrograms), BATCH)
    parts = [_measured(spectrograms[i : i + BATCH].mean(axis=1), velocity, time, span_db) for i in starts]
    return np.concatenate([np.zeros((0, len(QUANTITIES))), *parts])


def _measured(power: np.ndarray, velocity: Axis, time: Axis, span_db: float) -> np.ndarray:
    """The same of (N, F, T) powers in network range."""
    found = motion(power, velocity.centres, time.step, span_db)
    speed = np.maximum(np.abs(found.lower_mps), np.abs(found.upper_mps)).max(axis=1)
    bright = (without_traces(power, span_db).clip(-1, 1) + 1) / 2
    centres, half = velocity.centres[:, None], velocity.step / 2
    outside = (centres < found.lower_mps[:, None] - half) | (centres > found.upper_mps[:, None] + half)
    total = bright.sum(axis=(1, 2))
    share = (bright * outside).sum(axis=(1, 2)) / np.where(total > 0, total, 1)
    torso, bandwidth = np.abs(found.torso_mps).max(axis=1), found.bandwidth_mps.mean(axis=1)
    return np.stack([speed, torso, bandwidth, found.cadence_hz, share], axis=1)


def resolution(velocity: Axis, time: Axis) -> Mapping[str, float]:
    """What a spectrogram with these axes does not tell apart, of each quantity: a cell, or a period more or less."""
    cell = dict.fromkeys(("speed_mps", "torso_mps", "bandwidth_mps"), velocity.step)
    return {**cell, "cadence_hz": 1 / (time.stop - time.start), "outside_share": LEAST_SHARE}


def fit(values: np.ndarray, labels: np.ndarray, names: Sequence[str], least: Mapping[str, float]) -> Limits:
    """The limits within which 99 % of (N, K) quantities of real spectrograms lie, and `least` more on either side.

    labels  (N,) places in the names of the last kind of labels; one that nothing has gets no limits.
    least   of each quantity what is no difference: activities with a single value have neighbours, too.
    """
    of = {}
    for place in np.unique(labels):
        ends = np.quantile(values[labels == place], (TAIL, 1 - TAIL), axis=0).T
        of[names[place]] = {
            name: (float(low - least[name]), float(high + least[name]))
            for name, (low, high) in zip(QUANTITIES, ends, strict=True)
        }
    return Limits(of)
