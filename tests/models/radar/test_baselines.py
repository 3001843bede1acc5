"""The training frame that is most alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes.models.radar.baselines import NEAR, descriptor, nearest_train, thinned

GRID = (4, 16, 32)


@given(st.integers(0, 19))
def test_a_training_frame_is_most_like_itself(frame):
    rng = np.random.default_rng(0)
    clouds = [rng.integers(0, GRID, (30, 3)) for _ in range(20)]
    descriptors = [descriptor(cloud, GRID) for cloud in clouds]
    found = nearest_train(iter(enumerate(descriptors)), np.stack([descriptors[frame]]))
    assert found.tolist() == [frame]


def test_the_nearest_is_named_by_its_frame_number():
    one, other = (descriptor(np.array([[0, y, 0]]), GRID) for y in (0, 15))
    found = nearest_train(iter([(17, one), (4, other)]), np.stack([other, one, other]))
    assert found.tolist() == [4, 17, 4]


def test_a_descriptor_has_length_1_does_not_know_the_order_and_shrugs_off_small_shifts():
    rng = np.random.default_rng(0)
    indices = np.unique(rng.integers((0, 1, 1), (4, 8, 14), (30, 3)), axis=0)
    found = descriptor(indices.astype(np.uint8), GRID)
    assert np.linalg.norm(found) == pytest.approx(1.0)
    np.testing.assert_array_equal(descriptor(indices[::-1], GRID), found)
    shifted = descriptor(indices + np.array([0, 1, 0]), GRID)
    far = descriptor(indices + np.array([0, 7, 15]), GRID)
    assert 1 > found @ shifted > 0.8
    assert found @ shifted > found @ far + 0.1


def test_a_frame_without_cells_has_a_descriptor_of_zeros():
    found = descriptor(np.zeros((0, 3), np.uint8), GRID)
    assert found.shape == (32,)
    assert not found.any()


def test_the_largest_index_of_a_large_grid_does_not_overflow():
    found = descriptor(np.array([[0, 255, 255]], np.uint8), (4, 256, 256))
    assert found.reshape(64, 64)[63, 63] == found.max()


def test_a_thinned_lidar_has_as_many_points_and_what_a_radar_measured_about_as_far_away():
    rng = np.random.default_rng(0)
    lidar = rng.uniform(0, 50, (1000, 4)).astype(np.float32)
    range_m = np.linspace(0, 80, 4000)
    measured = np.column_stack([range_m, 100 - range_m])
    found = thinned(lidar, 300, range_m, measured, np.random.default_rng(1))
    assert found.shape == (300, 5)
    assert {row.tobytes() for row in found[:, :3]} < {row.tobytes() for row in lidar[:, :3]}
    off_m = found[:, 3] - np.hypot(found[:, 0], found[:, 1])
    assert 0.5 < np.abs(off_m).max() <= (NEAR / 2 + 1) * range_m[1]
    np.testing.assert_allclose(found[:, 3] + found[:, 4], 100, rtol=1e-5)
    assert len(thinned(lidar[:5], 300, range_m, measured, np.random.default_rng(1))) == 5
