import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes.errors import InputError
from echoes.grids import Grid, Range
from echoes.rasters import voxels
from echoes.rasters.cells import Cells, dense
from echoes.seeds import rng
from echoes.tasks import LIDAR_AND_RADAR

GRID = Grid.of(z=Range(-3.0, 5.0, 8), y=Range(-25.6, 25.6, 20), x=Range(0.0, 51.2, 12))


def returns(seed: int, count: int, overshoot_m: float = 0.0) -> np.ndarray:
    """(N, 5) radar returns spread over the grid, some of them beyond it."""
    r = rng(seed, "test", "returns")
    low = np.array([axis.start for axis in GRID.axes[::-1]]) - overshoot_m
    high = np.array([axis.stop for axis in GRID.axes[::-1]]) + overshoot_m
    measured = np.stack([r.normal(0, 10, count), r.uniform(40, 100, count)], axis=1)
    return np.concatenate([r.uniform(low, high, (count, 3)), measured], axis=1).astype(np.float32)


def slowly(points: np.ndarray, grid: Grid) -> np.ndarray:
    """The definition: (4, D, H, W) float64 from one selection of points per cell."""
    indices, inside = grid.cells(points)
    filled = np.zeros((4, *grid.shape))
    for cell in {tuple(map(int, row)) for row in indices[inside]}:
        here = points[inside & (indices == cell).all(axis=1)].astype(np.float64)
        filled[(slice(None), *cell)] = 1, here[:, 4].mean(), here[:, 3].mean(), here[:, 3].var()
    return filled


def test_one_return_fills_one_cell_with_what_it_measured():
    x, y, z = GRID.centres(np.array([[6, 3, 10]]))[0]
    cells = voxels.radar_cells(np.array([[x, y, z, -4.5, 61.0]], np.float32), GRID)
    assert cells.indices.tolist() == [[6, 3, 10]]
    assert cells.indices.dtype == np.uint8
    assert cells.features.tolist() == [[61.0, -4.5, 0.0]]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(0, 400))
def test_radar_cells_are_the_mean_power_the_mean_doppler_and_its_population_variance(seed, count):
    points = returns(seed, count, overshoot_m=3.0)
    filled = dense(voxels.radar_cells(points, GRID), GRID.shape)
    assert filled.dtype == np.float32
    np.testing.assert_allclose(filled, slowly(points, GRID), rtol=1e-6, atol=1e-6)


def test_every_occupied_cell_comes_once_in_flat_order():
    cells = voxels.radar_cells(returns(1, 3000, overshoot_m=3.0), GRID)
    flat = np.ravel_multi_index(tuple(cells.indices.T.astype(int)), GRID.shape)
    assert (np.diff(flat) > 0).all()


@pytest.mark.parametrize("direction", [-np.inf, np.inf])
def test_values_on_and_beside_every_edge_fall_into_the_cell_that_searchsorted_gives(direction):
    grid = Grid.of(z=Range(-2.1, 4.3, 32), y=Range(-25.6, 25.6, 128), x=Range(0.3, 50.7, 128))
    for column, axis in enumerate(reversed(grid.axes)):
        exact = axis.edges
        values = np.concatenate([exact, np.nextafter(exact, direction), np.float32(exact)])
        points = np.tile([[1.0, 1.0, 1.0, 0.0, 0.0]], (len(values), 1))
        points[:, column] = values
        points[:, 4] = np.arange(len(points))  # the mean power tells which points share a cell
        indices, inside = grid.cells(points)
        flat = np.ravel_multi_index(tuple(indices[inside].T), grid.shape)
        occupied, count = np.unique(flat, return_counts=True)
        filled = dense(voxels.radar_cells(points, grid), grid.shape).reshape(4, -1)
        np.testing.assert_array_equal(np.flatnonzero(filled[0]), occupied)
        np.testing.assert_allclose(filled[1, occupied], np.bincount(flat, points[inside, 4])[occupied] / count)


def test_returns_outside_the_grid_are_dropped():
    inside = np.array([[0.0, -25.6, -3.0, 1.0, 50.0]])  # the lowest corner belongs to the grid
    outside = np.tile(inside, (6, 1))
    outside[0, 0], outside[1, 1], outside[2, 2] = 51.2, 25.6, 5.0  # the upper ends do not
    outside[3, 0], outside[4, 1], outside[5, 2] = -0.001, -25.7, -1e30
    cells = voxels.radar_cells(np.concatenate([outside, inside]), GRID)
    assert cells.indices.tolist() == [[0, 0, 0]]
    assert len(voxels.radar_cells(outside, GRID).indices) == 0


def test_the_variance_keeps_its_digits_beside_a_large_mean():
    spread = np.array([1e-3, -1e-3, 2e-3, -2e-3])
    points = np.tile([[10.0, 0.0, 0.0, 0.0, 50.0]], (4, 1))
    points[:, 3] = 1e6 + spread
    variance = voxels.radar_cells(points, GRID).features[0, 2]
    assert variance == pytest.approx(spread.var(), rel=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=60))
def test_the_variance_is_never_negative_and_zero_for_equal_values(velocities):
    points = np.tile(np.float32([[10.0, 0.0, 0.0, 0.0, 50.0]]), (len(velocities), 1))
    points[:, 3] = velocities
    variance = voxels.radar_cells(points, GRID).features[0, 2]
    assert variance == pytest.approx(np.var(velocities), rel=1e-6, abs=1e-6)
    assert variance >= 0
    points[:, 3] = velocities[0]
    assert voxels.radar_cells(points, GRID).features[0, 2] == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_order_of_the_returns_does_not_matter(seed):
    points, radar = returns(seed, 2000), returns(seed + 1, 50)
    shuffled = rng(seed, "test", "order").permutation(len(points))
    one, other = voxels.radar_cells(points, GRID), voxels.radar_cells(points[shuffled], GRID)
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_allclose(one.features, other.features, rtol=1e-5, atol=1e-6)
    lidar = points[:, [0, 1, 2, 4]]
    one = voxels.lidar_and_radar_cells(lidar, GRID, radar, 8.0)
    other = voxels.lidar_and_radar_cells(lidar[shuffled], GRID, radar[::-1], 8.0)
    np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_allclose(one.features, other.features, rtol=1e-5, atol=1e-6)


def test_the_same_returns_give_the_same_bytes():
    points = returns(3, 5000)
    first, second = (voxels.radar_cells(points, GRID) for _ in range(2))
    assert first.features.tobytes() == second.features.tobytes()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), shift=st.tuples(*[st.integers(-2, 2)] * 3))
def test_a_shift_by_whole_cells_is_a_roll(seed, shift):
    grid = Grid.of(z=Range(0.0, 8.0, 8), y=Range(0.0, 8.0, 8), x=Range(0.0, 8.0, 8))  # cells of 1 m
    points = rng(seed, "test", "shift").uniform(2, 6, (100, 5))
    moved = points + np.array([*shift[::-1], 0, 0])
    before, after = (dense(voxels.radar_cells(p, grid), grid.shape)[1:] for p in (points, moved))
    np.testing.assert_allclose(np.roll(before, shift, axis=(1, 2, 3)), after, rtol=1e-6)


def test_dense_puts_the_occupancy_first_and_zero_elsewhere():
    cells = Cells(np.array([[0, 1, 2], [3, 0, 1]], np.uint8), np.array([[5, -6], [0, 7]], np.float32))
    filled = dense(cells, (4, 4, 4))
    assert filled[:, 0, 1, 2].tolist() == [1, 5, -6]
    assert filled[:, 3, 0, 1].tolist() == [1, 0, 7]
    assert np.abs(filled).sum() == 2 + 5 + 6 + 7


@pytest.mark.parametrize("cell", [[4, 0, 0], [0, 4, 0], [0, 0, 4]])
def test_cells_of_a_larger_grid_are_refused(cell):
    cells = Cells(np.array([cell], np.uint8), np.zeros((1, 2), np.float32))
    with pytest.raises(InputError, match="outside"):
        dense(cells, (4, 4, 4))


def test_axes_of_more_than_256_cells_get_wider_indices():
    grid = Grid.of(z=Range(0.0, 4.0, 4), y=Range(0.0, 4.0, 4), x=Range(0.0, 300.0, 300))
    cells = voxels.radar_cells(np.array([[299.5, 1.5, 2.5, 0.0, 0.0]], np.float32), grid)
    assert cells.indices.dtype == np.uint16
    assert cells.indices.tolist() == [[2, 1, 299]]


def test_a_target_cell_takes_doppler_and_power_from_the_nearest_radar_return_in_reach():
    grid = Grid.of(z=Range(0.0, 4.0, 4), y=Range(0.0, 4.0, 4), x=Range(0.0, 40.0, 40))  # cells of 1 m
    lidar = np.array([[5.1, 1.2, 2.9, 0.2], [5.9, 1.9, 2.1, 0.4], [30.5, 1.5, 2.5, 0.9]], np.float32)
    radar = np.array([[7.0, 1.5, 2.5, 3.0, 70.0], [6.5, 1.5, 2.5, -2.0, 60.0]], np.float32)
    cells = voxels.lidar_and_radar_cells(lidar, grid, radar, 1.0)  # the second one lies exactly 1 m from the centre
    assert cells.indices.tolist() == [[2, 1, 5], [2, 1, 30]]
    np.testing.assert_allclose(cells.features, [[0.3, -2.0, 1.0, 60.0], [0.9, 0.0, 0.0, 0.0]], rtol=1e-6)


def test_of_two_radar_returns_at_one_place_the_same_one_is_taken_in_any_order():
    lidar = np.array([[5.0, 1.0, 1.0, 0.25]], np.float32)
    radar = np.tile(np.float32([[5.0, 1.0, 1.0, 0.0, 60.0]]), (40, 1))
    radar[:, 3] = np.arange(40)
    one, other = (voxels.lidar_and_radar_cells(lidar, GRID, returned, 100.0) for returned in (radar, radar[::-1]))
    np.testing.assert_array_equal(one.features, other.features)


def test_target_channels_name_the_features_behind_the_occupancy():
    lidar, radar = np.array([[5.0, 1.0, 1.0, 0.25]], np.float32), np.array([[5.0, 1.0, 1.0, -7.0, 66.0]], np.float32)
    filled = dense(voxels.lidar_and_radar_cells(lidar, GRID, radar, 100.0), GRID.shape)
    named = dict(zip(LIDAR_AND_RADAR, filled.reshape(5, -1).max(axis=1), strict=True))
    lowest = dict(zip(LIDAR_AND_RADAR, filled.reshape(5, -1).min(axis=1), strict=True))
    assert (named["occupancy"], named["reflectivity"], named["doppler_valid"], named["power"]) == (1, 0.25, 1, 66)
    assert lowest["doppler"] == -7


@pytest.mark.parametrize(("lidar", "radar"), [(0, 5), (5, 0), (0, 0)])
def test_frames_without_returns_give_no_doppler_and_no_error(lidar, radar):
    cells = voxels.lidar_and_radar_cells(returns(0, lidar)[:, :4], GRID, returns(1, radar), 0.1)
    assert cells.features.shape == (len(cells.indices), 4)
    assert not cells.features[:, 1:].any()


def test_the_offset_of_one_return_is_where_it_lies_in_its_cell():
    width = np.array([axis.step for axis in GRID.axes])
    centre = GRID.centres(np.array([[6, 3, 10]]))[0]
    x, y, z = centre + np.array([0.25, -0.4, 0.1]) * width[::-1]
    found = voxels.mean_offsets(np.array([[x, y, z]]), GRID)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.1, -0.4, 0.25]], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 300))
def test_offsets_are_means_in_the_order_of_the_cells_and_positions_undo_them(seed, count):
    points = returns(seed, count, 4.0)
    offsets, cells = voxels.mean_offsets(points, GRID), voxels.lidar_and_radar_cells(points[:, :4], GRID, points, 1.0)
    assert offsets.shape == cells.indices.shape
    assert (np.abs(offsets) <= 0.5).all()
    indices, inside = GRID.cells(points)
    for cell, position in zip(cells.indices, GRID.positions(cells.indices, offsets), strict=True):
        here = points[inside & (indices == cell).all(axis=1), :3].astype(np.float64)
        np.testing.assert_allclose(position, here.mean(axis=0), atol=1e-5)
    np.testing.assert_array_equal(cells.indices, voxels.radar_cells(points, GRID).indices)


def test_no_return_has_no_offset():
    assert voxels.mean_offsets(np.full((3, 3), 1e3), GRID).shape == (0, 3)
