"""Raw samples of an FMCW radar -> range profiles, and the slow-time signal of its strongest mover.

With a rising ramp, mixed as transmitted times conjugate of received, a target at range R gives
exp(2 pi i (f tau + S tau t)), tau = 2 R / c: its beat frequency is positive, and its phase from ramp to ramp grows
while it recedes. Here the phase is turned around, so that a positive Doppler frequency means approaching. Real
samples give the same, with half the range cells.
"""

from collections.abc import Iterable

import numpy as np
from scipy import fft
from scipy.signal import get_window


def range_profiles(cube: np.ndarray) -> np.ndarray:
    """(chirps, antennas, samples) complex or real -> (chirps, antennas, ranges) complex128, Hann-windowed."""
    windowed = cube * get_window("hann", cube.shape[2])
    return np.conj(fft.fft(windowed, axis=2) if np.iscomplexobj(cube) else fft.rfft(windowed, axis=2))


def slow_time(frames: Iterable[np.ndarray]) -> np.ndarray:
    """(frames, chirps) complex64 of the range cell and antenna whose profile varies most over all chirps.

    frames  each (chirps, antennas, samples), all alike. They are gone through twice, and only one of them is in memory
            at a time, so this is no iterator.

    Variance is power without what stands still, so a wall or the leakage does not win.
    """
    count, total, power = 0, np.zeros(()), np.zeros(())
    for profiles in map(range_profiles, frames):
        count += len(profiles)
        total = total + profiles.sum(axis=0)
        power = power + (profiles.real**2 + profiles.imag**2).sum(axis=0)
    variance = power / count - np.abs(total / count) ** 2
    antenna, cell = np.unravel_index(np.argmax(variance), variance.shape)
    chosen = [range_profiles(cube[:, antenna : antenna + 1])[:, 0, cell] for cube in frames]
    return np.stack(chosen).astype(np.complex64)
