"""A 4D radar in the street: from echoes to the points it reports."""

import numpy as np

from echoes.readers.street import echo, ghosts
from echoes.readers.street.echo import Echoes
from echoes.readers.street.scatterers import Scatterers
from echoes.readers.street.scenario import Materials, Radar
from echoes.readers.street.shapes import Shapes


def scan(
    shapes: Shapes,
    scatterers: Scatterers,
    materials: Materials,
    walls: np.ndarray,
    ego_velocity: np.ndarray,
    radar: Radar,
    rng: np.random.Generator,
) -> np.ndarray:
    """(N, 5) float32 x, y, z [m], Doppler [m/s] positive = receding, power [dB].

    shapes, scatterers  the street in the radar's frame; walls, the shapes that act as mirrors.
    ego_velocity        (3,) of the radar over ground [m/s].
    """
    direct = echo.join(
        [
            echo.from_scatterers(shapes, scatterers, materials, ego_velocity, radar, rng),
            echo.from_ground(shapes, ego_velocity, radar, rng),
        ]
    )
    mirrored = ghosts.facades(direct, shapes, walls, ego_velocity, radar)
    real = echo.join([direct, mirrored, ghosts.ground(direct, radar)])
    every = echo.join([real, ghosts.sidelobes(real, radar, rng)])
    detected = resolve(detect(every, radar, rng), radar)
    points = np.concatenate([measure(detected, radar, rng), false_alarms(radar, rng)])
    points[:, 3] = wrap(points[:, 3], radar.max_doppler_mps)
    return points[echo.in_view(points[:, :3], radar)].astype(np.float32)


def detect(echoes: Echoes, radar: Radar, rng: np.random.Generator) -> Echoes:
    """The echoes that rise above the threshold in this frame.

    Swerling 1: echo and noise together are complex Gaussian, so their power is exponential with mean
    1 + SNR times the noise, and the probability of detection is exp(-threshold / (1 + SNR)).
    """
    snr = 10 ** ((echoes.power_db - radar.noise_power_db) / 10)
    power_db = radar.noise_power_db + 10 * np.log10((1 + snr) * rng.standard_exponential(len(snr)))
    found = np.flatnonzero(power_db > radar.noise_power_db + radar.detection_snr_db)
    return Echoes(echoes.position[found], echoes.doppler_mps[found], power_db[found], echoes.shape[found])


def resolve(echoes: Echoes, radar: Radar) -> Echoes:
    """The strongest echo of each resolution cell of range, azimuth, elevation and Doppler."""
    spherical = to_spherical(echoes.position)
    angle = np.deg2rad((radar.azimuth_resolution_deg, radar.elevation_resolution_deg))
    size = np.array([radar.range_resolution_m, *angle, radar.doppler_resolution_mps])
    cells = np.floor(np.column_stack([spherical, echoes.doppler_mps]) / size).astype(np.int64)
    strongest_first = np.argsort(-echoes.power_db, kind="stable")
    _, first = np.unique(cells[strongest_first], axis=0, return_index=True)
    return echoes.take(strongest_first[first])


def measure(echoes: Echoes, radar: Radar, rng: np.random.Generator) -> np.ndarray:
    """(N, 5) points with the noise of estimation in all four dimensions.

    The deviation falls with the root of the SNR, resolution / (1.6 sqrt(2 SNR)) (Skolnik,
    Introduction to Radar Systems), down to the floor that calibration leaves;
    a floor of 0 turns the noise of that dimension off.
    """
    snr = 10 ** ((echoes.power_db - radar.noise_power_db) / 10)
    resolution = (radar.range_resolution_m, *np.deg2rad((radar.azimuth_resolution_deg, radar.elevation_resolution_deg)))
    floor = (radar.range_noise_m, *np.deg2rad((radar.azimuth_noise_deg, radar.elevation_noise_deg)))
    sizes = np.array([*resolution, radar.doppler_resolution_mps])
    floors = np.array([*floor, radar.doppler_noise_mps])
    deviation = np.where(floors > 0, np.hypot(floors, sizes / (1.6 * np.sqrt(2 * snr[:, None]))), 0.0)
    exact = np.column_stack([to_spherical(echoes.position), echoes.doppler_mps])
    noisy = exact + deviation * rng.standard_normal(exact.shape)
    return np.column_stack([to_cartesian(noisy[:, :3]), noisy[:, 3], echoes.power_db])


def false_alarms(radar: Radar, rng: np.random.Generator) -> np.ndarray:
    """(N, 5) points out of nothing, uniform in what the radar measures."""
    count = rng.poisson(radar.clutter.false_alarms)
    low, high = np.array([radar.range_m, np.deg2rad(radar.azimuth_deg), np.deg2rad(radar.elevation_deg)]).T
    spherical = rng.uniform(low, high, (count, 3))
    doppler = rng.uniform(-radar.max_doppler_mps, radar.max_doppler_mps, count)
    excess = radar.clutter.false_alarm_mean_excess_db * rng.standard_exponential(count)
    return np.column_stack([to_cartesian(spherical), doppler, radar.noise_power_db + radar.detection_snr_db + excess])


def wrap(doppler_mps: np.ndarray, max_doppler_mps: float) -> np.ndarray:
    """Doppler modulo its ambiguity, in [-max, max)."""
    return (doppler_mps + max_doppler_mps) % (2 * max_doppler_mps) - max_doppler_mps


def to_spherical(position: np.ndarray) -> np.ndarray:
    """(N, 3) x, y, z -> range [m], azimuth, elevation [rad]."""
    x, y, z = position.T
    return np.column_stack([np.sqrt(x**2 + y**2 + z**2), np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))])


def to_cartesian(spherical: np.ndarray) -> np.ndarray:
    """(N, 3) range [m], azimuth, elevation [rad] -> x, y, z."""
    range_m, azimuth, elevation = spherical.T
    level = range_m * np.cos(elevation)
    return np.column_stack([level * np.cos(azimuth), level * np.sin(azimuth), range_m * np.sin(elevation)])
