"""Rays against shapes at known distances."""

from math import hypot, inf, pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.readers.street.solids import shapes

from echoes.readers.street.raycast import GROUND, NOTHING, cast
from echoes.readers.street.shapes import BOX, CYLINDER, ELLIPSOID


def shoot(direction, *parts, ground_m=-inf, origin=(0, 0, 0), max_range_m=100.0):
    direction = np.array([direction], float)
    result = cast(np.array(origin, float), direction / np.linalg.norm(direction), shapes(*parts), ground_m, max_range_m)
    return tuple(values[0] for values in result)


def test_a_ray_hits_the_front_of_a_box_at_its_distance():
    assert shoot((1, 0, 0), (BOX, (10, 0, 0), (2, 1, 1), 0)) == pytest.approx((8, 0, 1))


def test_a_ray_hits_the_corner_of_a_box_turned_by_an_eighth():
    distance, what, cosine = shoot((1, 0, 0), (BOX, (10, 0.01, 0), (1, 1, 1), pi / 4))
    assert (distance, what, cosine) == pytest.approx((10 - sqrt(2) + 0.01, 0, sqrt(0.5)))


def test_a_ray_at_an_angle_meets_a_long_wall_where_trigonometry_says():
    distance, _, cosine = shoot((1, 0.5, 0), (BOX, (0, 6, 0), (50, 1, 5), 0))
    assert (distance, cosine) == pytest.approx((5 * hypot(1, 0.5) / 0.5, 0.5 / hypot(1, 0.5)))


def test_a_ray_hits_a_cylinder_on_its_wall_and_on_its_top():
    pole = (CYLINDER, (10, 0, 0), (0.5, 0.5, 2), 0)
    assert shoot((1, 0, 0), pole) == pytest.approx((9.5, 0, 1))
    assert shoot((0, 0, -1), pole, origin=(10.2, 0, 7)) == pytest.approx((5, 0, 1))
    assert shoot((1, 0, 0), pole, origin=(0, 0.4, 0)) == pytest.approx((10 - 0.3, 0, 0.6))


def test_a_ray_hits_an_ellipsoid_at_its_half_axes():
    crown = (ELLIPSOID, (10, 0, 1), (2, 2, 3), 0)
    assert shoot((1, 0, 0), crown, origin=(0, 0, 1)) == pytest.approx((8, 0, 1))
    assert shoot((0, 0, -1), crown, origin=(10, 0, 9)) == pytest.approx((5, 0, 1))


def test_a_ray_hits_the_ground_at_height_over_sine():
    distance, what, cosine = shoot((4, 0, -3), (BOX, (10, 20, 0), (1, 1, 1), 0), ground_m=-1.5)
    assert (distance, what, cosine) == pytest.approx((1.5 / 0.6, GROUND, 0.6))


def test_the_nearest_of_several_shapes_is_hit_in_whatever_order_they_stand():
    near, far, beside = (
        (BOX, (6, 0, 0), (1, 1, 1), 0),
        (BOX, (20, 0, 0), (9, 9, 9), 0),
        (CYLINDER, (3, 2, 0), (1, 1, 1), 0),
    )
    assert shoot((1, 0, 0), far, near, beside)[:2] == pytest.approx((5, 1))
    assert shoot((1, 0, 0), near, beside, far)[:2] == pytest.approx((5, 0))


def test_a_ray_that_meets_nothing_within_range_says_so():
    box = (BOX, (10, 0, 0), (1, 1, 1), 0)
    for direction, max_range_m in (((-1, 0, 0), 100.0), ((1, 0.2, 0), 100.0), ((1, 0, 0.2), 100.0), ((1, 0, 0), 8.9)):
        assert shoot(direction, box, max_range_m=max_range_m)[:2] == (inf, NOTHING)


@given(st.integers(0, 2), st.floats(-3, 3), st.integers(0, 10**6))
def test_every_hit_lies_on_the_surface_it_names(kind, yaw, seed):
    rng = np.random.default_rng(seed)
    half = np.array([1.5, 1.5 if kind == CYLINDER else 0.7, 1.1])
    solid = shapes((kind, (6, 1, 0.5), half, yaw))
    directions = solid.centre + rng.uniform(-2, 2, (50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    ranges, what, cosine = cast(np.zeros(3), directions, solid, -inf, 100.0)
    hit = what == 0
    assert hit.any()
    x, y, z = (ranges[hit, None] * directions[hit] - solid.centre).T
    unit = np.stack([np.cos(yaw) * x + np.sin(yaw) * y, np.cos(yaw) * y - np.sin(yaw) * x, z], axis=1) / half
    level = np.hypot(unit[:, 0], unit[:, 1])
    norm = (np.abs(unit).max(axis=1), np.maximum(level, np.abs(unit[:, 2])), np.linalg.norm(unit, axis=1))[kind]
    np.testing.assert_allclose(norm, 1, atol=1e-9)
    assert ((cosine[hit] >= 0) & (cosine[hit] <= 1 + 1e-12)).all()
