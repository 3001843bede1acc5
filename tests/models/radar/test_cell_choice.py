"""Read-outs without a threshold: their optima by hand, by search, and in calibrated draws."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import seeds
from echoes.models.radar.cell_choice import as_many, best_overlap, blended, blended_cells


def grid(*probabilities: float) -> np.ndarray:
    return np.array(probabilities, np.float32).reshape(1, 1, -1)


def chosen(cells: np.ndarray) -> list[int]:
    return cells[:, 2].tolist()


def test_the_best_overlap_is_down_to_iou_over_one_plus_iou():
    p = seeds.rng(0, "calibrated").beta(0.2, 1.0, (8, 16, 16))
    cells = best_overlap(p)
    inside = p[tuple(cells.T)]
    iou = inside.sum() / (len(cells) + p.sum() - inside.sum())
    left_out = p[p < inside.min()].max()
    assert left_out < iou / (1 + iou) <= inside.min()


@settings(max_examples=20)
@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=7))
def test_no_other_cells_have_a_better_expected_intersection_over_the_expected_union(probabilities):
    p = grid(*probabilities)
    every = [list(c) for k in range(1, p.size + 1) for c in combinations(range(p.size), k)]

    def overlap(cells: list[int]) -> float:
        inside = p.ravel()[cells].astype(float).sum()
        return inside / (len(cells) + p.astype(float).sum() - inside)

    assert overlap(chosen(best_overlap(p))) == pytest.approx(max(map(overlap, every)))


def test_sure_cells_are_chosen_and_the_others_left():
    assert chosen(best_overlap(grid(1, 0, 1, 0, 0, 1))) == [0, 2, 5]


def test_as_many_cells_are_chosen_as_are_there_in_the_mean():
    p = seeds.rng(0, "counted").random((4, 8, 8)) ** 4
    cells = as_many(p, p)
    assert len(cells) == round(p.sum())
    assert p[tuple(cells.T)].min() > np.delete(p.ravel(), np.ravel_multi_index(tuple(cells.T), p.shape)).max()
    assert chosen(as_many(grid(0.1, 0.9, 0.2, 0.8), grid(0.4, 0.1, 0.4, 0.2))) == [1]
    assert len(as_many(grid(0.1, 0.1), grid(0.1, 0.1))) == 0


def test_by_calibrated_probabilities_the_count_ratio_is_one_and_the_best_overlap_has_the_better_iou():
    rng = seeds.rng(0, "draws")
    p = rng.beta(0.15, 1.5, (16, 32, 32))
    truth = rng.random((200, *p.shape)) < p

    def iou(cells: np.ndarray) -> float:
        mask = np.zeros(p.shape, bool)
        mask[tuple(cells.T)] = True
        return float(np.mean([(mask & one).sum() / (mask | one).sum() for one in truth]))

    best, counted = best_overlap(p), as_many(p, p)
    assert len(counted) == pytest.approx(truth.sum(axis=(1, 2, 3)).mean(), rel=0.01)
    assert iou(counted) < iou(best)


def test_log_odds_are_mixed():
    first, second = grid(0.8, 0.5), grid(0.5, 0.2)
    np.testing.assert_allclose(blended(first, second, 0.0), first, rtol=1e-6)
    np.testing.assert_allclose(blended(first, second, 1.0), second, rtol=1e-6)
    np.testing.assert_allclose(blended(first, second, 0.5), grid(2 / 3, 1 / 3), rtol=1e-6)  # odds of 4 and 1, 1 and 1/4
    assert chosen(blended_cells(grid(0.8, 0.5), grid(0.1, 0.9), 0.2)) == [0]  # one, as 1.3 are there
    assert chosen(blended_cells(grid(0.8, 0.5), grid(0.1, 0.9), 0.8)) == [1]
    assert np.isfinite(blended(grid(0.0, 1.0), grid(1.0, 0.0), 0.5)).all()
