"""A drone: a hull that wanders, and rotors whose blades put lines to both sides of its velocity.

The echo of a point at radius r of a rotor repeats with each turn; by the Jacobi-Anger expansion it is
exp(-j k r cos(a)) = sum over n of (-j)^n J_n(k r) exp(j n a), k = 4 pi cos(elevation) / wavelength. With B equal
blades only multiples of B remain: lines B x turns apart. The tips are faster than the slow time can follow,
so lines beyond half its rate are left out, as the filter before the converter of a radar does.
"""

import numpy as np
from scipy.special import jv

from echoes.readers.people.body import Scatterers
from echoes.readers.people.radar import echo, instants
from echoes.readers.people.scenario import Drone, Place, Radar

TURN = 2 * np.pi
_RADII = 64  # points along a blade


def blade_lines(radius_m: float, blades: int, wavenumber: float, most: int) -> np.ndarray:
    """(2 * most + 1,) complex Fourier coefficients of a rotor of echo 1, for the lines n = -most..most.

    radius_m    of the rotor, whose blades are points at equal distances.
    wavenumber  4 pi cos(elevation) / wavelength [rad/m].
    """
    order = blades * np.arange(-most, most + 1)
    radii = radius_m * (np.arange(_RADII) + 0.5) / _RADII
    return np.asarray(((-1j) ** (order % 4) * jv(order, wavenumber * radii[:, None])).mean(axis=0))


def rotor(lines: np.ndarray, blades: int, angle_rad: np.ndarray) -> np.ndarray:
    """(N,) complex echo of a rotor at `angle_rad` (N,), from its lines."""
    most = len(lines) // 2
    one = np.exp(1j * blades * angle_rad)
    up = np.full(len(one), lines[-1])  # Horner's scheme, for positive and for negative lines
    down = np.full(len(one), lines[0])
    for n in range(1, most):
        up = up * one + lines[-1 - n]
        down = down * one.conj() + lines[n]
    return np.asarray(lines[most] + up * one + down * one.conj()) if most else np.full(len(one), lines[0])


def fly(drone: Drone, place: Place, radar: Radar, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """(N,) complex64 echo of the hull and of four rotors, of which two turn against the others."""
    hull = _hull(drone, place, seconds, rng)
    count = round(seconds * radar.prf_hz)
    total = echo(_points(hull[:, None], drone.rcs_dbsm), radar, count, rng, spread_db=0)
    heading = rng.uniform(0, TURN)
    area = drone.blade_m * drone.blade_chord_m
    flash_dbsm = 10 * np.log10(4 * np.pi * area**2 / radar.wavelength_m**2)  # a plate seen from the front
    common_hz = rng.uniform(*drone.turns_hz)
    for k in range(4):
        corner = heading + TURN * (k / 4 + 1 / 8)
        hub = hull + drone.arm_m * np.array([np.cos(corner), np.sin(corner), 0])
        turns_hz = common_hz * (1 + drone.turns_spread * rng.uniform(-1, 1))
        angle = (-1) ** k * _angle(turns_hz, drone.turns_wander, np.arange(count) / radar.prf_hz, rng)
        lines = _lines(drone, radar, hub, turns_hz)
        here = echo(_points(hub[:, None], flash_dbsm), radar, count, rng, spread_db=0)
        total += drone.blades * here * rotor(lines, drone.blades, angle)
    return total


def _hull(drone: Drone, place: Place, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """(T, 3) m: a straight flight in any direction with a slow wander on it."""
    time_s = instants(seconds)
    bearing, heading = np.deg2rad(rng.uniform(*place.bearing_deg)), rng.uniform(0, TURN)
    range_m = rng.uniform(*place.range_m)
    start = np.array([range_m * np.cos(bearing), range_m * np.sin(bearing), rng.uniform(*drone.height_m)])
    velocity = rng.uniform(*drone.speed_mps) * np.array([np.cos(heading), np.sin(heading), 0])
    rate = TURN * rng.uniform(*drone.hover_hz, 3)
    wander = rng.uniform(*drone.hover_m) * np.sin(rate * time_s[:, None] + rng.uniform(0, TURN, 3))
    return np.asarray(start + velocity * time_s[:, None] + wander)


def _points(position: np.ndarray, rcs_dbsm: float) -> Scatterers:
    count = position.shape[1]
    up = np.broadcast_to([0.0, 0, 1], position.shape)
    return Scatterers(position, up, np.full(count, 10 ** (rcs_dbsm / 10)), np.ones(count))


def _angle(turns_hz: float, wander: float, time_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Angle [rad] of a rotor whose rate is steered a little up and down."""
    rate_hz = rng.uniform(0.5, 2)
    deviation = wander * turns_hz / rate_hz * np.sin(TURN * rate_hz * time_s + rng.uniform(0, TURN))
    return np.asarray(TURN * turns_hz * time_s + deviation + rng.uniform(0, TURN))


def _lines(drone: Drone, radar: Radar, hub: np.ndarray, turns_hz: float) -> np.ndarray:
    ray = hub[len(hub) // 2] - np.array([0, 0, radar.height_m])
    level = np.hypot(ray[0], ray[1]) / np.linalg.norm(ray)
    fastest_hz = turns_hz * (1 + drone.turns_wander)
    most = int(radar.prf_hz / 2 / (drone.blades * fastest_hz))
    return blade_lines(drone.blade_m, drone.blades, 4 * np.pi * level / radar.wavelength_m, most)
