import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes.grids import Grid, Range
from echoes.rasters import visibility
from echoes.rasters.cells import pack, unpack
from echoes.rasters.visibility import FREE, OCCUPIED, UNKNOWN
from echoes.seeds import rng

UNIT = Grid.of(z=Range(0.0, 8.0, 8), y=Range(0.0, 12.0, 12), x=Range(0.0, 16.0, 16))  # cells of 1 m
CUBE = Grid.of(z=Range(0.0, 8.0, 8), y=Range(0.0, 8.0, 8), x=Range(0.0, 8.0, 8))


def seen(points: list[list[float]], origin: tuple[float, float, float], grid: Grid) -> np.ndarray:
    return visibility.visibility(np.array(points, np.float32), origin, grid)


def cells_of(state: np.ndarray, value: int) -> set[tuple[int, ...]]:
    return {tuple(map(int, cell)) for cell in np.argwhere(state == value)}


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_ray_along_an_axis_crosses_the_cells_between_its_ends(axis, forward):
    near, far = [2.5, 2.5, 2.5], [2.5, 2.5, 2.5]
    far[2 - axis] = 6.5
    origin, end = (near, far) if forward else (far, near)
    state = seen([end], tuple(origin), UNIT)
    line = [tuple(i if a == axis else 2 for a in range(3)) for i in range(2, 7)]
    reached = line[-1] if forward else line[0]
    assert cells_of(state, OCCUPIED) == {reached}
    assert cells_of(state, FREE) == set(line) - {reached}


def test_a_diagonal_passes_through_corners_only():
    state = seen([[6.5, 6.5, 6.5]], (1.5, 1.5, 1.5), CUBE)
    assert cells_of(state, FREE) == {(i, i, i) for i in range(1, 6)}
    assert cells_of(state, OCCUPIED) == {(6, 6, 6)}


def test_a_slanted_ray_crosses_the_cells_found_by_hand():
    # y = 0.5 + (x - 0.5) / 2: into the next row at x = 1.5 and 3.5
    state = seen([[4.5, 2.5, 0.5]], (0.5, 0.5, 0.5), CUBE)
    assert cells_of(state, FREE) == {(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 2), (0, 1, 3), (0, 2, 3)}
    assert cells_of(state, OCCUPIED) == {(0, 2, 4)}


def test_behind_a_wall_nothing_is_known():
    y, z = np.meshgrid(np.arange(0.25, 12, 0.5), np.arange(0.25, 8, 0.5))
    wall = np.stack([np.full(y.size, 8.5), y.ravel(), z.ravel()], axis=1)
    state = seen(wall.tolist(), (0.5, 6.1, 4.1), UNIT)
    assert (state[:, :, 8] == OCCUPIED).all()
    assert (state[:, :, 9:] == UNKNOWN).all()
    assert (state[:, :, 5:8] == FREE).any()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    origin=st.tuples(st.floats(-6, 22), st.floats(-6, 18), st.floats(-6, 14)),
    spread_m=st.sampled_from([0.0, 6.0]),
)
def test_rays_cross_the_cells_found_by_sampling_them_densely(seed, origin, spread_m):
    """Each sampled cell is observed, and each free cell lies within rounding of a ray."""
    points = rng(seed, "test", "rays").uniform(-spread_m, np.array([16, 12, 8]) + spread_m, (4, 3)).astype(np.float32)
    state = visibility.visibility(points, origin, UNIT)
    t = np.linspace(0, 1, 4001)[:, None]
    samples = np.concatenate([np.asarray(origin) + t * (p.astype(np.float64) - origin) for p in points])
    indices, inside = UNIT.cells(samples)
    assert (state[tuple(indices[inside].T)] != UNKNOWN).all()
    for z, y, x in np.argwhere(state == FREE):
        centre = np.array([x, y, z]) + 0.5
        gap = np.abs(samples - centre).max(axis=1).min()
        assert gap < 0.5 + 0.01  # a sample lies in the cell or, where a corner is cut, beside it


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), origin=st.tuples(*[st.floats(-20, 30)] * 3))
def test_every_cell_with_a_return_is_occupied_and_no_other(seed, origin):
    points = rng(seed, "test", "rays").uniform(-4, 20, (200, 4)).astype(np.float32)
    state = visibility.visibility(points, origin, UNIT)
    indices, inside = UNIT.cells(points)
    assert cells_of(state, OCCUPIED) == {tuple(map(int, cell)) for cell in indices[inside]}
    np.testing.assert_array_equal(visibility.observed(points, origin, UNIT), state > 0)


@settings(max_examples=60, deadline=None)
@given(
    corners=st.lists(st.tuples(*[st.integers(-2, 18)] * 3), min_size=1, max_size=8),
    origin=st.tuples(*[st.integers(-2, 18)] * 3),
)
def test_rays_on_edges_and_corners_end_where_they_must(corners, origin):
    """Ends on the borders of cells: no endless walk, and every return inside is reached."""
    points = np.array(corners, np.float32)
    state = visibility.visibility(points, tuple(map(float, origin)), UNIT)
    indices, inside = UNIT.cells(points)
    assert cells_of(state, OCCUPIED) == {tuple(map(int, cell)) for cell in indices[inside]}


def test_a_ray_that_ends_or_starts_on_a_border_touches_nothing_beyond():
    backward = seen([[3.0, 2.5, 2.5]], (6.5, 2.5, 2.5), UNIT)  # a cell holds its lower border
    assert cells_of(backward, FREE) == {(2, 2, x) for x in (4, 5, 6)}
    assert cells_of(backward, OCCUPIED) == {(2, 2, 3)}
    forward = seen([[6.5, 2.5, 2.5]], (3.0, 2.5, 2.5), UNIT)
    assert cells_of(forward, FREE) == {(2, 2, x) for x in (3, 4, 5)}


def test_a_sensor_so_far_that_its_rays_are_rounded_across_a_border_does_no_harm():
    state = visibility.visibility(np.array([[1e-12, 3 - 1e-10, 0.5]]), (-1e7, -1e7, 0.5), UNIT)
    assert cells_of(state, OCCUPIED) == {(0, 2, 0)}
    assert cells_of(state, FREE) == set()


def test_a_return_beyond_the_grid_frees_the_way_up_to_its_end():
    state = seen([[40.0, 6.5, 4.5]], (3.5, 6.5, 4.5), UNIT)
    assert cells_of(state, FREE) == {(4, 6, x) for x in range(3, 16)}
    assert cells_of(state, OCCUPIED) == set()


def test_a_ray_from_outside_starts_where_it_enters():
    state = seen([[3.5, 6.5, 4.5]], (-30.0, 6.5, 4.5), UNIT)
    assert cells_of(state, FREE) == {(4, 6, 0), (4, 6, 1), (4, 6, 2)}
    assert cells_of(state, OCCUPIED) == {(4, 6, 3)}


def test_a_ray_that_misses_the_grid_says_nothing():
    assert not seen([[40.0, 50.0, 4.0], [-5.0, 6.0, 4.0]], (-10.0, 6.0, 4.0), UNIT).any()
    assert not seen([[40.0, 13.0, 4.0]], (-10.0, 13.0, 4.0), UNIT).any()


def test_without_returns_everything_is_unknown():
    assert not visibility.visibility(np.empty((0, 4), np.float32), (1.0, 1.0, 1.0), UNIT).any()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), shape=st.tuples(*[st.integers(1, 9)] * 3))
def test_packed_masks_come_back(seed, shape):
    mask = rng(seed, "test", "mask").random(shape) < 0.5
    bits = pack(mask)
    assert bits.dtype == np.uint8
    assert bits.shape == ((mask.size + 7) // 8,)
    np.testing.assert_array_equal(unpack(bits, shape), mask)
