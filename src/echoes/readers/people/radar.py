"""A continuous-wave radar: moving points -> complex slow-time samples.

Powers are relative to the echo of 0 dBsm at 1 m. The phase of an echo is -4 pi range / wavelength, so that what
approaches has a positive frequency. No segment hides another one.
"""

import numpy as np
from scipy.interpolate import make_interp_spline

from echoes.readers.people.body import Scatterers
from echoes.readers.people.scenario import Radar

STEP_S = 0.0025  # of the positions of moving points; a spline fills in the slow time
_BLOCK = 1024  # samples that are worked out at once: their arrays stay in the cache
_LEAVES = 24  # sines that make up moving clutter
_SLOW = 16  # it changes slowly enough to be made at every 16th sample


def instants(seconds: float) -> np.ndarray:
    """(T,) s, from 0 to `seconds` or a little beyond, at which the positions of points are given."""
    return np.asarray(np.arange(int(np.ceil(seconds / STEP_S)) + 2) * STEP_S)


def echo(points: Scatterers, radar: Radar, count: int, rng: np.random.Generator, spread_db: float) -> np.ndarray:
    """(count,) complex64 sum of the echoes of `points`, given every STEP_S with the radar at x = y = 0.

    Each point has a phase of its own, and a radar cross section that scatters by `spread_db`.
    """
    ray = points.position - np.array([0, 0, radar.height_m])
    range_m = np.linalg.norm(ray, axis=-1)
    end_on = np.abs(np.einsum("tpk,tpk->tp", ray, points.axis)) / range_m
    amplitude = np.sqrt(points.rcs) * aspect(end_on, points.slenderness) / range_m**2
    amplitude *= 10 ** (rng.normal(0, spread_db, len(points.rcs)) / 20)
    cycles = -2 * range_m / radar.wavelength_m + rng.random(len(points.rcs))
    return _sum(amplitude, cycles, radar, count)


def aspect(end_on: np.ndarray, slenderness: np.ndarray) -> np.ndarray:
    """Amplitude of an ellipsoid of revolution over that from the side; `end_on` is the cosine to its axis.

    sigma = pi a^4 c^2 / (a^2 sin^2 + c^2 cos^2)^2 (Trott 2007, "Radar cross section of ellipsoids").
    """
    return np.asarray(1 / (1 + (slenderness**2 - 1) * end_on**2))


def _sum(amplitude: np.ndarray, cycles: np.ndarray, radar: Radar, count: int) -> np.ndarray:
    """Sum of phasors, given every STEP_S (T, P), at each of `count` samples."""
    times = np.arange(len(cycles)) * STEP_S
    phase = make_interp_spline(times, cycles, k=3)
    size = make_interp_spline(times, amplitude, k=1)
    result = np.empty(count, np.complex64)
    for start in range(0, count, _BLOCK):
        at = np.arange(start, min(start + _BLOCK, count)) / radar.prf_hz
        turn = phase(at)
        turn -= np.round(turn)
        angle = (2 * np.pi * turn).astype(np.float32)  # single precision is exact enough within one turn
        weight = size(at).astype(np.float32)
        block = result[start : start + _BLOCK]
        block.real = np.einsum("tp,tp->t", weight, np.cos(angle))
        block.imag = np.einsum("tp,tp->t", weight, np.sin(angle))
    return result


def receive(echoes: np.ndarray, radar: Radar, rng: np.random.Generator) -> np.ndarray:
    """(N,) complex64: echoes with clutter, leakage, the image of an imbalance of I and Q, and noise."""
    count = len(echoes)
    samples = echoes + clutter(radar, count, rng)
    samples += _amplitude(radar.leakage_db) * _phasor(rng)
    samples += _amplitude(radar.image_db) * _phasor(rng) * samples.conj()
    noise = rng.standard_normal((count, 2), np.float32) @ np.array([1, 1j], np.complex64)
    return np.asarray(samples + np.float32(_amplitude(radar.noise_db) / 2**0.5) * noise).astype(np.complex64)


def clutter(radar: Radar, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) complex: what stands still, and what moves slowly, with normal velocities."""
    time_s = np.arange(count) / radar.prf_hz
    velocity = rng.normal(0, radar.moving_clutter_mps, _LEAVES)
    turns = -2 * velocity / radar.wavelength_m * time_s[::_SLOW, None] + rng.random(_LEAVES)
    slow = np.exp(2j * np.pi * turns).sum(axis=1) / _LEAVES**0.5
    moving = np.interp(time_s, time_s[::_SLOW], slow)
    still = _amplitude(radar.static_clutter_db) * _phasor(rng)
    return np.asarray(still + _amplitude(radar.moving_clutter_db) * moving)


def _amplitude(power_db: float) -> float:
    return float(10 ** (power_db / 20))


def _phasor(rng: np.random.Generator) -> complex:
    return complex(np.exp(2j * np.pi * rng.random()))
