"""The classifier two-sample test: sets that are alike, sets that are not, and the classifier itself."""

import numpy as np
import pytest
from scipy.special import erf

from echoes import seeds
from echoes.evaluation import two_sample


def drawn(count: int, purpose: str, shift: float = 0.0) -> np.ndarray:
    found = seeds.rng(0, purpose).normal(size=(count, 3))
    found[:, 1] += shift
    return found


def test_two_sets_of_one_distribution_cannot_be_told_apart():
    a, b, c, d = (drawn(2000, name) for name in "abcd")
    assert two_sample.accuracy((a, b), (c, d)) == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(4000))


def test_of_shifted_gaussians_the_accuracy_is_that_of_the_best_classifier():
    """Half of the total variation more than a half: the normal distribution at half of the shift."""
    shift = 1.5
    train, test = ((drawn(2000, name), drawn(2000, name * 2, shift)) for name in "ab")
    best = (1 + erf(shift / 2 / np.sqrt(2))) / 2
    assert two_sample.accuracy(train, test) == pytest.approx(best, abs=0.02)


def test_sets_far_apart_are_always_told_apart_and_equal_ones_never():
    a, b = drawn(20, "a"), drawn(20, "b", 50.0)
    assert two_sample.accuracy((a, b), (a[::-1], b)) == 1.0
    assert two_sample.accuracy((a, a), (b, b)) == 0.5
    constant = np.ones((4, 2))
    assert two_sample.accuracy((constant, constant), (constant, constant)) == 0.5


def test_what_was_fitted_to_says_nothing_of_others():
    a, b, c, d = (drawn(500, name) for name in "abcd")
    assert two_sample.accuracy((a, b + 5), (c, d)) == pytest.approx(0.5, abs=0.05)


def test_units_of_features_do_not_matter():
    train, test = ((drawn(40, name), drawn(40, name * 2, 0.7)) for name in "ab")
    scale = np.array([1.0, 1e4, 1e-3])
    scaled = [(one * scale + 5, other * scale + 5) for one, other in (train, test)]
    assert two_sample.accuracy(*scaled) == two_sample.accuracy(train, test)


def test_the_gradient_of_the_logistic_loss_vanishes_at_what_is_found():
    x, y = drawn(60, "x"), np.where(drawn(60, "y")[:, 0] + drawn(60, "x")[:, 1] > 0, 1.0, -1.0)
    weights, bias = two_sample.logistic(x, y)
    pull = y / (1 + np.exp(y * (x @ weights + bias)))
    np.testing.assert_allclose(x.T @ pull, two_sample.RIDGE * weights, atol=1e-3)
    assert pull.sum() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("first", "second"), [(3, 4), (0, 0)])
def test_sets_of_other_sizes_are_refused(first, second):
    whole = (drawn(3, "a"), drawn(3, "b"))
    with pytest.raises(ValueError, match=rf"^test: expected two sets of equally many samples, got {first}, {second}$"):
        two_sample.accuracy(whole, (drawn(first, "a"), drawn(second, "b")))
