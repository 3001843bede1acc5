"""Denoiser and consistency model come back from their files as they were, with what they were made from."""

import numpy as np
import pytest
import torch

from echoes import params
from echoes.autoencoder.latents import Whitening
from echoes.diffusion.edm import given
from echoes.errors import InputError
from echoes.models import denoisers
from echoes.models.batches import condition_batch
from echoes.models.denoisers import CdParams, LdmParams

CPU = torch.device("cpu")
LEVELS = torch.tensor([0.5, 40.0])


def inputs(track):
    frames = np.array([0, 1])
    cond = condition_batch(track.grids, track.latents, track.ldm_params.condition, frames, np.zeros(2, bool))
    torch.manual_seed(0)
    return torch.randn(2, 4, 2, 4, 2), cond


@pytest.mark.parametrize("name", ["track", "track_vae"])
def test_a_denoiser_repeats_its_answers_bit_for_bit_under_either_condition(name, request):
    track = request.getfixturevalue(name)
    denoiser, header = denoisers.load_ldm(track.data / "ldm.safetensors", CPU)
    noisy, cond = inputs(track)
    found = given(denoiser, denoiser.features(cond))(noisy, LEVELS)
    expected = given(track.denoiser, track.denoiser.features(cond))(noisy, LEVELS)
    assert torch.equal(found, expected)
    assert not torch.equal(found, given(denoiser, denoiser.features(cond + 1))(noisy, LEVELS))
    assert denoisers.condition(header) == track.ldm_params.condition
    assert params.build(LdmParams, header.params, "params") == track.ldm_params


def test_a_consistency_model_repeats_its_answers_and_its_boundary(track):
    model, p, header = denoisers.load_cd(track.data / "cd.safetensors", CPU)
    noisy, cond = inputs(track)
    found = given(model, model.features(cond))(noisy, LEVELS)
    assert torch.equal(found, given(track.model, track.model.features(cond))(noisy, LEVELS))
    assert torch.equal(given(model, model.features(cond))(noisy, torch.full((2,), 0.004)), noisy)
    assert (p, header.content["threshold"], header.content["middle"]) == (track.cd_params, 0.4, 1.5)
    assert params.build(CdParams, header.params, "params") == track.cd_params


def test_every_artifact_names_all_it_was_made_from(track):
    _, ldm = denoisers.load_ldm(track.data / "ldm.safetensors", CPU)
    cd = denoisers.load_cd(track.data / "cd.safetensors", CPU)[2]
    grids, latents = track.grids.header.identity, track.latents.header
    assert ldm.parents == {"grids": grids, "vae": latents.parents["vae"], "latents": latents.identity}
    assert cd.parents == {**ldm.parents, "ldm": ldm.identity}


def test_the_whitening_travels_with_the_weights(track):
    expected = denoisers.whitening(track.latents.header)
    assert isinstance(expected, Whitening)
    assert len(expected.mean) == len(expected.std) == 4
    assert denoisers.whitening(denoisers.load_ldm(track.data / "ldm.safetensors", CPU)[1]) == expected
    assert denoisers.whitening(denoisers.load_cd(track.data / "cd.safetensors", CPU)[2]) == expected


def test_files_of_other_kinds_are_refused(track):
    with pytest.raises(InputError, match="expected an artifact of kind cd, got ldm"):
        denoisers.load_cd(track.data / "ldm.safetensors", CPU)
    with pytest.raises(InputError, match="expected an artifact of kind ldm, got vae"):
        denoisers.load_ldm(track.data / "vae.safetensors", CPU)
