"""Calibration: closed forms of constant and of exactly calibrated probabilities, and sums that add up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes import seeds
from echoes.evaluation.bands import BANDS_M
from echoes.evaluation.reliability import BINS, LIKELY, Reliability

cells = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 2)), min_size=1, max_size=60)


def reliability(*frames: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Reliability:
    found = Reliability()
    for frame in frames:
        found.add(*frame)
    return found


def arrays(rows: list[tuple[float, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], bool), np.array([r[2] for r in rows])


def occupied_by(probability: np.ndarray, each: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`each` cells of every probability, of which exactly that share is occupied; all in the first band."""
    rank = (np.arange(each) + 0.5) / each
    p = np.repeat(probability, each)
    return p, np.tile(rank, len(probability)) < p, np.zeros(len(p), int)


def test_exact_probabilities_have_no_calibration_error_and_the_brier_score_of_their_variance():
    p = np.array([0.01, 0.04, 0.1, 0.25, 0.5, 0.73, 0.98])
    numbers = reliability(occupied_by(p, 100)).numbers()
    assert numbers["ece"] == pytest.approx(0, abs=1e-12)
    assert numbers["ece_likely"] == pytest.approx(0, abs=1e-12)
    assert numbers["brier"] == pytest.approx(np.mean(p * (1 - p)))
    assert numbers["missed"] == pytest.approx(0.05 / p.sum())


@pytest.mark.parametrize("said", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("true", [0.0, 0.1, 0.6])
def test_a_constant_probability_has_its_bias_as_calibration_error(said, true):
    occupied = occupied_by(np.array([true]), 50)[1]
    numbers = reliability((np.full(50, said), occupied, np.zeros(50, int))).numbers()
    assert numbers["ece"] == pytest.approx(abs(said - true))
    assert numbers["brier"] == pytest.approx((said - true) ** 2 + true * (1 - true))
    if said >= LIKELY:
        assert numbers["ece_likely"] == pytest.approx(abs(said - true))
    else:
        assert np.isnan(numbers["ece_likely"])
    if true:
        assert numbers["missed"] == float(said < LIKELY)
    else:
        assert np.isnan(numbers["missed"])


def test_empty_cells_told_so_hide_an_error_from_all_but_the_likely_ones():
    wrong = occupied_by(np.array([0.9]), 100)
    wrong = (np.full(100, 0.5), wrong[1], wrong[2])
    empty = (np.zeros(99_900), np.zeros(99_900, bool), np.zeros(99_900, int))
    numbers = reliability(wrong, empty).numbers()
    assert numbers["ece_likely"] == pytest.approx(0.4)
    assert numbers["ece"] == pytest.approx(0.4 / 1000)


def test_an_occupied_cell_of_no_probability_is_missed_and_not_likely():
    p, occupied = np.array([0.5, 0.5, 0.01, 0.0]), np.array([True, False, True, True])
    numbers = reliability((p, occupied, np.zeros(4, int))).numbers()
    assert numbers["ece_likely"] == 0.0
    assert numbers["missed"] == pytest.approx(2 / 3)


def test_errors_of_opposite_sign_in_one_bin_cancel_and_in_two_do_not():
    occupied, band = np.array([True, False]), np.zeros(2, int)
    same, apart = (reliability((np.array(p), occupied, band)).numbers() for p in ([0.5, 0.5], [0.2, 0.8]))
    assert same["ece"] == 0.0
    assert apart["ece"] == pytest.approx(0.8)


@given(cells)
def test_numbers_are_those_of_the_plain_definition(rows):
    p, occupied, band = arrays(rows)
    numbers = reliability((p, occupied, band)).numbers()

    def ece(which: np.ndarray) -> float:
        of_bin = np.ceil(p * BINS).clip(min=1)
        bins = [which & (of_bin == b) for b in range(1, BINS + 1)]
        gaps = [b.sum() * abs(p[b].mean() - occupied[b].mean()) for b in bins if b.any()]
        return sum(gaps) / which.sum() if which.any() else np.nan

    on_edge = np.isclose(p * BINS, np.round(p * BINS), atol=1e-9)
    if not on_edge[(p > 0) & (p < 1)].any():
        assert numbers["ece"] == pytest.approx(ece(np.ones_like(occupied)), abs=1e-12)
        assert numbers["ece_likely"] == pytest.approx(ece(p >= LIKELY), nan_ok=True, abs=1e-12)
        for i, name in enumerate(BANDS_M):
            assert numbers[f"ece_{name}"] == pytest.approx(ece(band == i), nan_ok=True, abs=1e-12)
    assert numbers["brier"] == pytest.approx(((p - occupied) ** 2).mean())


@given(cells, cells)
def test_two_halves_are_the_whole_whatever_their_order(first, second):
    halves, turned = (reliability(*map(arrays, pair)) for pair in ((first, second), (second, first)))
    whole = reliability(arrays(first + second))
    for found in (halves, turned):
        assert found.numbers() == pytest.approx(whole.numbers(), nan_ok=True, abs=1e-12)


@given(cells)
def test_a_band_has_the_numbers_of_its_cells_alone(rows):
    p, occupied, band = arrays(rows)
    numbers = reliability((p, occupied, band)).numbers()
    for i, name in enumerate(BANDS_M):
        here = band == i
        alone = reliability((p[here], occupied[here], band[here])).numbers()
        for key in ("brier", "ece", "ece_likely", "missed"):
            assert numbers[f"{key}_{name}"] == pytest.approx(alone[key], nan_ok=True, abs=1e-12)


def test_drawn_cells_of_their_own_probability_are_calibrated_as_far_as_chance_allows():
    rng = seeds.rng(0, "calibrated")
    p = rng.beta(0.2, 2.0, 200_000).astype(np.float32)
    found = reliability((p, rng.random(len(p)) < p, rng.integers(0, 3, len(p)))).numbers()
    assert found["ece"] < 0.005
    assert found["ece_likely"] < 0.01


def test_what_is_no_probability_is_refused():
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="from 0 to 1"):
            Reliability().add(np.array([0.5, wrong]), np.zeros(2, bool), np.zeros(2, int))


def test_without_cells_there_are_no_numbers():
    assert all(np.isnan(value) for value in Reliability().numbers().values())
