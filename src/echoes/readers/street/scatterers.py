"""Points on the shapes that answer the radar: the same ones in every frame, as on real surfaces."""

from dataclasses import dataclass

import numpy as np

from echoes.errors import InputError
from echoes.readers.street.scenario import Materials
from echoes.readers.street.shapes import BOX, CYLINDER

MAX_POINTS = 300_000  # points in a street; some ten thousand are a lot


@dataclass(frozen=True)
class Scatterers:
    """P points fixed to shapes.

    shape   (P,) int64, the shape each lies on
    local   (P, 3) [m] in the frame of that shape
    normal  (P, 3) outward unit normal, in the frame of that shape
    rcs_dbsm (P,) median radar cross section, seen along the normal
    """

    shape: np.ndarray
    local: np.ndarray
    normal: np.ndarray
    rcs_dbsm: np.ndarray


def sample(
    kind: np.ndarray, half: np.ndarray, material: np.ndarray, materials: Materials, rng: np.random.Generator
) -> Scatterers:
    """Scatter points over the walls of boxes and cylinders and over ellipsoids.

    kind (N,), half (N, 3) [m], material (N,): the shapes. Their number is Poisson in the area; tops are
    left out, since a radar at the height of a bumper does not see them.
    """
    x, y, z = half.T
    area = np.where(kind == BOX, 8 * (x + y) * z, 4 * np.pi * (x + y) / 2 * z)
    mean = area * materials.column("scatterers_per_m2")[material]
    if mean.sum() > MAX_POINTS:
        raise InputError(f"materials: expected scatterers_per_m2 for {MAX_POINTS} points, got {mean.sum():.0f}")
    count = rng.poisson(mean)
    shape = np.repeat(np.arange(len(kind)), count)
    of = material[shape]
    box = kind[shape] == BOX
    edge = box & (rng.random(len(shape)) < materials.column("edge_share")[of])
    unit, normal = _on_box(half[shape], edge, rng)
    round_unit, round_normal = _on_round(kind[shape], half[shape], rng)
    rcs = materials.column("rcs_dbsm")[of] + rng.normal(0, materials.column("rcs_spread_db")[of])
    rcs += np.where(edge, materials.column("edge_gain_db")[of], 0.0)
    local = np.where(box[:, None], unit, round_unit) * half[shape]
    return Scatterers(shape, local, np.where(box[:, None], normal, round_normal), rcs)


def _on_box(half: np.ndarray, edge: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (P, 3) on the four walls of the unit cube, or on its upright edges, and their normals."""
    count = len(half)
    unit = rng.uniform(-1, 1, (count, 3))
    # a wall across x has the area of y, and the other way round
    across_x = rng.random(count) * (half[:, 0] + half[:, 1]) < half[:, 1]
    signs = rng.choice([-1.0, 1.0], (count, 2))
    on_x, on_y = across_x | edge, ~across_x | edge
    unit[:, 0] = np.where(on_x, signs[:, 0], unit[:, 0])
    unit[:, 1] = np.where(on_y, signs[:, 1], unit[:, 1])
    normal = np.column_stack([np.where(on_x, signs[:, 0], 0), np.where(on_y, signs[:, 1], 0), np.zeros(count)])
    return unit, normal / np.linalg.norm(normal, axis=1, keepdims=True)


def _on_round(kind: np.ndarray, half: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (P, 3) on the wall of the unit cylinder or on the unit sphere, and their normals."""
    angle, height = rng.uniform(0, 2 * np.pi, len(kind)), rng.uniform(-1, 1, len(kind))
    radius = np.where(kind == CYLINDER, 1.0, np.sqrt(1 - height**2))
    unit = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), height])
    normal = unit / half
    normal[kind == CYLINDER, 2] = 0.0
    return unit, normal / np.linalg.norm(normal, axis=1, keepdims=True)
