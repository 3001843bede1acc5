"""One frame against its target: values by hand, invariants, and what may not be dropped."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import seeds
from echoes.evaluation.bands import BANDS_M
from echoes.evaluation.cells import Cells, Target, agreement
from echoes.evaluation.clouds import evaluate_frame
from echoes.grids import Grid, Range

GRID = Grid.of(z=Range(-2.0, 2.0, 4), y=Range(-32.0, 32.0, 64), x=Range(0.0, 64.0, 64))  # cells of 1 m
POINT_KEYS = ("chamfer_m", "chamfer_sum_m", "hausdorff_m", "mhd_m")
SHARE_KEYS = (
    "precision@0.5m",
    "recall@0.5m",
    "f1@0.5m",
    "precision@1.0m",
    "recall@1.0m",
    "f1@1.0m",
    "iou_3d",
    "iou_bev",
)


def cells(*indices: tuple[int, int, int], doppler_mps: float = 0.0, power_db: float = 0.0) -> Cells:
    rows = np.array(indices, dtype=np.int64).reshape(-1, 3)
    return Cells(rows, np.full(len(rows), doppler_mps), np.full(len(rows), power_db))


def target(truth: Cells, unknown: tuple[tuple[int, int, int], ...] = ()) -> Target:
    observed = np.ones(GRID.shape, dtype=bool)
    observed[tuple(np.array(unknown, dtype=np.int64).reshape(-1, 3).T)] = False
    return Target(truth, np.ones(len(truth.indices), dtype=bool), observed)


def scattered(count: int, purpose: str, grid: Grid = GRID) -> Cells:
    rng = seeds.rng(0, purpose)
    flat = rng.choice(np.prod(grid.shape), count, replace=False)
    return Cells(np.stack(np.unravel_index(flat, grid.shape), axis=1), rng.normal(size=count), rng.normal(size=count))


def test_a_perfect_prediction_is_perfect():
    truth = scattered(200, "truth")
    values = evaluate_frame(truth, target(truth), GRID)
    for key, value in values.items():
        distance = key.startswith(POINT_KEYS) or key in ("jsd_bev", "doppler_mae_mps", "power_mae_db", "pfa", "empty")
        assert value == (0.0 if distance else 1.0), key


def test_values_of_a_small_frame_are_those_by_hand():
    truth = cells((1, 32, 5), (1, 32, 10))
    predicted = cells((1, 32, 5), (2, 32, 5), (1, 36, 13), doppler_mps=1.5, power_db=-3.0)
    values = evaluate_frame(predicted, target(truth), GRID)
    assert values["chamfer_sum_m"] == pytest.approx((0 + 1 + 5) / 3 + (0 + 5) / 2)
    assert values["chamfer_m"] == pytest.approx(values["chamfer_sum_m"] / 2)
    assert values["hausdorff_m"] == pytest.approx(5.0)
    assert values["mhd_m"] == pytest.approx(2.5)
    assert (values["precision@0.5m"], values["recall@0.5m"]) == (pytest.approx(1 / 3), 0.5)
    assert (values["precision@1.0m"], values["recall@1.0m"]) == (pytest.approx(2 / 3), 0.5)
    assert values["f1@0.5m"] == pytest.approx(0.4)
    assert values["iou_3d"] == pytest.approx(1 / 4)
    assert values["iou_bev"] == pytest.approx(1 / 3)
    assert values["count_ratio"] == 1.5
    assert (values["pd"], values["pfa"]) == (0.5, pytest.approx(2 / (4 * 64 * 64 - 2)))
    assert values["doppler_mae_mps"] == 1.5
    assert values["power_mae_db"] == 3.0


def test_jsd_compares_how_many_cells_each_column_has():
    truth, predicted = cells((0, 0, 0), (0, 0, 1)), cells((0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 0, 1))
    shares = np.array([0.5, 0.5]), np.array([0.75, 0.25])
    mean = (shares[0] + shares[1]) / 2
    divergence = sum((p * np.log(p / mean)).sum() for p in shares) / 2
    assert evaluate_frame(predicted, target(truth), GRID)["jsd_bev"] == pytest.approx(np.sqrt(divergence))


def test_predictions_in_unobserved_space_change_nothing():
    everything = scattered(130, "cells")
    truth, seen = (Cells(everything.indices[part], np.ones(80), np.ones(80)) for part in (slice(80), slice(50, 130)))
    taken = {tuple(row) for row in everything.indices.tolist()}
    hidden = [(3, y, x) for y in range(10) for x in range(10) if (3, y, x) not in taken]
    loud = np.full(len(hidden), 99.0)
    both = Cells(
        np.concatenate([seen.indices, np.array(hidden)]),
        *(np.concatenate([values, loud]) for values in (seen.doppler_mps, seen.power_db)),
    )
    frame = target(truth, unknown=tuple(hidden))
    assert evaluate_frame(both, frame, GRID) == evaluate_frame(seen, frame, GRID)
    assert evaluate_frame(both, target(truth), GRID)["chamfer_m"] != evaluate_frame(seen, frame, GRID)["chamfer_m"]


def test_a_column_is_judged_after_unobserved_cells_are_dropped():
    truth, predicted = cells((0, 8, 8)), cells((0, 8, 8), (3, 20, 20))
    assert evaluate_frame(predicted, target(truth, unknown=((3, 20, 20),)), GRID)["iou_bev"] == 1.0
    assert evaluate_frame(predicted, target(truth, unknown=((2, 20, 20),)), GRID)["iou_bev"] == 0.5


def test_an_empty_prediction_counts_with_the_worst_values():
    values = evaluate_frame(cells(), target(cells((1, 32, 5), (1, 32, 50))), GRID)
    assert all(values[key] == GRID.diagonal_m for key in ("chamfer_m", "hausdorff_m", "mhd_m", "chamfer_m_0-20m"))
    assert values["chamfer_sum_m"] == 2 * GRID.diagonal_m
    assert all(values[key] == 0.0 for key in (*SHARE_KEYS, "count_ratio", "f1@1.0m_0-20m", "iou_3d_40+m"))
    assert values["jsd_bev"] == pytest.approx(np.sqrt(np.log(2)))
    assert values["empty"] == 1.0
    assert np.isnan(values["doppler_mae_mps"])


def test_a_prediction_emptied_by_the_observed_mask_is_empty():
    values = evaluate_frame(cells((3, 1, 1)), target(cells((1, 32, 5)), unknown=((3, 1, 1),)), GRID)
    assert values["empty"] == 1.0


def test_an_empty_target_is_missed_by_any_prediction_and_met_by_none():
    wrong, right = (evaluate_frame(p, target(cells()), GRID) for p in (cells((1, 32, 5)), cells()))
    assert wrong["chamfer_m"] == GRID.diagonal_m
    assert [wrong[key] for key in SHARE_KEYS] == [0.0] * len(SHARE_KEYS)
    assert [right[key] for key in POINT_KEYS] == [0.0] * len(POINT_KEYS)
    assert [right[key] for key in SHARE_KEYS] == [1.0] * len(SHARE_KEYS)
    assert np.isnan(wrong["count_ratio"])
    assert np.isnan(right["count_ratio"])
    assert np.isnan(right["pd"])
    assert right["jsd_bev"] == 0.0


def test_doppler_and_power_are_compared_in_shared_cells_with_a_valid_target_only():
    truth = Cells(np.array([[0, 0, 0], [0, 0, 1], [0, 0, 2]]), np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 7.0]))
    frame = replace(target(truth), doppler_valid=np.array([True, False, True]))
    predicted = Cells(np.array([[0, 0, 1], [0, 0, 0], [1, 0, 2]]), np.array([9.0, 1.5, 9.0]), np.array([9.0, 3.0, 9.0]))
    values = evaluate_frame(predicted, frame, GRID)
    assert values["doppler_mae_mps"] == pytest.approx(0.5)
    assert values["power_mae_db"] == pytest.approx(2.0)


def test_a_method_without_doppler_has_no_doppler_error():
    truth = cells((0, 0, 0))
    values = evaluate_frame(Cells(truth.indices, None, None), target(truth), GRID)
    assert np.isnan(values["doppler_mae_mps"])
    assert np.isnan(values["power_mae_db"])
    assert values["iou_3d"] == 1.0


def test_a_band_holds_the_points_of_its_horizontal_range():
    near, middle, far = (1, 32, 10), (1, 32, 30), (1, 32, 50)
    values = evaluate_frame(cells(near, middle, (1, 34, 50)), target(cells(near, middle, far)), GRID)
    assert [values[f"chamfer_m_{band}"] for band in BANDS_M] == pytest.approx([0.0, 0.0, 2.0])
    assert [values[f"f1@1.0m_{band}"] for band in BANDS_M] == [1.0, 1.0, 0.0]
    assert [values[f"iou_3d_{band}"] for band in BANDS_M] == [1.0, 1.0, 0.0]
    assert [values[f"iou_bev_{band}"] for band in BANDS_M] == [1.0, 1.0, 0.0]


def test_what_lies_aside_is_as_far_as_what_lies_ahead():
    aside = cells((1, 2, 5))  # x 5.5 m, y -29.5 m
    values = evaluate_frame(aside, target(aside), GRID)
    for key in ("chamfer_m", "f1@1.0m", "iou_3d", "iou_bev"):
        assert [np.isnan(values[f"{key}_{band}"]) for band in BANDS_M] == [True, False, True], key


def test_a_pair_across_the_border_of_a_band_is_a_pair_in_both():
    values = evaluate_frame(cells((1, 32, 19)), target(cells((1, 32, 20))), GRID)  # ranges 19.5 m and 20.5 m
    assert values["chamfer_m_20-40m"] == pytest.approx(1.0)
    assert values["f1@1.0m_20-40m"] == 1.0
    assert np.isnan(values["chamfer_m_0-20m"])  # the target has nothing there


def test_a_band_without_target_has_no_value():
    values = evaluate_frame(cells((1, 32, 5), (1, 32, 30)), target(cells((1, 32, 5))), GRID)
    assert all(np.isnan(values[f"{key}_20-40m"]) for key in ("chamfer_m", "f1@1.0m", "iou_3d", "iou_bev"))


def test_whole_frame_and_a_band_that_holds_it_all_agree():
    inside = [row for row in scattered(400, "near").indices.tolist() if np.hypot(row[1] + 0.5 - 32, row[2] + 0.5) < 20]
    truth, predicted = cells(*map(tuple, inside[::2])), cells(*map(tuple, inside[1::2]))
    values = evaluate_frame(predicted, target(truth), GRID)
    for key in ("chamfer_m", "f1@1.0m", "iou_3d", "iou_bev"):
        assert values[f"{key}_0-20m"] == pytest.approx(values[key])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.randoms(use_true_random=False))
def test_the_order_of_cells_does_not_matter(predicted_count, target_count, shuffle):
    predicted, truth = scattered(predicted_count, "p"), scattered(target_count, "t")
    order = list(range(predicted_count))
    shuffle.shuffle(order)
    mixed = Cells(predicted.indices[order], predicted.doppler_mps[order], predicted.power_db[order])
    first, second = (evaluate_frame(p, target(truth), GRID) for p in (predicted, mixed))
    assert first == pytest.approx(second, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60))
def test_exchanging_prediction_and_target_exchanges_precision_and_recall(first_count, second_count):
    first, second = scattered(first_count, "first"), scattered(second_count, "second")
    there, back = evaluate_frame(first, target(second), GRID), evaluate_frame(second, target(first), GRID)
    for key in (*POINT_KEYS, "f1@0.5m", "f1@1.0m", "iou_3d", "iou_bev", "jsd_bev"):
        assert there[key] == pytest.approx(back[key])
    assert there["precision@1.0m"] == pytest.approx(back["recall@1.0m"])


def test_a_target_cell_that_was_not_observed_is_refused():
    truth = cells((0, 0, 0))
    with pytest.raises(AssertionError, match="observed"):
        evaluate_frame(truth, target(truth, unknown=((0, 0, 0),)), GRID)


def test_a_cell_given_twice_is_refused():
    truth = cells((0, 0, 0))
    with pytest.raises(AssertionError, match="once"):
        evaluate_frame(cells((0, 0, 0), (0, 0, 0)), target(truth), GRID)


def test_the_short_comparison_agrees_with_the_whole_one():
    here, there, hidden = (1, 32, 10), (1, 32, 30), (1, 34, 50)
    truth = target(cells(here, there))
    truth.observed[hidden] = False
    for made in (cells(), cells(here), cells(here, hidden), cells(here, there, (2, 2, 2))):
        short, whole = agreement(made, truth, GRID), evaluate_frame(made, truth, GRID)
        assert short == {key: whole[key] for key in ("iou_3d", "count_ratio")}
