"""The regression: what it is shown, what it is to say, and how it is trained beside a denoiser."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import distributed as dist
from torch import nn

import steps
import tracks
from echoes import params
from echoes.compute import shares
from echoes.errors import InputError
from echoes.models import batches
from echoes.models.objectives import LdmParams
from echoes.models.radar import regression, regressor
from echoes.models.radar.regression import RegressionBatch, RegressionLoss
from echoes.models.radar.regressor import BirdseyeRegression, NoRegression
from echoes.tasks import ENHANCE
from echoes.training import sharding

FRAMES = np.array([0, 3, 5])
STRAIGHT = np.zeros(3, bool)
RATE = 0.04
OUTPUTS = regressor.outputs(ENHANCE)
FIELDS = ("given", "target", "observed", "offsets")


class Says(nn.Module):
    """Gives one answer whatever it is asked."""

    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer = nn.Parameter(answer.clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.answer


@pytest.fixture(scope="module")
def p(track):
    return track.ldm_params.loss.regression


@pytest.fixture
def network(track):
    torch.manual_seed(0)
    return regressor.build(track.ldm_params.architecture.regression, ENHANCE, track.grids.shape)


@pytest.fixture
def batch(track):
    return regression.load(track.grids, FRAMES, STRAIGHT)


def perfect(batch: RegressionBatch) -> torch.Tensor:
    """What a network would say that knows all."""
    sure = batch.target.clone()
    sure[:, [0, 3]] = 40 * sure[:, [0, 3]] - 20
    return torch.cat([sure, batch.offsets], dim=1)


def test_a_mirrored_frame_has_left_and_right_swapped_and_its_offsets_to_the_left_negated(track, batch):
    found = regression.load(track.grids, FRAMES, np.array([False, True, False]))
    for name in FIELDS:
        one, other = getattr(batch, name), getattr(found, name).clone()
        other[1] = other[1].flip(-2)
        if name == "offsets":
            other[1, 1] *= -1
        assert torch.equal(one, other), name
    assert batch.given.shape == (3, 4, *track.grids.shape)
    assert batch.offsets[:, 1].any()


def test_a_perfect_answer_costs_nearly_nothing_and_each_output_that_is_wrong_costs(batch, p):
    loss, best = regression.objective(ENHANCE.target, RATE, p), perfect(batch)
    found = loss(Says(best), batch)
    assert found.shape == (3,)
    assert (found < 1e-4).all()
    for i, name in enumerate(OUTPUTS):
        wrong = best.clone()
        wrong[:, i] = -wrong[:, i] if name in ("occupancy", "doppler_valid") else wrong[:, i] + 0.5
        assert (loss(Says(wrong), batch) > 0.05).all(), name


def test_what_is_regressed_counts_in_occupied_cells_and_unobserved_ones_count_as_much_as_is_told(batch, p):
    best, empty = perfect(batch), batch.target[:, 0] == 0
    elsewhere = best.clone()
    for name in (*OUTPUTS[1:3], *OUTPUTS[4:]):
        elsewhere[:, OUTPUTS.index(name)] += 5.0 * empty
    full = regression.objective(ENHANCE.target, RATE, p)
    torch.testing.assert_close(full(Says(elsewhere), batch), full(Says(best), batch))
    unseen = best.clone()
    unseen[:, 0] += 30 * (batch.observed == 0)
    free = regression.objective(ENHANCE.target, RATE, replace(p, unobserved=0.0))
    assert (free(Says(unseen), batch) < 1e-4).all()
    assert (full(Says(unseen), batch) > 10).all()


def test_before_training_the_probability_is_the_share_of_occupied_cells(track, network):
    regression.set_prior(network, track.grids)
    with torch.no_grad():
        said = network(torch.from_numpy(track.grids.input_batch(FRAMES)))
    found = dict(zip(OUTPUTS, said.unbind(1), strict=True))
    rate = torch.full((3, *track.grids.shape), track.grids.occupied_share)
    torch.testing.assert_close(found["occupancy"].sigmoid(), rate, rtol=1e-5, atol=0)
    assert not found["offset_x"].any()
    regression.set_prior(None, track.grids)


def others(part):
    return part.frames


def loss_of_others(frames):
    return torch.full((len(frames),), 2.0)


def test_without_a_regression_nothing_is_joined(track, p, network):
    flips = batches.flips(True, "train_ldm", 0)
    for module, section in ((None, p), (None, None), (network, None)):
        joined = regression.joined(module, track.grids, section, others, loss_of_others, flips)
        assert joined == (others, loss_of_others)
        assert regression.error(module, track.grids, section) == {}


def gradients(network):
    return [weight.grad for weight in network.parameters()]


def test_every_second_step_it_learns_and_in_between_its_gradient_is_0_and_not_missing(track, p, network):
    flips = batches.flips(False, "train_ldm", 0)
    section = replace(p, every=2)
    load, loss = regression.joined(network, track.grids, section, others, loss_of_others, flips)
    for step in range(4):
        network.zero_grad()
        found = loss(load(steps.whole(FRAMES, step)))
        found.mean().backward()
        assert found.shape == (3,)
        assert all(gradient is not None for gradient in gradients(network))
        learns = any(gradient.any() for gradient in gradients(network))
        assert learns == (step % 2 == 0)
        assert torch.equal(found, torch.full((3,), 2.0)) == (step % 2 == 1)


@pytest.fixture
def one_process(tmp_path):
    """A group of processes that this one is alone in."""
    dist.init_process_group("gloo", store=dist.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module .* returned a view tensor")
def test_weights_that_are_spread_over_processes_have_a_gradient_of_0_too(track, p, network, one_process):
    whole = nn.ModuleDict({"regression": network})
    sharding.shard(whole)
    assert all(shares.is_share(weight) for weight in network.parameters())
    load, loss = regression.joined(
        network, track.grids, replace(p, every=2), others, loss_of_others, batches.flips(False, "train_ldm", 0)
    )
    for step, learns in ((0, True), (1, False)):
        network.zero_grad()
        loss(load(steps.whole(FRAMES, step))).mean().backward()
        assert any(shares.whole(gradient).any() for gradient in gradients(network)) == learns


def test_its_loss_is_a_share_of_the_sum_and_frames_are_mirrored_as_those_of_the_denoiser(track, p, network):
    flips = batches.flips(True, "train_ldm", 0)
    load, loss = regression.joined(network, track.grids, p, others, loss_of_others, flips)
    part = steps.whole([0, 1, 2, 3, 4, 5, 6], 2)
    assert 0 < flips(part).sum() < 7
    frames, own = load(part)
    expected = regression.load(track.grids, part.frames, flips(part))
    for name in FIELDS:
        assert torch.equal(getattr(own, name), getattr(expected, name))
    alone = regression.objective(ENHANCE.target, track.grids.occupied_share, p)(network, own)
    torch.testing.assert_close(loss((frames, own)), 2.0 + regression.SHARE * alone)


def test_a_few_steps_lower_its_loss(track, p, network):
    regression.set_prior(network, track.grids)
    load, loss = regression.joined(network, track.grids, p, others, loss_of_others, batches.flips(False, "x", 0))
    optimizer, seen = torch.optim.Adam(network.parameters(), 5e-3), []
    for step in range(25):
        optimizer.zero_grad()
        value = loss(load(steps.whole(FRAMES, step))).mean()
        value.backward()
        optimizer.step()
        seen.append(value.item() - 2.0)
    assert seen[-1] < 0.7 * seen[0]


def test_the_error_is_the_mean_loss_over_the_validation_split(track, p):
    network, frames = track.denoiser.regression, track.grids.frames("val")
    batch = regression.load(track.grids, frames, np.zeros(len(frames), bool))
    with torch.no_grad():
        expected = regression.objective(ENHANCE.target, track.grids.occupied_share, p)(network, batch).mean().item()
    assert regression.error(network, track.grids, p) == {"val_regression_loss": pytest.approx(expected, rel=1e-5)}


def test_the_section_is_of_one_kind_or_the_other():
    assert params.build(BirdseyeRegression | NoRegression, tracks.REGRESSION, "x").kind == "birdseye"
    assert params.build(BirdseyeRegression | NoRegression, {"kind": "none"}, "x") == NoRegression("none")
    with pytest.raises(InputError, match=r"^x\.kind: expected one of birdseye, none, got 'pillars'$"):
        params.build(BirdseyeRegression | NoRegression, {**tracks.REGRESSION, "kind": "pillars"}, "x")
    with pytest.raises(InputError, match=r"^x\.every: expected at least 1, got 0$"):
        params.build(RegressionLoss, {**tracks.LDM["loss"]["regression"], "every": 0}, "x")


def test_a_regression_without_weights_is_refused():
    message = (
        r"^radar\.ldm\.loss\.regression: expected its weights, as architecture\.regression asks for one, got null$"
    )
    with pytest.raises(InputError, match=message):
        params.build(LdmParams, tracks.changed(tracks.LDM, {"loss.regression": None}), "radar.ldm")
