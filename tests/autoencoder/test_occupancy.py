"""What the loss of occupancy weighs and adds, in closed form, for both ranks."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

import tracks
from echoes import params, terms
from echoes.autoencoder import loss, occupancy
from echoes.autoencoder.loss_weights import LossWeights
from echoes.autoencoder.occupancy import OccupancyTerms
from echoes.autoencoder.structure import gradient_error
from echoes.errors import InputError

PLAIN = params.build(OccupancyTerms, tracks.PLAIN, "occupancy")
SHAPES = {2: (8, 12), 3: (4, 8, 8)}
RATE = 0.1


def sample(rank, count=2):
    """Logits and occupied cells (B, *S)."""
    torch.manual_seed(rank)
    return torch.randn(count, *SHAPES[rank]), (torch.rand(count, *SHAPES[rank]) < RATE).float()


def weighing(changes):
    section = {**tracks.OCCUPANCY, "measured": {"power": 1.0}, "occupancy": {**tracks.PLAIN, **changes}}
    return params.build(LossWeights, section, "loss")


def found(said, true, **changes):
    return loss.occupancy_terms(said, true, torch.ones_like(said), RATE, replace(PLAIN, **changes))


@pytest.mark.parametrize("rank", [2, 3])
def test_an_exponent_of_0_is_cross_entropy_and_2_counts_a_cell_by_the_square_of_its_error(rank):
    logit, occupied = sample(rank)
    assert torch.equal(occupancy.focal(logit, occupied, 0.0), torch.ones_like(logit))
    entropy = F.binary_cross_entropy_with_logits(logit, occupied, reduction="none")
    wrong = torch.where(occupied > 0, 1 - logit.sigmoid(), logit.sigmoid())
    gap = found(logit, occupied, focal=2.0)["occupancy"] - found(logit, occupied)["occupancy"]
    expected = ((wrong**2 - 1) * entropy).flatten(1).mean(1) / (2 * RATE)
    torch.testing.assert_close(gap, expected)
    sure = torch.logit(torch.tensor([[[0.9]]]))  # of p_t = 0.9 the paper says: a hundredth
    assert occupancy.focal(sure, torch.ones(1, 1, 1), 2.0).item() == pytest.approx(0.01)


def test_a_chance_between_0_and_1_is_right_where_it_is_met():
    assert occupancy.focal(torch.zeros(1, 1, 1), torch.full((1, 1, 1), 0.5), 2.0).item() == 0


def test_occupied_cells_and_their_neighbours_count_what_they_are_told_to():
    occupied = torch.zeros(1, 4, 5, 5)
    occupied[0, 1, 2, 2] = 1
    counts = occupancy.cell_weights(occupied, 5.0, 2.0)
    assert counts[0, 1, 2, 2] == 5
    assert (counts == 2).sum() == 26
    assert (counts == 1).sum() == 100 - 27
    logit = torch.zeros(1, 4, 5, 5)
    gap = found(logit, occupied, occupied=5.0, border=2.0)["occupancy"] - found(logit, occupied)["occupancy"]
    assert gap.item() == pytest.approx((4 + 26) * math.log(2) / 100 / (2 * RATE), rel=1e-4)


@pytest.mark.parametrize("rank", [2, 3])
def test_in_coarser_grids_a_perfect_answer_costs_nothing_and_neither_does_a_miss_within_a_block(rank):
    occupied = torch.zeros(1, *SHAPES[rank])
    occupied[(0,) * (rank + 1)] = 1
    beside, beyond = occupied.roll(1, -1), occupied.roll(4, -1)
    costs = [found(40 * said - 20, occupied, coarse=1.0)["coarse"].item() for said in (occupied, beside, beyond)]
    assert costs[0] == pytest.approx(0, abs=1e-4)
    assert costs[1] == pytest.approx(0, abs=1e-4)
    assert costs[2] > 1


def test_blocks_are_occupied_as_often_as_independent_cells_make_them_and_have_to_fit():
    assert occupancy.coarse_rate(0.1, 1) == pytest.approx(0.1)
    assert occupancy.coarse_rate(0.5, 3) == pytest.approx(7 / 8)
    with pytest.raises(InputError, match=r"^occupancy\.factors: expected divisors of \[4, 8, 8\] cells, got 3$"):
        found(*sample(3), coarse=1.0, factors=(3,))


@pytest.mark.parametrize("rank", [2, 3])
def test_a_shift_of_all_cells_has_no_edges_and_a_ramp_has_its_slope(rank):
    flat = torch.full((2, 3, *SHAPES[rank]), 0.7)
    assert not gradient_error(flat).any()
    ramp = 0.3 * torch.arange(SHAPES[rank][-1]).expand(2, 3, *SHAPES[rank])
    torch.testing.assert_close(gradient_error(ramp), torch.full((2,), 0.3 / rank))
    logit, occupied = sample(rank)
    perfect = found(40 * occupied - 20, occupied, structure=1.0)["structure"]
    torch.testing.assert_close(perfect, torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        found(logit, occupied, structure=2.0)["structure"],
        2 * gradient_error((logit.sigmoid() - occupied)[:, None]) / (2 * RATE),
    )


def test_a_term_of_weight_0_is_none_and_others_are_noted_apart_and_add_up():
    torch.manual_seed(0)
    channels = ("occupancy", "power")
    goal, said = torch.rand(2, 2, 4, 8, 8).round(), torch.randn(2, 2, 4, 8, 8)
    with terms.listening() as plain:
        loss.target_loss(said, goal, channels, goal[:, 0] + 1, RATE, weighing({}), 1.0)
    assert set(plain) == {"occupancy", "power"}
    weights = weighing({"coarse": 0.5, "structure": 0.3, "focal": 2.0})
    with terms.listening() as noted:
        total = loss.target_loss(said, goal, channels, goal[:, 0] + 1, RATE, weights, 1.0)
    assert set(noted) == {"occupancy", "coarse", "structure", "power"}
    torch.testing.assert_close(sum(noted.values()), total)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"focal": 0.5}, r"focal: expected 0 \(none\), or 1 or more, got 0\.5"),
        ({"border": -1.0}, r"border: expected 0 or more, got -1\.0"),
        ({"factors": [1]}, r"factors: expected whole numbers from 2 on, got \[1\]"),
    ],
)
def test_what_no_loss_is_is_refused(changes, message):
    with pytest.raises(InputError, match=f"^x.{message}$"):
        params.build(OccupancyTerms, {**tracks.PLAIN, **changes}, "x")


@pytest.mark.parametrize("rank", [2, 3])
def test_all_terms_together_have_a_finite_gradient(rank):
    logit, occupied = sample(rank)
    logit = (40 * occupied - 20).requires_grad_()
    losses = found(logit, occupied, focal=1.0, occupied=5.0, border=2.0, coarse=1.0, structure=1.0)
    sum(losses.values()).sum().backward()
    assert logit.grad.isfinite().all()
