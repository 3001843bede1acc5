"""Physical quantities of spectrograms, and how far two sets of spectrograms lie apart in them.

Spectrograms are (N, F, T) in network range: -1 is the floor, 1 the ceiling, linear in dB, `span_db` between
them; F is the radial velocity, ascending [m/s, positive = receding], T the time. Power is counted above the
floor, so what the floor clipped weighs nothing. A frame at the floor shows no motion: 0 m/s, no bandwidth.
Every quantity of a frame is a function of that frame alone, but for the torso line, which is smoothed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import detrend
from scipy.stats import wasserstein_distance

FAINTEST_DB = 1.0  # above the floor: a network comes close to its floor and never meets it
ENVELOPE = (0.03, 0.97)  # shares of the power of a frame below the lower and the upper envelope
TORSO_S = 0.25  # over which the torso line is averaged: less than a step takes
CADENCE_HZ = (0.3, 5.0)  # of human limbs
PADDING = 8  # finer steps of frequency than the duration gives
STILL = 1e-12  # power of an envelope that only rounding makes move


@dataclass(frozen=True)
class Motion:
    """What N spectrograms show: (N, T) per frame, (N,) per spectrogram."""

    lower_mps: np.ndarray
    upper_mps: np.ndarray
    torso_mps: np.ndarray
    bandwidth_mps: np.ndarray
    cadence_hz: np.ndarray

    def take(self, which: np.ndarray) -> "Motion":
        return Motion(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    @staticmethod
    def joined(parts: Sequence["Motion"]) -> "Motion":
        """Of the spectrograms of all parts, one part after the other."""
        return Motion(*(np.concatenate([getattr(m, name) for m in parts]) for name in Motion.__dataclass_fields__))


def motion(spectrograms: np.ndarray, velocity_mps: np.ndarray, frame_s: float, span_db: float) -> Motion:
    """Every quantity of (N, F, T) spectrograms; velocity_mps (F,) centres of the bins, frame_s between frames."""
    shown = without_traces(spectrograms, span_db)
    power = power_above_floor(shown, span_db)
    lower, upper = envelopes_mps(power, velocity_mps)
    torso = torso_mps(shown, velocity_mps, frame_s)
    return Motion(lower, upper, torso, bandwidth_mps(power, velocity_mps), cadence_hz(lower, upper, frame_s))


def without_traces(spectrograms: np.ndarray, span_db: float) -> np.ndarray:
    """The same, at the floor where less than FAINTEST_DB above it.

    Without it the envelopes of a silent frame, all of whose bins lie just above the floor, are those of all velocities.
    """
    return np.where(spectrograms < 2 * FAINTEST_DB / span_db - 1, -1.0, spectrograms)


def power_above_floor(spectrograms: np.ndarray, span_db: float) -> np.ndarray:
    """Linear power in units of the floor, minus the floor: float64, 0 where a spectrogram is at its floor."""
    above_db = (np.asarray(spectrograms, dtype=np.float64).clip(-1, 1) + 1) / 2 * span_db
    return 10 ** (above_db / 10) - 1


def bandwidth_mps(power: np.ndarray, velocity_mps: np.ndarray) -> np.ndarray:
    """(N, T) standard deviation of the velocity of each frame, weighted by (N, F, T) power."""
    shares = _shares(power)
    offset = velocity_mps[:, None] - np.einsum("nft,f->nt", shares, velocity_mps)[:, None]
    return np.sqrt((shares * offset**2).sum(axis=1))


def envelopes_mps(power: np.ndarray, velocity_mps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper (N, T): the velocities below which 3 % and 97 % of the (N, F, T) power of a frame lie.

    Percentiles of cumulative power (van Dorp & Groen 2008, Sec. 3), linear inside a bin.
    """
    cumulative = np.cumsum(_shares(power), axis=1)
    lower, upper = (_percentile_mps(cumulative, velocity_mps, share) for share in ENVELOPE)
    return lower, upper


def torso_mps(spectrograms: np.ndarray, velocity_mps: np.ndarray, frame_s: float) -> np.ndarray:
    """(N, T) velocity of the strongest return, which is the torso, from dB averaged over TORSO_S.

    The peak lies on the parabola through the strongest bin and its neighbours: exact for a Gaussian ridge.
    """
    width = max(1, round(TORSO_S / frame_s))
    smooth = uniform_filter1d(np.asarray(spectrograms, dtype=np.float64), width, axis=2, mode="nearest")
    strongest = smooth.argmax(axis=1)
    inner = strongest.clip(1, smooth.shape[1] - 2)
    below, peak, above = (np.take_along_axis(smooth, (inner + i)[:, None], axis=1)[:, 0] for i in (-1, 0, 1))
    curvature = 2 * peak - below - above
    curved = (strongest == inner) & (curvature > 0)
    offset = np.where(curved, (above - below) / 2 / np.where(curved, curvature, 1), 0)
    line = velocity_mps[strongest] + offset * (velocity_mps[1] - velocity_mps[0])
    return np.where(smooth.max(axis=1) > -1, line, 0.0)


def cadence_hz(lower_mps: np.ndarray, upper_mps: np.ndarray, frame_s: float) -> np.ndarray:
    """(N,) frequency at which the (N, T) envelopes oscillate most, within CADENCE_HZ; 0 where they do not.

    The peak of the summed periodograms of both envelopes (Hann window, linear trend removed), so that neither
    swinging arms nor legs are missed, whichever way a person moves. Fewer than one period is none.
    """
    frames = lower_mps.shape[1]
    window, size = np.hanning(frames), PADDING * frames
    spectrum = sum(np.abs(np.fft.rfft(detrend(e) * window, size)) ** 2 for e in (lower_mps, upper_mps))
    frequency_hz = np.fft.rfftfreq(size, frame_s)
    low_hz, high_hz = max(CADENCE_HZ[0], 1 / (frames * frame_s)), CADENCE_HZ[1]
    band = (frequency_hz >= low_hz) & (frequency_hz <= high_hz)
    if not band.any():
        return np.zeros(len(lower_mps))
    inside = np.asarray(spectrum)[:, band]
    return np.where(inside.max(axis=1) > STILL * frames, frequency_hz[band][inside.argmax(axis=1)], 0.0)


def distances(first: Motion, labels: np.ndarray, second: Motion, other_labels: np.ndarray) -> dict[str, float]:
    """1-Wasserstein distances of the quantities of two sets, in their unit, per label, averaged over labels.

    labels, other_labels  (N,) and (M,) integers; a label that only one set has does not count.

    Values of all frames of a label form one distribution. `envelope_w1_mps` is the mean of both envelopes.
    """
    shared = np.intersect1d(labels, other_labels)
    if not len(shared):
        raise ValueError(f"expected a label that both sets have, got {np.unique(labels)} and {np.unique(other_labels)}")
    pairs = [(first.take(labels == label), second.take(other_labels == label)) for label in shared]

    def mean(name: str) -> float:
        return float(
            np.mean([wasserstein_distance(getattr(a, name).ravel(), getattr(b, name).ravel()) for a, b in pairs])
        )

    return {
        "envelope_w1_mps": (mean("lower_mps") + mean("upper_mps")) / 2,
        "torso_w1_mps": mean("torso_mps"),
        "bandwidth_w1_mps": mean("bandwidth_mps"),
        "cadence_w1_hz": mean("cadence_hz"),
    }


def _shares(power: np.ndarray) -> np.ndarray:
    """(N, F, T) share of each bin in the power of its frame; 0 in a frame without power."""
    total = power.sum(axis=1, keepdims=True)
    return power / np.where(total > 0, total, 1)


def _percentile_mps(cumulative: np.ndarray, velocity_mps: np.ndarray, share: float) -> np.ndarray:
    step = velocity_mps[1] - velocity_mps[0]
    last = (cumulative >= share).argmax(axis=1)[:, None]  # the bin in which the share is reached
    reached = np.take_along_axis(cumulative, last, axis=1)[:, 0]
    before = np.where(last > 0, np.take_along_axis(cumulative, (last - 1).clip(min=0), axis=1), 0)[:, 0]
    moving = reached >= share
    inside = (share - before) / np.where(moving, reached - before, 1)
    return np.where(moving, velocity_mps[last[:, 0]] + (inside - 0.5) * step, 0.0)
