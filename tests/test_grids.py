"""Cells by their edges, metres by their centres, and grids that are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes import params
from echoes.errors import InputError
from echoes.grids import Axis, Grid, Range

GRID = Grid.of(z=Range(-2.4, 4.0, 16), y=Range(-25.6, 25.6, 64), x=Range(0.0, 51.2, 128))
X = Axis("x", "m", 0.0, 51.2, 128)
AXES = st.builds(
    lambda start, length, size: Axis("x", "m", start, start + length, size),
    st.floats(-100, 100),
    st.floats(0.5, 200),
    st.integers(1, 300),
)


@given(AXES)
def test_a_cell_holds_its_lower_edge_and_not_its_upper_one(axis):
    np.testing.assert_array_equal(axis.cells(axis.edges), np.arange(axis.size + 1))
    just_below = np.nextafter(axis.edges, -np.inf)
    np.testing.assert_array_equal(axis.cells(just_below), np.arange(-1, axis.size))


def test_a_division_would_misplace_values_on_edges_that_the_axis_places_right():
    divided = np.floor((X.edges[:-1] - X.start) / X.step).astype(int)
    assert (divided != np.arange(128)).any()
    np.testing.assert_array_equal(X.cells(X.edges[:-1]), np.arange(128))


@given(AXES)
def test_the_centre_of_a_cell_lies_in_it_half_a_step_from_its_edges(axis):
    np.testing.assert_array_equal(axis.cells(axis.centres), np.arange(axis.size))
    np.testing.assert_allclose(axis.centres - axis.edges[:-1], axis.step / 2, rtol=1e-6)


def test_values_off_the_axis_have_cells_off_the_axis():
    assert X.cells(np.array([-0.01, -1e9, 51.2, 1e9])).tolist() == [-1, -1, 128, 128]


def test_the_shape_is_z_y_x_and_a_point_is_x_y_z():
    assert GRID.shape == (16, 64, 128)
    cells, inside = GRID.cells(np.array([[0.1, -25.5, 3.9], [51.1, 0.0, -2.3]]))
    assert cells.tolist() == [[15, 0, 0], [0, 32, 127]]
    assert inside.all()
    np.testing.assert_allclose(GRID.centres(cells), [[0.2, -25.2, 3.8], [51.0, 0.4, -2.2]])


@given(st.integers(0, 15), st.integers(0, 63), st.integers(0, 127))
def test_cells_to_metres_and_back_is_the_identity(z, y, x):
    cells, inside = GRID.cells(GRID.centres(np.array([[z, y, x]])))
    assert cells.tolist() == [[z, y, x]]
    assert inside.all()


@pytest.mark.parametrize("point", [(-0.01, 0, 0), (51.2, 0, 0), (1, 25.6, 0), (1, -25.61, 0), (1, 0, 4.0), (1, 0, -9)])
def test_a_point_beyond_any_side_is_outside(point):
    assert not GRID.cells(np.array([point], float))[1].any()


def test_a_point_that_is_no_number_is_outside():
    assert not GRID.cells(np.array([[np.nan, 0, 0], [1, np.nan, 0], [1, 0, np.nan]]))[1].any()


def test_a_grid_survives_its_header():
    assert Grid(params.build(tuple[Axis, Axis, Axis], GRID.header(), "axes")) == GRID
    assert [axis["unit"] for axis in GRID.header()] == ["m", "m", "m"]


def test_the_diagonal_is_the_longest_distance():
    assert GRID.diagonal_m == pytest.approx(np.sqrt(6.4**2 + 51.2**2 + 51.2**2))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"start": 0.0, "stop": 1.0, "size": 18}, r"radar.grid.z.size: expected a multiple of 4, got 18"),
        ({"start": 0.0, "stop": 1.0, "size": 0}, r"radar.grid.z.size: expected a multiple of 4, got 0"),
        ({"start": 0.0, "stop": 1.0, "size": -4}, r"radar.grid.z.size: expected a multiple of 4, got -4"),
        ({"start": 1.0, "stop": 1.0, "size": 8}, r"radar.grid.z.stop: expected more than start = 1.0, got 1.0"),
    ],
)
def test_a_range_that_gives_no_latents_is_refused_with_its_path(section, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        params.build(Range, section, "radar.grid.z")


@given(st.integers(0, 2**31))
def test_a_point_at_an_offset_lies_that_share_of_a_cell_from_its_middle(seed):
    rng = np.random.default_rng(seed)
    cells = np.stack([rng.integers(0, size, 20) for size in GRID.shape], axis=1)
    offsets = rng.uniform(-0.49, 0.49, (20, 3))
    points = GRID.positions(cells, offsets)
    np.testing.assert_array_equal(GRID.cells(points)[0], cells)
    z, y, x = (0.4, 0.8, 0.4)  # lengths of a cell
    np.testing.assert_allclose(points - GRID.centres(cells), offsets[:, ::-1] * [x, y, z], atol=1e-9)
    np.testing.assert_allclose(GRID.widths, [z, y, x])
