"""An enhanced frame against the LiDAR's points: by hand, against all pairs, and what a region leaves out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from echoes import seeds
from echoes.errors import InputError
from echoes.evaluation.bands import BANDS_M
from echoes.evaluation.cells import Cells, Target
from echoes.evaluation.clouds import evaluate_frame
from echoes.evaluation.points import Region, evaluate_points, inside, restrict
from echoes.grids import Grid, Range

GRID = Grid.of(z=Range(-2.0, 6.0, 8), y=Range(-48.0, 48.0, 96), x=Range(0.0, 64.0, 64))
FAR_M = GRID.diagonal_m
clouds = st.integers(1, 12).flatmap(lambda n: arrays(np.float64, (n, 3), elements=st.integers(-30, 30).map(float)))


def points(*rows: tuple[float, float, float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, 3)


def scattered(count: int, purpose: str, dtype: type = np.float64) -> np.ndarray:
    return seeds.rng(0, purpose).uniform([0, -48, -2], [64, 48, 6], (count, 3)).astype(dtype)


def test_values_of_a_small_frame_are_those_by_hand():
    true = points((5, 0, 0), (10, 0, 0))
    predicted = points((5, 0, 0), (5, 1, 0), (13, 4, 0))
    values = evaluate_points(predicted, true, FAR_M)
    assert values["to_target_m"] == pytest.approx((0 + 1 + 5) / 3)
    assert values["from_target_m"] == pytest.approx((0 + 5) / 2)
    assert values["chamfer_sum_m"] == pytest.approx(values["to_target_m"] + values["from_target_m"])
    assert values["chamfer_m"] == pytest.approx(values["chamfer_sum_m"] / 2)
    assert (values["hausdorff_m"], values["mhd_m"]) == (pytest.approx(5.0), pytest.approx(2.5))
    assert (values["precision@0.5m"], values["recall@0.5m"]) == (pytest.approx(1 / 3), 0.5)
    assert (values["precision@1.0m"], values["recall@1.0m"]) == (pytest.approx(2 / 3), 0.5)
    assert (values["f1@0.5m"], values["f1@1.0m"]) == (pytest.approx(0.4), pytest.approx(4 / 7))
    assert (values["count_ratio"], values["empty"]) == (1.5, 0.0)


@given(clouds, clouds)
def test_distances_and_shares_agree_with_all_pairs(predicted, true):
    pairs = np.linalg.norm(predicted[:, None] - true[None], axis=2)
    there, back = pairs.min(axis=1), pairs.min(axis=0)
    values = evaluate_points(predicted, true, FAR_M)
    assert values["to_target_m"] == pytest.approx(there.mean())
    assert values["from_target_m"] == pytest.approx(back.mean())
    assert values["hausdorff_m"] == pytest.approx(max(there.max(), back.max()))
    assert values["mhd_m"] == pytest.approx(max(np.median(there), np.median(back)))
    assert values["precision@1.0m"] == np.mean(there <= 1.0)
    assert values["recall@1.0m"] == np.mean(back <= 1.0)
    for band, (start_m, stop_m) in BANDS_M.items():
        ranges_m = [np.hypot(x, y) for x, y in (predicted[:, :2].T, true[:, :2].T)]
        here, known = ((start_m <= r) & (r < stop_m) for r in ranges_m)
        if here.any() and known.any():
            expected = (there[here].mean() + back[known].mean()) / 2
            assert values[f"chamfer_m_{band}"] == pytest.approx(expected)


@given(clouds, clouds)
def test_exchanging_prediction_and_truth_exchanges_the_directions(first, second):
    there, back = evaluate_points(first, second, FAR_M), evaluate_points(second, first, FAR_M)
    for key in ("chamfer_m", "chamfer_sum_m", "hausdorff_m", "mhd_m", "f1@0.5m", "f1@1.0m"):
        assert there[key] == pytest.approx(back[key]), key
    for key, other in (("to_target_m", "from_target_m"), ("precision@0.5m", "recall@0.5m")):
        assert (there[key], there[other]) == (back[other], back[key])
    assert there["count_ratio"] == pytest.approx(1 / back["count_ratio"])


@given(clouds, clouds, st.integers(2, 4))
def test_predicting_every_point_again_changes_the_count_alone(predicted, true, times):
    once, again = (evaluate_points(np.tile(predicted, (n, 1)), true, FAR_M) for n in (1, times))
    assert again.pop("count_ratio") == pytest.approx(times * once.pop("count_ratio"))
    assert again == pytest.approx(once, nan_ok=True)


def test_a_point_predicted_twice_weighs_twice():
    true = points((5, 0, 0))
    assert evaluate_points(points((5, 0, 0), (5, 0, 3)), true, FAR_M)["to_target_m"] == pytest.approx(1.5)
    assert evaluate_points(points((5, 0, 0), (5, 0, 3), (5, 0, 3)), true, FAR_M)["to_target_m"] == pytest.approx(2.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_truth_against_itself_is_perfect(dtype):
    true = scattered(300, "truth", dtype)
    for key, value in evaluate_points(true, true, FAR_M).items():
        distance = (key.endswith("_m") and "@" not in key) or key.startswith("chamfer_m") or key == "empty"
        assert value == (0.0 if distance else 1.0), key


def test_centres_of_cells_of_an_observed_grid_have_the_numbers_of_the_cells():
    rng = seeds.rng(0, "cells")
    flat = [rng.choice(np.prod(GRID.shape), count, replace=False) for count in (150, 200)]
    predicted, true = (np.stack(np.unravel_index(f, GRID.shape), axis=1) for f in flat)
    valid, observed = np.zeros(len(true), bool), np.ones(GRID.shape, bool)
    by_cells = evaluate_frame(Cells(predicted, None, None), Target(Cells(true, None, None), valid, observed), GRID)
    by_points = evaluate_points(GRID.centres(predicted), GRID.centres(true), FAR_M)
    shared = by_points.keys() & by_cells.keys()
    assert by_points.keys() - shared == {"to_target_m", "from_target_m"}
    assert {key: by_points[key] for key in shared} == {key: by_cells[key] for key in shared}


def test_columns_after_the_third_do_not_count():
    predicted, true = scattered(20, "p"), scattered(30, "t")
    wide = np.column_stack([predicted, np.full(20, 99.0)])
    assert evaluate_points(wide, true, FAR_M) == evaluate_points(predicted, true, FAR_M)
    region = Region(40.0, GRID, (0.0, 0.0, 0.0), 0.3)
    assert (inside(wide, region) == inside(predicted, region)).all()


def test_a_pair_across_the_border_of_a_band_is_a_pair_in_both():
    values = evaluate_points(points((19.5, 0, 0)), points((20.5, 0, 0)), FAR_M)
    assert values["chamfer_m_20-40m"] == pytest.approx(1.0)
    assert values["f1@1.0m_20-40m"] == 1.0
    assert math.isnan(values["chamfer_m_0-20m"])


def test_an_empty_prediction_is_far_away_and_two_empty_sets_agree():
    none, some = points(), points((5, 0, 0), (30, 0, 0))
    missed, made_up, nothing = (evaluate_points(*pair, FAR_M) for pair in ((none, some), (some, none), (none, none)))
    for values in (missed, made_up):
        assert values["chamfer_m"] == values["to_target_m"] == values["from_target_m"] == FAR_M
        assert values["f1@1.0m"] == 0.0
    assert missed["chamfer_m_0-20m"] == FAR_M
    assert (missed["count_ratio"], missed["empty"], made_up["empty"]) == (0.0, 1.0, 0.0)
    assert math.isnan(made_up["count_ratio"])
    assert (nothing["chamfer_m"], nothing["f1@0.5m"], nothing["empty"]) == (0.0, 1.0, 1.0)


def test_a_region_ends_below_its_range_and_begins_at_its_height():
    region = Region(range_m=40.0, grid=GRID, ground=(0.0, 0.0, -1.75), height_m=0.25)
    at_range, aside, above = points((40, 0, 0), (24, 32, 0), (5, 0, 9))
    just_in, at_height, below = points((39.99, 0, 0), (5, 0, -1.5), (5, 0, -1.51))
    rows = np.stack([at_range, aside, above, just_in, at_height, below])
    assert inside(rows, region).tolist() == [False, False, False, True, True, False]


def test_the_ground_of_a_slope_is_a_slope():
    region = Region(60.0, GRID, ground=(0.125, -0.0625, 0.0), height_m=0.5)
    x, y = (values.ravel() for values in np.meshgrid(np.arange(1.0, 40, 4), np.arange(-8.0, 9, 4)))
    plane = 0.125 * x - 0.0625 * y
    for above_m, kept in ((-1.0, False), (0.0, False), (0.375, False), (0.5, True), (0.75, True)):
        cloud = np.stack([x, y, plane + above_m], axis=1)
        assert (inside(cloud, region) == (kept & GRID.cells(cloud)[1])).all()


def test_without_a_plane_no_ground_is_taken_out():
    low = points((5, 0, -1.99))
    assert inside(low, Region(40.0, GRID, None, 0.3)).all()
    assert not inside(low, Region(40.0, GRID, (0.0, 0.0, -1.8), 0.3)).any()


@given(arrays(np.float64, (20, 3), elements=st.integers(-80, 80).map(float)), st.sampled_from([np.float32, np.float64]))
def test_a_point_is_inside_whatever_the_others_are_and_in_either_precision(cloud, dtype):
    region = Region(40.0, GRID, (0.25, 0.0, -3.0), 0.5)
    whole = inside(cloud, region)
    assert whole.tolist() == [bool(inside(row[None].astype(dtype), region)[0]) for row in cloud]
    ranges_m = np.hypot(cloud[:, 0], cloud[:, 1])
    height_m = cloud[:, 2] - 0.25 * cloud[:, 0] + 3.0
    assert (whole == (GRID.cells(cloud)[1] & (ranges_m < 40) & (height_m >= 0.5))).all()


def test_a_point_that_is_not_finite_is_not_inside():
    broken = np.array([[5.0, 0.0, np.nan], [np.inf, 0.0, 0.0], [5.0, 0.0, 0.0]])
    assert inside(broken, Region(40.0, GRID, None, 0.3)).tolist() == [False, False, True]


@pytest.mark.parametrize(("range_m", "height_m", "named"), [(0.0, 0.3, "range_m"), (40.0, -0.1, "height_m")])
def test_a_region_of_no_extent_is_refused(range_m, height_m, named):
    with pytest.raises(InputError, match=named):
        Region(range_m, GRID, None, height_m)


def test_what_is_compared_keeps_all_columns_and_its_order():
    given = np.column_stack([points((5, 0, 0), (45, 0, 0), (6, 1, 0), (5, 0, 9)), np.arange(4)])
    region = Region(40.0, GRID, None, 0.0)
    np.testing.assert_array_equal(restrict(given, region), given[inside(given, region)])
    assert restrict(given, region)[:, 3].tolist() == [0, 2]
