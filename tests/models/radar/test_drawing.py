"""Cells drawn by the odds of a decoder: as often as these say, together where they are near, the same for a sample."""

import numpy as np
import pytest
from scipy.special import expit, logit

from echoes import seeds
from echoes.grids import Axis, Grid
from echoes.models.radar.drawing import LEAST, SURE, TOGETHER_M, drawn_cells, normal_field

GRID = Grid((Axis("z", "m", 0.0, 3.2, 8), Axis("y", "m", -12.8, 12.8, 32), Axis("x", "m", 0.0, 25.6, 32)))
LEVEL = 0.2
DRAWS = 400


def occupied(probability: np.ndarray, sample_id: int, seed: int = 0) -> np.ndarray:
    cells = np.zeros(GRID.shape, bool)
    cells[tuple(drawn_cells(probability, LEVEL, GRID, seed, sample_id).T)] = True
    return cells


@pytest.mark.parametrize("probability", [0.05, LEVEL, 0.7])
def test_a_cell_is_drawn_as_often_as_its_odds_to_those_of_the_level_say(probability: float) -> None:
    cells = np.full(GRID.shape, probability, np.float32)
    share = np.mean([occupied(cells, i).mean() for i in range(DRAWS)])
    expected = expit(SURE * (logit(probability) - logit(LEVEL)))
    assert share == pytest.approx(expected, abs=0.02)


def test_what_the_decoder_is_sure_of_is_always_drawn_and_what_it_all_but_excludes_never() -> None:
    probability = np.full(GRID.shape, LEAST - 1e-4, np.float32)
    probability[0] = 0
    probability[2, 3:9, 4] = 1
    assert all(np.array_equal(occupied(probability, i), probability == 1) for i in range(DRAWS))


def test_the_field_is_standard_normal_in_every_cell_and_near_cells_have_nearly_the_same() -> None:
    fields = np.stack([normal_field(GRID, seeds.rng(0, "field", i)) for i in range(DRAWS)])
    assert np.abs(fields.mean(axis=0)).max() < 5 / np.sqrt(DRAWS)
    np.testing.assert_allclose(fields.std(axis=0), 1, atol=0.2)  # at the borders as in the middle
    step = round(TOGETHER_M / GRID.axes[2].step)
    beside, near, far = (np.mean(fields[..., 0] * fields[..., shift]) for shift in (1, step, 16))
    assert beside > 0.9
    # A Gaussian of deviation s, convolved with itself: exp(-d^2 / (4 s^2)).
    assert near == pytest.approx(np.exp(-0.25), abs=0.05)
    assert abs(far) < 0.1


def test_a_sample_has_the_same_cells_again_and_another_one_others() -> None:
    probability = np.full(GRID.shape, LEVEL, np.float32)
    first = occupied(probability, 3)
    assert np.array_equal(first, occupied(probability, 3))
    assert not np.array_equal(first, occupied(probability, 4))
    assert not np.array_equal(first, occupied(probability, 3, seed=1))
