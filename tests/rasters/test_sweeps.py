"""Earlier returns: where they are by now, and what a cell tells of them."""

import numpy as np
import pytest

from echoes import seeds
from echoes.errors import InputError
from echoes.grids import Grid, Range
from echoes.rasters import sweeps, voxels
from echoes.rasters.sweeps import Sweep, Sweeps, motion, moved
from echoes.tasks import ENHANCE, aged

GRID = Grid.of(z=Range(-2.0, 2.0, 4), y=Range(-32.0, 32.0, 32), x=Range(0.0, 64.0, 32))
UNKNOWN = np.full(3, np.nan)


def returns(seed, count=60):
    rng = seeds.rng(seed, "returns")
    xyz = rng.uniform((5, -30, -1.9), (60, 30, 1.9), (count, 3))
    return np.column_stack([xyz, np.zeros(count), rng.uniform(40, 100, count)]).astype(np.float32)


def turned(angle_rad, position):
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(angle_rad), -np.sin(angle_rad)], [np.sin(angle_rad), np.cos(angle_rad)]]
    pose[:3, 3] = position
    return pose


def test_what_stands_still_is_where_it_was_in_the_world_however_the_radar_turned():
    then, now = turned(0.3, (5.0, 1.0, 0.5)), turned(0.9, (9.0, 4.0, 0.6))
    world = np.array([[20.0, 6.0, 1.0], [12.0, -3.0, 0.0]])
    seen = (world - then[:3, 3]) @ then[:3, :3]
    points = np.column_stack([seen, np.zeros(2), [50.0, 60.0]])
    way = motion((then, now), (UNKNOWN, UNKNOWN), 0.2)
    found = moved(Sweep(points, 0.2, way))
    np.testing.assert_allclose(found[:, :3], (world - now[:3, 3]) @ now[:3, :3], atol=1e-5)
    np.testing.assert_array_equal(found[:, 3:], points[:, 3:].astype(np.float32))


def test_what_moves_along_its_line_of_sight_is_where_it_went():
    direction = np.array([3.0, 4.0, 0.0]) / 5
    points = np.array([[*(20 * direction), 6.0, 50.0]])  # 6 m/s away
    found = moved(Sweep(points, 0.5, np.eye(4)))
    np.testing.assert_allclose(found[0, :3], 23 * direction, rtol=1e-6)


def test_a_return_neither_passes_through_the_radar_nor_leaves_it_without_a_direction():
    points = np.array([[1.0, 0.0, 0.0, -9.0, 50.0], [0.0, 0.0, 0.0, 5.0, 50.0]])
    np.testing.assert_array_equal(moved(Sweep(points, 0.5, np.eye(4)))[:, :3], 0)


def test_without_poses_the_radar_went_straight_on_with_the_mean_of_its_velocities():
    way = motion((None, turned(1.0, (3.0, 0.0, 0.0))), (np.array([8.0, 0.0, 0.0]), np.array([12.0, 1.0, 0.0])), 0.2)
    np.testing.assert_allclose(way, [[1, 0, 0, -2.0], [0, 1, 0, -0.1], [0, 0, 1, 0], [0, 0, 0, 1]])


def test_without_poses_and_velocities_the_way_is_not_known():
    assert motion((None, None), (UNKNOWN, np.zeros(3)), 0.1) is None


def test_a_cell_tells_what_its_newest_returns_measured_and_how_old_they_are():
    now, before, long_before = returns(0), returns(1), returns(2)
    earlier = [Sweep(long_before, 0.4, np.eye(4)), Sweep(before, 0.1, np.eye(4))]
    found = sweeps.cells(now, earlier, GRID)
    flat = np.ravel_multi_index(tuple(found.indices.T.astype(int)), GRID.shape)
    assert (np.diff(flat) > 0).all()
    taken: set[int] = set()
    for age_s, points in ((0.0, now), (0.1, before), (0.4, long_before)):
        of = voxels.radar_cells(points, GRID)
        of_flat = np.ravel_multi_index(tuple(of.indices.T.astype(int)), GRID.shape)
        new = np.array([cell not in taken for cell in of_flat])
        mine = found.features[:, -1] == np.float32(age_s)
        np.testing.assert_array_equal(flat[mine], of_flat[new])
        np.testing.assert_array_equal(found.features[mine, :-1], of.features[new])
        assert new.any()
        taken |= set(of_flat.tolist())
    assert len(found.indices) == len(taken)


def test_the_cells_of_the_present_frame_are_as_they_are_alone():
    now, channels = returns(0), aged(ENHANCE).input
    alone = voxels.radar_cells(now, GRID)
    found = sweeps.present(sweeps.cells(now, [Sweep(returns(1), 0.1, np.eye(4))], GRID), channels)
    np.testing.assert_array_equal(found.indices, alone.indices)
    np.testing.assert_array_equal(found.features[:, :-1], alone.features)
    assert sweeps.present(alone, ENHANCE.input) is alone


@pytest.mark.parametrize(
    ("count", "seconds", "message"),
    [(0, 0.5, r"^count: expected at least 1, got 0$"), (3, 0.0, r"^seconds: expected more than 0, got 0\.0$")],
)
def test_sweeps_that_cannot_be_are_refused(count, seconds, message):
    with pytest.raises(InputError, match=message):
        Sweeps(count, seconds)
