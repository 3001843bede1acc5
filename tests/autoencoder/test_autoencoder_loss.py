"""Terms of the reconstruction loss in closed form; each sample counts for itself, unknown cells as told."""

import math
from dataclasses import replace

import pytest
import torch

import tracks
from echoes import params
from echoes.autoencoder import loss
from echoes.autoencoder.loss_weights import LossWeights
from echoes.errors import InputError
from echoes.tasks import LIDAR_AND_RADAR, RADAR

SHAPES = {2: (40, 50), 3: (10, 20, 10)}
MEASURED = {"reflectivity": 3.0, "doppler": 5.0, "power": 2.0}
WEIGHTS = params.build(LossWeights, {**tracks.OCCUPANCY, "measured": MEASURED}, "loss")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def target(rank, count=2, rate=0.1):
    """(B, 5, *S): occupancy, reflectivity, Doppler, its validity, power."""
    occupied = (torch.rand(count, *SHAPES[rank]) < rate).float()
    valid = occupied * (torch.rand(count, *SHAPES[rank]) < 0.5)
    values = torch.randn(3, count, *SHAPES[rank])
    return torch.stack([occupied, values[0] * occupied, values[1] * valid, valid, values[2] * valid], 1)


def perfect(goal):
    """What a decoder would say that knows the target."""
    said = goal.clone()
    said[:, [0, 3]] = 40 * goal[:, [0, 3]] - 20
    return said


def total(decoded, goal, observed=None, weights=WEIGHTS, ramp=1.0):
    seen = torch.ones_like(goal[:, 0]) if observed is None else observed
    return loss.target_loss(decoded, goal, LIDAR_AND_RADAR, seen, 0.1, weights, ramp)


@pytest.mark.parametrize("rank", [2, 3])
def test_the_loss_is_one_number_per_sample_that_knows_no_other_sample(rank):
    goal, decoded = target(rank, 3), torch.randn(3, 5, *SHAPES[rank])
    found = total(decoded, goal)
    assert found.shape == (3,)
    for i in range(3):
        alone = total(decoded[i : i + 1], goal[i : i + 1])
        torch.testing.assert_close(alone, found[i : i + 1])


@pytest.mark.parametrize("rank", [2, 3])
def test_a_perfect_reconstruction_costs_nothing_and_any_flaw_something(rank):
    goal = target(rank)
    assert (total(perfect(goal), goal) < 1e-4).all()
    for channel in range(5):
        flawed = perfect(goal)
        flawed[:, channel] += 1.0 if channel in (1, 2, 4) else -30.0
        assert (total(flawed, goal) > 0.1).all(), channel


@pytest.mark.parametrize("rate", [0.005, 0.01, 0.02])
def test_the_share_of_occupied_cells_in_every_cell_costs_its_entropy_and_almost_a_whole_dice(rate):
    occupied = torch.zeros(1, 100, 400)
    occupied.view(-1)[torch.randperm(40_000)[: round(rate * 40_000)]] = 1
    logit = torch.full_like(occupied, math.log(rate / (1 - rate)))
    found = loss.occupancy_loss(logit, occupied, torch.ones_like(occupied), torch.ones_like(occupied), rate).item()
    entropy = -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)
    count = round(rate * 40_000)
    dice = 1 - (2 * rate * count + 1) / (2 * count + 1)
    assert found - entropy / (2 * rate) == pytest.approx(dice, abs=1e-4)
    assert dice == pytest.approx(1 - rate, abs=3e-3)


def test_dice_measures_the_overlap():
    occupied = torch.zeros(1, 1000)
    occupied[:, :100] = 1
    logit = torch.full((1, 1000), -60.0)
    logit[:, 50:200] = 60.0
    cross_entropy = (50 + 100) * 60 / 1000 / (2 * 0.1)
    found = loss.occupancy_loss(logit, occupied, torch.ones_like(occupied), torch.ones_like(occupied), 0.1).item()
    assert found - cross_entropy == pytest.approx(1 - (2 * 50 + 1) / (150 + 100 + 1), abs=1e-4)


def test_unknown_cells_do_not_count_when_their_weight_is_0():
    goal, decoded = target(3), torch.randn(2, 5, *SHAPES[3])
    observed = (torch.rand(2, *SHAPES[3]) < 0.5).float().maximum(goal[:, 0])
    changed = torch.where((observed > 0)[:, None], decoded, 7 * torch.randn_like(decoded))
    ignoring = replace(WEIGHTS, unobserved=0.0)
    torch.testing.assert_close(
        total(decoded, goal, observed, weights=ignoring), total(changed, goal, observed, weights=ignoring)
    )
    assert (total(decoded, goal, observed) - total(changed, goal, observed)).abs().min() > 0.1


def test_an_unknown_cell_counts_as_much_as_its_weight_says():
    occupied, logit = torch.zeros(1, 100), torch.zeros(1, 100)
    entropies = []
    for unobserved in (0.0, 0.2, 1.0):
        weight = torch.cat([torch.ones(1, 50), torch.full((1, 50), unobserved)], 1)
        found = loss.occupancy_loss(logit, occupied, weight, weight, rate=0.5).item()
        dice = 1 - 1 / (0.5 * (50 + 50 * unobserved) + 1)
        entropies.append((found - dice) / math.log(2))
    assert entropies == pytest.approx([0.5, 0.6, 1.0], abs=1e-5)


def test_values_are_compared_where_they_were_measured_and_nowhere_else():
    goal = target(3)
    occupied, valid = goal[:, 0] > 0, goal[:, 3] > 0
    before, said = total(perfect(goal), goal), perfect(goal)
    said[:, 1][~occupied] += 100
    said[:, 2][~valid] += 100
    said[:, 3][~occupied] += 100
    said[:, 4][~valid] += 100
    torch.testing.assert_close(total(said, goal), before)


@pytest.mark.parametrize(("channel", "name"), [(1, "reflectivity"), (2, "doppler"), (4, "power")])
def test_each_measured_value_has_its_weight_and_weighs_as_much_as_the_ramp_allows(channel, name):
    goal = target(3)
    said = perfect(goal)
    said[:, channel] += 1.0
    found = [total(said, goal, ramp=ramp).mean().item() for ramp in (0.0, 0.5, 1.0)]
    full = MEASURED[name] * (1.0 - loss.HUBER / 2)
    assert found == pytest.approx([0.0, full / 2, full], abs=1e-3)


def test_the_huber_loss_is_quadratic_below_its_knee_and_linear_above():
    knee = loss.HUBER
    for error, expected in ((knee / 2, knee / 8), (knee, knee / 2), (4 * knee, 3.5 * knee)):
        value = torch.full((1, 4), error)
        found = loss.masked_huber(value, torch.zeros(1, 4), torch.tensor([[1.0, 1.0, 0.0, 0.0]]))
        assert found.item() == pytest.approx(expected, rel=1e-5)


def test_a_frame_without_an_occupied_cell_has_a_finite_loss_and_gradient():
    decoded = torch.randn(2, 5, *SHAPES[3], requires_grad=True)
    found = total(decoded, torch.zeros(2, 5, *SHAPES[3]), torch.zeros(2, *SHAPES[3]))
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(decoded.grad).all()


def test_a_cloud_without_validity_is_measured_in_all_occupied_cells():
    channels = (*RADAR[:1], "doppler", "power")
    weights = replace(WEIGHTS, measured={"doppler": 5.0, "power": 2.0})
    goal = target(3)[:, [0, 2, 4]]
    said = goal.clone()
    said[:, 0] = 40 * goal[:, 0] - 20
    said[:, 2] += 1.0
    found = loss.target_loss(said, goal, channels, torch.ones_like(goal[:, 0]), 0.1, weights, 1.0)
    torch.testing.assert_close(found, torch.full((2,), 2.0 * (1.0 - loss.HUBER / 2)), atol=1e-3, rtol=0)


@pytest.mark.parametrize("measured", [{"doppler": 1.0}, {}, {**MEASURED, "doppler_variance": 1.0}])
def test_weights_of_other_channels_than_the_target_has_are_refused(measured):
    with pytest.raises(InputError, match=r"^vae\.loss\.measured: expected weights of reflectivity, doppler, power,"):
        loss.require_weights(replace(WEIGHTS, measured=measured), LIDAR_AND_RADAR, "vae.loss")
