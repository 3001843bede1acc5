"""Clusters and runs of cells: counted by hand, and what a turn or a mirror may not change."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import seeds
from echoes.evaluation import shapes
from echoes.grids import Grid, Range

GRID = Grid.of(z=Range(0.0, 4.0, 4), y=Range(-8.0, 8.0, 16), x=Range(-8.0, 8.0, 16))  # cells of 1 m around the sensor


def occupied(*cells: tuple[int, int, int]) -> np.ndarray:
    found = np.zeros(GRID.shape, bool)
    found[tuple(np.array(cells).T)] = True
    return found


def test_cells_that_touch_at_a_corner_are_one_cluster():
    cells = occupied((0, 0, 0), (1, 1, 1), (2, 2, 2), (0, 5, 5), (0, 5, 6), (3, 15, 15))
    assert sorted(shapes.cluster_sizes(cells)) == [1, 2, 3]
    assert len(shapes.cluster_sizes(np.zeros(GRID.shape, bool))) == 0


def test_runs_end_with_their_row():
    rows = np.array([[0, 1, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 1]], bool)
    assert shapes.run_lengths(rows).tolist() == [2, 1, 5, 1, 1]


def test_on_a_circle_a_run_goes_over_the_end_of_its_row():
    rows = np.array([[0, 1, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 1]], bool)
    assert shapes.circular_run_lengths(rows).tolist() == [2, 1, 5, 2]


@settings(max_examples=20)
@given(st.integers(0, 11), st.integers(0, 50))
def test_a_turn_of_the_circle_changes_no_run_and_no_cell_is_lost(turn, seed):
    rows = seeds.rng(seed, "rows").random((5, 12)) < 0.6
    runs = shapes.circular_run_lengths(rows)
    assert runs.sum() == rows.sum()
    assert sorted(shapes.circular_run_lengths(np.roll(rows, turn, axis=1))) == sorted(runs)


def test_a_ring_of_cells_around_the_sensor_is_one_arc_and_what_is_far_of_it_leaves_gaps():
    covered, one = shapes.sectors(GRID), 360 // shapes.SECTORS
    ring = np.zeros(GRID.shape, bool)
    ring[1, 4:12, [4, 11]] = ring[1, [4, 11], 4:12] = True
    assert shapes.arcs(ring, covered).tolist() == [shapes.SECTORS]
    (alone,) = shapes.arcs(occupied((1, 8, 15)), covered)  # 7.5 m ahead: atan(0.5 / 7.5) = 3.8 degrees to each side
    assert alone in (2 * 3.8 // one, 2 * 3.8 // one + 1)
    assert sorted(shapes.arcs(occupied((0, 8, 15), (2, 8, 15), (2, 8, 0)), covered)) == [alone] * 3


def test_a_column_straight_behind_is_one_arc_over_both_ends_of_the_azimuth():
    shifted = Grid.of(z=Range(0.0, 4.0, 4), y=Range(-7.5, 8.5, 16), x=Range(-8.0, 8.0, 16))
    covered, cells = shapes.sectors(shifted), np.zeros(shifted.shape, bool)
    assert shifted.axes[1].centres[7] == 0
    cells[0, 7, [0, 15]] = True
    ahead, behind = shapes.arcs(cells, covered)
    assert ahead == behind > 1
