"""Echoes: the points in the street that answer the radar, before any of them is detected."""

from dataclasses import dataclass, replace

import numpy as np

from echoes.readers.street.raycast import NOTHING, cast
from echoes.readers.street.scatterers import Scatterers
from echoes.readers.street.scenario import Materials, Radar
from echoes.readers.street.shapes import Shapes

ORIGIN = np.zeros(3)
TOLERANCE_M = 0.15  # a point counts as lit when the ray to it ends this close to it


@dataclass(frozen=True)
class Echoes:
    """N echoes in the radar's frame.

    position      (N, 3) [m], where the echo seems to come from
    doppler_mps   (N,) radial velocity, positive = receding, not yet ambiguous
    power_db      (N,) mean received power
    shape         (N,) int64, the shape that answers; -1 for the ground
    """

    position: np.ndarray
    doppler_mps: np.ndarray
    power_db: np.ndarray
    shape: np.ndarray

    def take(self, chosen: np.ndarray) -> "Echoes":
        return replace(self, **{name: values[chosen] for name, values in vars(self).items()})

    @property
    def range_m(self) -> np.ndarray:
        return np.linalg.norm(self.position, axis=1)


def join(parts: list[Echoes]) -> Echoes:
    return Echoes(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))


def radial_velocity(position: np.ndarray, velocity: np.ndarray, ego_velocity: np.ndarray) -> np.ndarray:
    """(N,) [m/s], positive = receding, of points (N, 3) that move with `velocity` (N, 3) over ground."""
    direction = position / np.linalg.norm(position, axis=1, keepdims=True)
    return np.einsum("ij,ij->i", direction, velocity - ego_velocity)


def received_power_db(position: np.ndarray, rcs_dbsm: np.ndarray, radar: Radar) -> np.ndarray:
    """(N,) power of echoes at (N, 3): the radar equation and a Gaussian two-way antenna pattern.

    Sensitivity time control lowers the gain for near targets, so that their power no longer depends
    on the range; recorded power of imaging radars is flat over the first tens of metres.
    """
    range_m = np.linalg.norm(position, axis=1)
    flattened_m = np.maximum(range_m, radar.sensitivity_control_range_m)
    azimuth_deg = np.rad2deg(np.arctan2(position[:, 1], position[:, 0]))
    elevation_deg = np.rad2deg(np.arcsin(position[:, 2] / range_m))
    pattern_db = -3 * ((azimuth_deg / radar.beam_azimuth_deg) ** 2 + (elevation_deg / radar.beam_elevation_deg) ** 2)
    return radar.power_at_1m_db + rcs_dbsm - 40 * np.log10(flattened_m) + pattern_db


def in_view(position: np.ndarray, radar: Radar) -> np.ndarray:
    """(N,) bool: within the range, azimuth and elevation that the radar reports."""
    range_m = np.linalg.norm(position, axis=1)
    azimuth_deg = np.rad2deg(np.arctan2(position[:, 1], position[:, 0]))
    elevation_deg = np.rad2deg(np.arcsin(position[:, 2] / np.maximum(range_m, 1e-9)))
    values = ((range_m, radar.range_m), (azimuth_deg, radar.azimuth_deg), (elevation_deg, radar.elevation_deg))
    return np.logical_and.reduce([(low <= value) & (value <= high) for value, (low, high) in values])


def from_scatterers(
    shapes: Shapes,
    points: Scatterers,
    materials: Materials,
    ego_velocity: np.ndarray,
    radar: Radar,
    rng: np.random.Generator,
) -> Echoes:
    """What the scatterers return that are in view and lit.

    Foliage lets the radar through: what has a depth for the LiDAR does not hide anything here.
    """
    position = shapes.points(points.local, points.shape)
    near = np.flatnonzero(in_view(position, radar))
    position, shape = position[near], points.shape[near]
    range_m = np.linalg.norm(position, axis=1)
    normal = shapes.directions(points.normal[near], shape)
    cosine = -np.einsum("ij,ij->i", normal, position) / range_m
    solid = (materials.column("penetration_m") == 0)[shapes.material]
    lit = (cosine > 0) | ~solid[shape]
    lit[lit] &= visible(position[lit], shapes.take(solid), -radar.height_m)
    position, shape, cosine = position[lit], shape[lit], cosine[lit]
    material = shapes.material[shape]
    rcs = points.rcs_dbsm[near][lit] + _aspect_db(cosine, materials, material)
    doppler = radial_velocity(position, shapes.velocity[shape], ego_velocity)
    doppler += materials.column("doppler_spread_mps")[material] * rng.standard_normal(len(shape))
    return Echoes(position, doppler, received_power_db(position, rcs, radar), shape)


def _aspect_db(cosine: np.ndarray, materials: Materials, material: np.ndarray) -> np.ndarray:
    """(N,) how the cross section changes with incidence: a power of the cosine and a specular lobe."""
    angle_deg = np.rad2deg(np.arccos(np.clip(np.abs(cosine), 0, 1)))
    lobe = np.exp(-0.5 * (angle_deg / materials.column("specular_width_deg")[material]) ** 2)
    diffuse_db = 10 * materials.column("aspect_exponent")[material] * np.log10(np.maximum(np.abs(cosine), 0.01))
    return diffuse_db + materials.column("specular_gain_db")[material] * lobe


def visible(position: np.ndarray, shapes: Shapes, ground_m: float) -> np.ndarray:
    """(N,) bool: nothing stands between the radar and the points (N, 3)."""
    range_m = np.linalg.norm(position, axis=1)
    ranges, what, _ = cast(ORIGIN, position / range_m[:, None], shapes, ground_m, float(range_m.max(initial=1.0)))
    return (what == NOTHING) | (ranges > range_m - TOLERANCE_M)


def from_ground(shapes: Shapes, ego_velocity: np.ndarray, radar: Radar, rng: np.random.Generator) -> Echoes:
    """Patches of rough ground, new ones in every frame; uniform in range, so that they thin out with it."""
    clutter = radar.clutter
    count = rng.poisson(clutter.ground_returns)
    distance = rng.uniform(*clutter.ground_range_m, count)
    azimuth = np.deg2rad(rng.uniform(*radar.azimuth_deg, count))
    x, y = distance * np.cos(azimuth), distance * np.sin(azimuth)
    position = np.column_stack([x, y, np.full(count, -radar.height_m)])
    rcs = rng.normal(clutter.ground_rcs_dbsm, clutter.ground_rcs_spread_db, count)
    lit = visible(position, shapes, -radar.height_m) & in_view(position, radar)
    position, rcs = position[lit], rcs[lit]
    still = np.zeros_like(position)
    power = received_power_db(position, rcs, radar)
    return Echoes(position, radial_velocity(position, still, ego_velocity), power, np.full(len(rcs), -1))
