"""Clouds and their radar against the LiDAR of a recording: known distances, and what is not compared."""

import numpy as np
import pytest

from echoes import seeds
from echoes.commands import against_lidar
from echoes.commands.against_lidar import AgainstLidar
from echoes.grids import Grid, Range
from echoes.rasters.ground import NoGround, PlaneGround

GRID = Grid.of(z=Range(-4.0, 4.0, 8), y=Range(-48.0, 48.0, 24), x=Range(0.0, 64.0, 16))
NONE = NoGround("none")


def lidar(count=30):
    """(N, 4) points far from each other."""
    every = np.argwhere(np.ones((1, 5, 6)))[:count] * [1, 8, 6] + [0, -16, 2]
    return np.column_stack([every[:, 2], every[:, 1], every[:, 0], np.ones(len(every))]).astype(np.float32)


def told(pairs):
    """The table of frames, (radar, enhanced) each as a shift upwards [m] of the LiDAR's points."""
    against = AgainstLidar(99.0)
    for radar, enhanced in pairs:
        found = against_lidar.truth(lidar(), NONE, GRID)
        assert found is not None
        up = lidar()[:, :3]
        against.take(up + np.float32([0, 0, radar]), up + np.float32([0, 0, enhanced]), *found)
    return against.told()


def test_distances_are_means_over_frames_and_the_clouds_are_called_nearer_where_they_are():
    head, titles, radar, enhanced, verdict = told([(0.5, 0.2), (1.5, 0.4)])
    assert head == "against the LiDAR's points within 40 m, ground taken out, 2 frames:"
    assert titles.split() == " ".join(against_lidar.TITLES).split()
    assert radar.split() == ["radar", "1.00", "1.00", "1.00", "0.50", "0.50", "0.50"]
    assert enhanced.split() == ["enhanced", "0.30", "0.30", "0.30", "1.00", "1.00", "1.00"]
    assert verdict == "the clouds are nearer to the LiDAR than their radar: 0.30 x its Chamfer distance"
    assert len({len(line) for line in (titles, radar, enhanced)}) == 1


def test_clouds_that_are_farther_off_or_as_far_are_no_nearer():
    for radar, enhanced, ratio in ((0.5, 1.0, "2.00"), (0.5, 0.5, "1.00")):
        expected = f"the clouds are no nearer to the LiDAR than their radar: {ratio} x its Chamfer distance"
        assert told([(radar, enhanced)])[-1] == expected


def test_nothing_is_told_of_no_frame():
    assert AgainstLidar(99.0).told() == []


def test_an_empty_cloud_is_as_far_off_as_can_be():
    found = against_lidar.truth(lidar(), NONE, GRID)
    assert found is not None
    against = AgainstLidar(99.0)
    against.take(lidar()[:, :3], np.zeros((0, 6), np.float32), *found)
    against.take(lidar()[:, :3] + np.float32([0, 0, 1]), np.zeros((0, 6), np.float32), *found)
    assert against.told()[3].split()[1] == "99.00"


def test_what_lies_beyond_40_m_or_outside_the_grid_is_not_compared():
    there = lidar()
    away = np.float32([[45, 0, 0, 1], [30, 30, 0, 1], [10, 0, 7, 1], [-5, 0, 0, 1]])
    found = against_lidar.truth(np.concatenate([there, away]), NONE, GRID)
    assert found is not None
    truth, region = found
    np.testing.assert_array_equal(truth, there[:, :3])
    against = AgainstLidar(99.0)
    against.take(there[:, :3] + np.float32([0, 0, 0.1]), np.concatenate([there, away])[:, :3], truth, region)
    assert against.told()[3].split()[1] == "0.00"


def test_the_ground_is_taken_from_all_alike():
    rng = seeds.rng(0, "road")
    x, y = rng.uniform((0, -39), (40, 39), (3000, 2)).T
    road = np.column_stack([x, y, 0.05 * x - 1.5, np.ones(3000)]).astype(np.float32)
    there = lidar() + np.float32([0, 0, 2, 0])
    found = against_lidar.truth(np.concatenate([there, road]), PlaneGround("plane", 0.3, 2.0, 0.2), GRID)
    assert found is not None
    truth, region = found
    np.testing.assert_array_equal(truth, there[:, :3])
    assert region.ground == pytest.approx((0.05, 0.0, -1.5), abs=0.02)
    against = AgainstLidar(99.0)
    against.take(there[:, :3] + np.float32([0, 0, 0.1]), np.concatenate([there, road])[:, :3], truth, region)
    assert against.told()[3].split()[1] == "0.00"


def test_a_frame_without_a_lidar_or_without_a_point_to_compare_has_no_truth():
    assert against_lidar.truth(None, NONE, GRID) is None
    assert against_lidar.truth(np.zeros((0, 4), np.float32), NONE, GRID) is None
    assert against_lidar.truth(lidar() + np.float32([50, 0, 0, 0]), NONE, GRID) is None
