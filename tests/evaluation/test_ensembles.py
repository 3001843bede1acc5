"""Scores of ensembles: values by hand and of Gaussians, and what makes them proper."""

import numpy as np
import pytest

from echoes import seeds
from echoes.evaluation import ensembles
from echoes.evaluation.ensembles import crps, energy_score, shares, spread_and_error, summarise


def test_two_members_around_the_truth_cost_nothing_by_the_fair_score():
    assert crps(np.array([0.2, 0.9]), np.array(0.5)) == pytest.approx(0)
    assert crps(np.array([0.2, 0.4]), np.array(0.5)) == pytest.approx(0.2 - 0.1)


def test_one_member_costs_its_absolute_error():
    assert crps(np.array([[0.2, 0.9]]), np.array([0.5, 0.5])).tolist() == pytest.approx([0.3, 0.4])
    assert energy_score(np.array([[3.0, 4.0]]), np.zeros(2)) == pytest.approx(np.sqrt(12.5))


def test_members_of_the_truth_s_distribution_cost_as_much_as_its_spread_however_few():
    """CRPS of N(0, 1) at its own draws: 1 / sqrt(pi)."""
    rng = seeds.rng(0, "gaussians")
    for count in (2, 5):
        found = crps(rng.normal(size=(count, 200_000)), rng.normal(size=200_000)).mean()
        assert found == pytest.approx(1 / np.sqrt(np.pi), abs=0.01)


@pytest.mark.parametrize(("truth", "wanted"), [(0.0, 0.233695), (1.0, 0.602441)])
def test_of_many_gaussian_members_it_is_the_closed_form(truth, wanted):
    assert crps(seeds.rng(0, "many").normal(size=200_000), np.array(truth)) == pytest.approx(wanted, abs=0.005)


def test_the_sorted_sum_over_pairs_is_that_of_all_pairs():
    members, truth = seeds.rng(0, "pairs").normal(size=(6, 7)), np.zeros(7)
    apart = np.abs(members[:, None] - members[None]).sum(axis=(0, 1)) / (6 * 5)
    np.testing.assert_allclose(crps(members, truth), np.abs(members).mean(axis=0) - apart / 2)


def test_the_energy_score_of_a_single_value_is_its_crps():
    members = seeds.rng(0, "single").normal(size=(5, 1))
    assert energy_score(members, np.array([0.3])) == pytest.approx(float(crps(members[:, 0], np.array(0.3))))


def test_members_spread_as_far_as_their_mean_is_off():
    rng = seeds.rng(0, "spread")
    for count in (2, 8):
        spread, error = spread_and_error(rng.normal(size=(count, 100_000)), rng.normal(size=100_000))
        assert spread == pytest.approx(1 + 1 / count, rel=0.02)
        assert error == pytest.approx(1 + 1 / count, rel=0.02)


def test_shares_are_of_the_observed_cells_of_each_block():
    occupied, observed = np.zeros((2, 4, 4, 8), bool), np.ones((4, 4, 8), bool)
    observed[:, :, 4:] = False
    observed[0, 0, :2] = False
    occupied[0, 0, 0, :4] = occupied[1, :, :, 4:] = True
    assert shares(occupied, observed).tolist() == [[pytest.approx(2 / 62)], [0]]
    assert shares(occupied[0], ~observed).tolist() == pytest.approx([1.0, 0.0])


def test_frames_are_summed_up_and_a_certain_ensemble_has_no_spread():
    sure = np.full((3, 2), 0.5), np.array([0.5, 0.25])
    found = summarise([sure, (np.array([[0.2] * 2, [0.4] * 2, [0.6] * 2]), np.array([0.4, 0.4]))])
    assert found["members"] == 3
    assert found["member_mae"] == pytest.approx((0.125 + 0.4 / 3) / 2)
    assert found["crps"] == pytest.approx((0.125 + 0.4 / 3 - 0.4 / 3) / 2)
    assert found["spread_skill"] == pytest.approx(np.sqrt((0.04 * 4 / 3) / (0.25**2 / 2)))
    assert summarise([(np.ones((2, 3)), np.ones(3))])["spread_skill"] is None
    assert ensembles.BLOCK == 4
