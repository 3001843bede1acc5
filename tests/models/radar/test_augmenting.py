"""The cloud that goes into denoiser and regression is disturbed alike, and nothing else is."""

import numpy as np
import pytest
import torch

import steps
import tracks
from echoes import params
from echoes.augmentation.clouds import InputAugmentation
from echoes.errors import InputError
from echoes.models import batches
from echoes.models.objectives import LdmParams
from echoes.models.radar import augmenting, regression
from echoes.training.microbatches import MicroBatch

FRAMES = np.arange(7)
WORSE = {"dropout": 0.2, "doppler_mps": 0.5, "power_db": 1.0, "clutter": 0.2, "noise": 0.02, "cutout": 0.4}


def section(values):
    return params.build(InputAugmentation, {**tracks.UNDISTURBED, **values}, "augmentation")


@pytest.fixture(scope="module")
def load(track):
    latents = batches.load_latents(track.latents, track.conditions, True, "train_ldm", 0)
    flips = batches.flips(True, "train_ldm", 0)
    weights = track.ldm_params.loss.regression
    return regression.joined(track.denoiser.regression, track.grids, weights, latents, sum, flips)[0]


def test_with_all_off_the_batches_are_those_of_before(track, load):
    assert augmenting.inputs(load, track.grids, section({}), 0) is load
    assert augmenting.inputs(load, track.grids, None, 0) is load


def test_denoiser_and_regression_see_the_same_disturbed_cloud_beside_targets_that_stay(track, load):
    worse = augmenting.inputs(load, track.grids, section(WORSE), 0)
    (plain, own), (latents, regressed) = load(steps.whole(FRAMES, 2)), worse(steps.whole(FRAMES, 2))
    assert torch.equal(latents.cond, regressed.given)
    assert all(not torch.equal(a, b) for a, b in zip(latents.cond, plain.cond, strict=True))
    for name in ("mean", "std"):
        assert torch.equal(getattr(latents, name), getattr(plain, name))
    for name in ("target", "observed", "offsets"):
        assert torch.equal(getattr(regressed, name), getattr(own, name))
    part = worse(MicroBatch(2, FRAMES[4:], 4, 7))[0]
    assert torch.equal(part.cond, latents.cond[4:])
    alone = batches.load_latents(track.latents, track.conditions, True, "train_ldm", 0)
    assert torch.equal(
        augmenting.inputs(alone, track.grids, section(WORSE), 0)(steps.whole(FRAMES, 2)).cond, latents.cond
    )


def test_where_the_condition_is_no_cloud_of_cells_disturbances_are_refused():
    latents = tracks.changed(tracks.LDM, {"architecture.condition.by": "vae"})
    assert params.build(LdmParams, latents, "x").augmentation == section({})
    for of, by in ((latents, "vae"), (tracks.PEOPLE_LDM, "labels")):
        with pytest.raises(InputError, match=rf"^x\.augmentation: expected null or 0 everywhere, .*by: {by}, got"):
            params.build(LdmParams, {**of, "augmentation": {**tracks.UNDISTURBED, "noise": 0.1}}, "x")
