"""Raw samples of an FMCW radar -> range profiles, and the slow-time signal of its strongest mover.

With a rising ramp, mixed as transmitted times conjugate of received, a target at range R gives
exp(2 pi i (f tau + S tau t)), tau = 2 R / c: its beat frequency is positive, and its phase from ramp to ramp grows
while it recedes. Here the phase is turned around, so that a positive Doppler frequency means approaching. Real
samples give the same, with half the range cells.
"""

import numpy as np
from scipy import fft
from scipy.signal import get_window


def range_profiles(cube: np.ndarray) -> np.ndarray:
    """(chirps, antennas, samples) complex or real -> (chirps, antennas, ranges) complex128, Hann-windowed."""
    windowed = cube * get_window("hann", cube.shape[2])
    return np.conj(fft.fft(windowed, axis=2) if np.iscomplexobj(cube) else fft.rfft(windowed, axis=2))


def slow_time(cube: np.ndarray) -> np.ndarray:
    """(chirps,) complex64 of the range cell and antenna whose profile varies most over the chirps.

    Variance is power without what stands still, so a wall or the leakage does not win.
    """
    profiles = range_profiles(cube)
    antenna, cell = np.unravel_index(np.argmax(profiles.var(axis=0)), profiles.shape[1:])
    return profiles[:, antenna, cell].astype(np.complex64)
