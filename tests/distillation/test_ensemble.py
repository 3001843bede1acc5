"""Scores of a few samples: golden values, the spread they ask for, and what averages over blocks see."""

import math

import pytest
import torch

from echoes.distillation import ensemble
from echoes.distillation.ensemble import almost_fair_crps, averaged
from echoes.errors import InputError

HIGH = 80.0


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, 0.175), (0.95, 0.00875), (1.0, 0.0)])
def test_two_members_around_the_truth_cost_less_the_fairer_the_score(alpha, expected):
    members = torch.tensor([[0.2], [0.9]], dtype=torch.float64)
    assert almost_fair_crps(members, members.new_tensor([0.5]), alpha).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("alpha", "expected"), [(1.0, 0.564190), (0.0, 0.846284), (0.95, 0.578294)])
def test_two_members_of_the_truth_s_own_distribution_have_the_score_of_the_closed_form(alpha, expected):
    torch.manual_seed(0)
    found = almost_fair_crps(torch.randn(2, 400_000), torch.randn(400_000), alpha).mean()
    assert found.item() == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize(("truth", "expected"), [(0.0, 0.233695), (1.0, 0.602441)])
def test_of_many_gaussian_members_it_is_the_closed_form(truth, expected):
    share = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    members = math.sqrt(2) * torch.erfinv(2 * share - 1)
    found = almost_fair_crps(members[:, None], members.new_tensor([truth]), 1.0)
    assert found.item() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("alpha", "spread"), [(1.0, 1.0), (0.95, 0.95)])
def test_samples_as_wide_as_the_data_cost_least_and_a_little_less_where_it_is_almost_fair(alpha, spread):
    """b / sqrt(1 + b^2) = (1 - eps) / sqrt(2) for members b N(0, 1) of data N(0, 1): b = 0.952 at alpha 0.95."""
    torch.manual_seed(0)
    clean, costs = torch.randn(200_000, 1, 1), {}
    for b in (0.0, 0.9, 0.95, 1.0, 1.05):
        torch.manual_seed(1)
        sample = lambda noisy, sigma, b=b: b * noisy / sigma[:, None, None]
        costs[b] = ensemble.loss(sample, clean, HIGH, 2, alpha, [1]).mean().item()
    assert min(costs, key=costs.__getitem__) == spread
    assert costs[0.0] > 1.2 * costs[spread]  # the mean, whatever the noise


@pytest.mark.parametrize("sizes", [(8, 8), (4, 4, 8)])
def test_only_means_over_blocks_see_whether_cells_hang_together(sizes):
    """Data are the same everywhere in a sample; so is one student's sample, the other's is not."""
    torch.manual_seed(0)
    ones = [1] * len(sizes)
    clean = torch.randn(3000, 1, *ones).expand(3000, 1, *sizes)

    def together(noisy, sigma):
        return noisy[(..., *[slice(0, 1)] * len(sizes))].expand_as(noisy) / HIGH

    apart = lambda noisy, sigma: noisy / HIGH
    for blocks, worth in (([1], 0.0), ([1, 4], 0.02)):
        found = [ensemble.loss(student, clean, HIGH, 2, 1.0, blocks) for student in (together, apart)]
        assert found[0].shape == (3000,)
        gain = (found[1].mean() - found[0].mean()).item()
        assert gain > worth if worth else gain == pytest.approx(0.0, abs=0.03)


def test_blocks_are_averaged_and_those_that_do_not_fit_are_refused_by_their_key():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert averaged(x, 2).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
    assert torch.equal(averaged(x, 1), x)
    with pytest.raises(InputError, match=r"^cd\.student\.blocks: expected divisors of \[4, 4\] latents, got 3$"):
        averaged(x, 3)
