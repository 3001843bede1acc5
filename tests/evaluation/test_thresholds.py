"""The threshold that is chosen is the one that evaluating every candidate would choose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import seeds
from echoes.evaluation import thresholds
from echoes.evaluation.cells import Cells, Target
from echoes.evaluation.clouds import evaluate_frame
from echoes.grids import Grid, Range

GRID = Grid.of(z=Range(-2.0, 2.0, 4), y=Range(-4.0, 4.0, 8), x=Range(0.0, 8.0, 8))
CANDIDATES = np.linspace(0.0, 1.1, 23)
ALL = np.stack(np.unravel_index(np.arange(4 * 8 * 8), GRID.shape), axis=1)


def frame(number: int, count: int) -> tuple[thresholds.Probable, Target]:
    rng = seeds.rng(0, "frame", number)
    occupied = rng.choice(len(ALL), count, replace=False)
    observed = rng.random(GRID.shape) < 0.8
    observed.ravel()[occupied] = True
    probability = rng.random(len(ALL)) * 0.7
    probability[occupied] += 0.3
    truth = Cells(ALL[occupied], None, None)
    return (ALL, probability), Target(truth, np.zeros(count, dtype=bool), observed)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 60))
def test_the_curve_is_what_evaluating_each_threshold_gives(number, count):
    (indices, probability), target = frame(number, count)
    expected = [
        evaluate_frame(Cells(indices[probability >= level], None, None), target, GRID)["iou_3d"] for level in CANDIDATES
    ]
    np.testing.assert_allclose(thresholds.iou_3d((indices, probability), target, CANDIDATES), expected)


def test_a_prediction_that_separates_is_cut_where_it_separates():
    (_, _), target = frame(0, 40)
    probability = np.full(len(ALL), 0.3)
    probability[np.ravel_multi_index(tuple(target.cells.indices.T), GRID.shape)] = 0.7
    assert thresholds.choose_threshold([(ALL, probability)], [target], [0.2, 0.5, 0.8]) == 0.5


def test_a_probability_equal_to_the_threshold_is_occupied():
    indices = np.array([[0, 1, 1]])
    truth = Target(Cells(indices, None, None), np.array([False]), np.ones(GRID.shape, dtype=bool))
    assert thresholds.iou_3d((indices, np.array([0.5])), truth, np.array([0.5, 0.51])).tolist() == [1.0, 0.0]


def test_frames_weigh_the_same_and_the_first_of_equals_wins():
    predictions, targets = zip(*(frame(i, 10 + 5 * i) for i in range(6)), strict=True)
    curves = [thresholds.iou_3d(p, t, CANDIDATES) for p, t in zip(predictions, targets, strict=True)]
    chosen = thresholds.choose_threshold(predictions, targets, CANDIDATES)
    assert chosen == CANDIDATES[np.mean(curves, axis=0).argmax()]
    assert thresholds.choose_threshold(predictions, targets, [0.4, 0.4]) == 0.4


def test_a_frame_too_many_is_refused():
    prediction, target = frame(0, 5)
    with pytest.raises(ValueError, match="zip"):
        thresholds.choose_threshold([prediction, prediction], [target], [0.5])
