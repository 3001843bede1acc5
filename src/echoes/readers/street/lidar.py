"""A spinning LiDAR in the street: beams, ranges with noise, reflectivity."""

from functools import lru_cache

import numpy as np

from echoes.readers.street.raycast import GROUND, NOTHING, cast
from echoes.readers.street.scenario import Lidar, Materials
from echoes.readers.street.shapes import Shapes


@lru_cache(maxsize=4)
def beams(lidar: Lidar) -> np.ndarray:
    """(N, 3) float64 unit vectors, azimuth after azimuth, from below to above."""
    first, last = np.deg2rad(lidar.azimuth_deg)
    count = round((last - first) / np.deg2rad(lidar.azimuth_resolution_deg)) + 1
    elevation = np.deg2rad(np.sort(np.concatenate([np.linspace(*fan.elevation_deg, fan.beams) for fan in lidar.fans])))
    azimuth, elevation = np.meshgrid(np.linspace(first, last, count), elevation, indexing="ij")
    level = np.cos(elevation)
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=-1).reshape(-1, 3)


def scan(shapes: Shapes, materials: Materials, lidar: Lidar, ground_m: float, rng: np.random.Generator) -> np.ndarray:
    """(M, 4) float32 x, y, z [m], reflectivity 0..1 of the returns, in the frame of the shapes.

    A surface of reflectivity p at incidence a returns p cos(a) of the light of a white one; the power
    falls with the square of the range, so that it is seen up to
    range_at_10_percent_m * sqrt(p cos(a) / 0.1).
    """
    origin, directions = np.array(lidar.position_m), beams(lidar)
    ranges, what, cosine = cast(origin, directions, shapes, ground_m, lidar.max_range_m)
    hit = np.flatnonzero(what != NOTHING)
    ranges, what, cosine = ranges[hit], what[hit], cosine[hit]
    # index -1 is the ground, so that it stands last
    white = np.append(shapes.reflectivity, lidar.ground_reflectivity)[what]
    depth = np.append(materials.column("penetration_m")[shapes.material], 0.0)[what]
    assert GROUND == -1
    returned = white * cosine
    seen = ranges <= lidar.range_at_10_percent_m * np.sqrt(returned / 0.1)
    seen &= rng.random(len(hit)) >= lidar.dropout_probability
    measured = ranges + rng.normal(0, lidar.range_noise_m, len(hit)) + depth * rng.standard_exponential(len(hit))
    reflectivity = np.clip(returned + rng.normal(0, lidar.reflectivity_noise, len(hit)), 0, 1)
    points = origin + measured[:, None] * directions[hit]
    return np.column_stack([points, reflectivity])[seen].astype(np.float32)
