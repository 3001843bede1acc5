"""Precision, recall, density and coverage: sets whose values are known, and theory."""

import numpy as np
import pytest
from prdc import compute_prdc

from echoes import seeds
from echoes.evaluation import manifolds, parts

KEYS = ("precision", "recall", "density", "coverage")


def normal(count: int, purpose: str, size: int = 8) -> np.ndarray:
    return seeds.rng(0, purpose).normal(size=(count, size))


def test_a_set_covers_itself():
    features = normal(200, "a")
    found = manifolds.precision_recall_density_coverage(features, features)
    assert tuple(found) == KEYS
    assert [found[key] for key in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert found["density"] == pytest.approx(1, abs=1 / 5)  # the ball of each holds itself and 4 others, not its edge


def test_sets_far_apart_share_nothing():
    found = manifolds.precision_recall_density_coverage(normal(50, "a"), normal(50, "b") + 100)
    assert list(found.values()) == [0, 0, 0, 0]


def test_a_lost_mode_costs_recall_and_coverage_but_no_precision():
    real, generated = normal(1000, "real"), normal(2000, "generated")
    found = manifolds.precision_recall_density_coverage(real, generated[generated[:, 0] > 0][:900])
    assert found["precision"] > 0.9
    assert found["density"] > 0.9
    assert found["recall"] < 0.8
    assert found["coverage"] < 0.82


def test_coverage_of_one_distribution_is_what_theory_expects():
    """Naeem et al. 2020, Lemma 2."""
    i = np.arange(5)
    expected = 1 - np.prod((300 - 1 - i) / (300 + 300 - 1 - i))
    draws = [(normal(300, f"real {i}"), normal(300, f"generated {i}")) for i in range(5)]
    found = [manifolds.precision_recall_density_coverage(*pair)["coverage"] for pair in draws]
    assert np.mean(found) == pytest.approx(expected, abs=0.015)


def test_swapping_the_sets_swaps_precision_and_recall():
    first, second = normal(80, "a"), 1.3 * normal(90, "b")
    there = manifolds.precision_recall_density_coverage(first, second)
    back = manifolds.precision_recall_density_coverage(second, first)
    assert (there["precision"], there["recall"]) == (back["recall"], back["precision"])


@pytest.mark.parametrize("part", [7, 2048])
def test_they_are_those_of_the_authors_in_parts_of_any_size(monkeypatch, part):
    monkeypatch.setattr(parts, "PART", part)
    real, generated = normal(60, "a"), 0.9 * normal(45, "b")
    found = manifolds.precision_recall_density_coverage(real, generated)
    assert found == pytest.approx({name: float(value) for name, value in compute_prdc(real, generated, 5).items()})
    assert 0 < min(found.values()) < 1


def test_the_nearest_are_the_same_in_parts_of_any_size(monkeypatch):
    sets = normal(40, "new"), normal(30, "held out"), normal(50, "train")
    whole = manifolds.nearest_ratio(*sets)
    monkeypatch.setattr(parts, "PART", 7)
    assert manifolds.nearest_ratio(*sets) == whole


@pytest.mark.parametrize(("real", "generated", "named"), [(5, 20, "real"), (20, 5, "generated")])
def test_too_few_samples_for_their_neighbours_are_refused(real, generated, named):
    with pytest.raises(ValueError, match=f"more than 5 {named} samples, got 5"):
        manifolds.precision_recall_density_coverage(normal(real, "a"), normal(generated, "b"))


def test_copies_are_near_the_training_set_and_new_samples_as_far_as_unseen_ones():
    train, held_out = normal(400, "train"), normal(200, "held out")
    assert manifolds.nearest_ratio(train[:100], held_out, train) == 0
    assert manifolds.nearest_ratio(normal(200, "new"), held_out, train) == pytest.approx(1, abs=0.05)
    assert manifolds.nearest_ratio(train[:100] + 1e-3, held_out, train) < 0.01
    assert manifolds.nearest_ratio(5 * normal(200, "new"), held_out, train) > 3


def test_the_ratio_has_no_unit():
    train, held_out, new = normal(50, "train"), normal(50, "held out"), normal(50, "new")
    expected = manifolds.nearest_ratio(new, held_out, train)
    assert manifolds.nearest_ratio(7 * new, 7 * held_out, 7 * train) == pytest.approx(expected)


def test_held_out_features_that_are_the_training_set_are_refused():
    train = normal(50, "train")
    with pytest.raises(ValueError, match="held-out features"):
        manifolds.nearest_ratio(normal(50, "new"), train, train)
