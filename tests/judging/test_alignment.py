"""Alignment of radar and LiDAR: mountings that are wrong are found, right ones are left alone."""

import numpy as np
import pytest

from echoes import seeds
from echoes.judging.alignment import MOUNTINGS, align


def scene(seed: int) -> np.ndarray:
    """(N, 3) of walls and poles ahead, that look like nothing when mirrored or turned."""
    rng = seeds.rng(seed, "scene")
    walls = [np.column_stack([rng.uniform(5, 45, 3000), np.full(3000, y), rng.uniform(-1, 4, 3000)]) for y in (6, -9)]
    fronts = [
        np.column_stack([np.full(900, x), rng.uniform(y - 4, y, 900), rng.uniform(-1, 7, 900)])
        for x, y in ((20, 9), (35, -6))
    ]
    ground = np.column_stack([rng.uniform(3, 45, 2000), rng.uniform(-9, 6, 2000), np.full(2000, -1.0)])
    poles = [np.column_stack([rng.normal(0, 0.2, (200, 2)) + p, rng.uniform(-1, 5, 200)]) for p in ((15, 2), (28, -4))]
    return np.concatenate([*walls, *fronts, ground, *poles])


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A sparse, noisy radar and the LiDAR it fits."""
    lidar = scene(0)
    rng = seeds.rng(0, "radar")
    radar = lidar[rng.choice(len(lidar), 400, replace=False)] + rng.normal(0, 0.15, (400, 3))
    places = rng.uniform(-45, 45, (60, 2))  # of trees that only the LiDAR sees, which looks all around
    trees = [np.column_stack([rng.normal(0, 0.3, (50, 2)) + p, rng.uniform(-1, 6, 50)]) for p in places if p[0] < 0]
    return radar, np.concatenate([lidar, *trees])


def test_what_fits_is_near_without_offset_and_no_other_mounting_is_nearer(pair) -> None:
    found = align(*pair)
    assert found is not None
    assert found.distance_m < 0.4
    assert np.abs(found.offset_m).max() < 0.1
    assert min(found.mounted_m.values()) > found.distance_m


@pytest.mark.parametrize("name", MOUNTINGS)
def test_a_wrong_mounting_is_named(pair, name: str) -> None:
    radar, lidar = pair
    found = align(radar, lidar @ MOUNTINGS[name].T)
    assert found is not None
    assert min(found.mounted_m, key=lambda mounting: found.mounted_m[mounting]) == name
    assert found.mounted_m[name] < 0.9 * found.distance_m


@pytest.mark.parametrize("shift", [(0.8, 0, 0), (0, -0.8, 0), (0, 0, 0.5), (-1, 0.5, 0)])
def test_the_offset_is_the_shift(pair, shift: tuple[float, ...]) -> None:
    radar, lidar = pair
    found = align(radar + shift, lidar)
    assert found is not None
    np.testing.assert_allclose(found.offset_m, shift, atol=0.15)


def test_a_cloud_fits_itself(pair) -> None:
    _, lidar = pair
    found = align(lidar, lidar)
    assert found is not None
    assert found.distance_m == 0
    np.testing.assert_array_equal(found.offset_m, 0)


def test_clouds_that_share_no_view_are_not_compared(pair) -> None:
    radar, lidar = pair
    assert align(radar, lidar[lidar[:, 0] < 0]) is None
    assert align(radar, lidar[:5]) is None
    assert align(radar[:0], lidar) is None
