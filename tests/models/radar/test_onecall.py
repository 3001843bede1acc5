"""One call of each network: what is averaged over samples, and what is not called where it need not be."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

import tracks
from echoes.models.conditions import unmirrored
from echoes.models.radar import readout
from echoes.models.radar.onecall import OneCall, of_frames
from echoes.models.sampler import seed_of

FRAMES = np.array([7, 10])
SEED = 3


@pytest.fixture(scope="module")
def call(track):
    return OneCall(replace(tracks.consistent(track), seed=SEED))


@pytest.fixture
def without(track, call):
    """The same track as if it had no regression."""
    model = copy.deepcopy(track.model)
    model.denoiser.regression = None
    return replace(call, sampler=replace(call.sampler, model=model))


@pytest.fixture(scope="module")
def radar(track):
    return torch.from_numpy(track.grids.input_batch(FRAMES))


def test_samples_of_two_steps_are_apart_by_the_noise_of_both(track, radar):
    call = OneCall(replace(tracks.consistent(track, 1.5), seed=SEED))
    said = call(radar, radar, FRAMES.tolist(), 4, True)
    probability = torch.stack([decoded(call, radar, k)[:, 0].sigmoid() for k in range(4)]).double()
    torch.testing.assert_close(said.spread.double(), probability.std(0), rtol=1e-4, atol=1e-5)


def decoded(call, cond, sample):
    """(2, 5, D, H, W) of the k-th sample of the frames."""
    return replace(call.sampler, seed=seed_of(SEED, sample))(cond, FRAMES.tolist())


def calls(module, work):
    """What `work` gives, and how often the module was called for it."""
    count = []
    hook = module.register_forward_hook(lambda *_: count.append(1))
    try:
        return work(), len(count)
    finally:
        hook.remove()


def test_the_mean_and_the_spread_over_samples_are_those_of_as_many_calls_by_hand(call, radar):
    said = call(radar, radar, FRAMES.tolist(), 4, True)
    each = [decoded(call, radar, k) for k in range(4)]
    probability = torch.stack([one[:, 0].sigmoid() for one in each]).double()
    torch.testing.assert_close(said.latent.sigmoid().double(), probability.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(said.spread.double(), probability.std(0), rtol=1e-4, atol=1e-5)
    assert (said.spread > 0.001).any()
    assert torch.equal(said.sampled[:, :5], each[0])
    assert not said.sampled[:, 5:].any()


def test_one_sample_is_the_one_that_is_measured_and_has_no_spread(call, radar):
    said = call(radar, radar, FRAMES.tolist(), 1, True)
    assert torch.equal(said.latent, decoded(call, radar, 0)[:, 0])
    assert not said.spread.any()
    assert seed_of(SEED, 0) == SEED
    assert len({seed_of(SEED, k) for k in range(5)}) == 5


def test_the_gate_is_given_both_models_and_measurements_are_the_regressions(track, call, radar):
    said = call(radar, radar, FRAMES.tolist(), 1, True)
    regressed = track.model.denoiser.regression(radar)
    torch.testing.assert_close(said.measured, regressed, rtol=0.05, atol=0.05)  # the processor may compute in bfloat16
    assert call.names == readout.names(True)
    assert torch.equal(said.weighed, readout.inputs(said.measured, said.latent, radar))
    assert said.seconds > 0


def test_the_latent_model_is_not_called_where_it_has_no_say(track, call, radar):
    network = track.model.denoiser.network
    said, count = calls(network, lambda: call(radar, radar, FRAMES.tolist(), 1, False))
    assert count == 0
    assert not said.latent.any()
    assert not said.spread.any()
    assert torch.equal(said.sampled, said.measured)
    assert calls(network, lambda: call(radar, radar, FRAMES.tolist(), 3, True))[1] == 3


def test_without_a_regression_the_latent_model_says_all(without, radar):
    network = without.sampler.model.denoiser.network
    said, count = calls(network, lambda: without(radar, radar, FRAMES.tolist(), 1, False))
    assert count == 1
    assert without.names == readout.names(False)
    assert torch.equal(said.measured, said.sampled)
    assert torch.equal(said.weighed, readout.inputs(None, said.latent, radar))


def test_frames_of_the_grids_are_said_with_their_own_condition_and_noise(track, call, radar):
    say = of_frames(call, track.grids, track.conditions, True)
    cond = track.conditions(FRAMES, unmirrored(FRAMES))
    found, expected = say(FRAMES), call(radar, cond, FRAMES.tolist(), 1, True)
    assert torch.equal(found.weighed, expected.weighed)
    assert torch.equal(found.measured, expected.measured)
