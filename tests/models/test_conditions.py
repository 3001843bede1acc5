"""What conditions a frame, and what a model says under it, guided or not."""

import copy

import numpy as np
import pytest
import torch

from echoes.diffusion.denoiser import bind
from echoes.diffusion.guidance import Guidance
from echoes.models import families
from echoes.models.conditions import conditioned, rows_or_mirrored, unmirrored

FRAMES = np.array([5, 2])
LEVELS = torch.tensor([0.5, 0.5])


def test_a_radar_track_gives_its_cells_or_their_latents(track, track_vae):
    np.testing.assert_array_equal(track.conditions(FRAMES, unmirrored(FRAMES)), track.grids.input_batch(FRAMES))
    np.testing.assert_array_equal(track_vae.conditions(FRAMES, unmirrored(FRAMES)), track.latents.rows("cond", FRAMES))


def test_only_the_frames_in_a_mirror_are_mirrored(track, track_vae):
    flipped = np.array([False, True])
    radar = track.grids.input_batch(FRAMES)
    np.testing.assert_array_equal(track.conditions(FRAMES, flipped), np.stack([radar[0], np.flip(radar[1], -2)]))
    found = track_vae.conditions(FRAMES, flipped)
    np.testing.assert_array_equal(found[0], track.latents.rows("cond", FRAMES)[0])
    np.testing.assert_array_equal(found[1], track.latents.rows("cond_mirrored", FRAMES)[1])
    np.testing.assert_array_equal(found, rows_or_mirrored(track_vae.latents, "cond", FRAMES, flipped))


def test_a_track_of_spectrograms_gives_its_labels(people):
    found = families.conditioning("microdoppler").conditions(people.grids, people.latents, "labels")(
        FRAMES, unmirrored(FRAMES)
    )
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found, people.grids.labels(FRAMES))


def guided_answer(track, weight, model=None):
    cond = track.conditions(FRAMES, unmirrored(FRAMES))
    torch.manual_seed(0)
    noisy = torch.randn(2, *track.latents.header.content["latent_shape"])
    with torch.no_grad():
        return conditioned(model or track.denoiser, cond, Guidance(weight, 0.1, 10.0))(noisy, LEVELS)


@pytest.mark.parametrize("name", ["track", "people", "people_vq"])
@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_the_null_is_encoded_where_it_guides_and_never_for_a_weight_of_1(name, weight, request):
    track = request.getfixturevalue(name)
    dropped = []
    hook = track.denoiser.conditioner.register_forward_hook(
        lambda _, inputs, __: dropped.append(inputs[1].any().item())
    )
    guided_answer(track, weight)
    hook.remove()
    assert dropped == ([False] if weight == 1 else [False, True])


@pytest.mark.parametrize("name", ["track", "people", "people_vq"])
def test_a_guided_answer_leads_away_from_the_unconditional_one(name, request):
    track = request.getfixturevalue(name)
    model = copy.deepcopy(track.denoiser)
    for parameter in model.conditioner.parameters():  # a null is told from a condition
        torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(0))
    with_condition, without = guided_answer(track, 1.0, model), guided_answer(track, 0.0, model)
    assert not torch.allclose(with_condition, without, atol=1e-4)
    expected = without + 3 * (with_condition - without)
    torch.testing.assert_close(guided_answer(track, 3.0, model), expected, rtol=1e-4, atol=1e-4)


def test_a_consistency_model_is_guided_like_its_denoiser(people):
    cond = people.conditions(FRAMES, unmirrored(FRAMES))
    noisy = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    plain = conditioned(people.model, cond, Guidance(1.0, 0.1, 10.0))(noisy, LEVELS)
    assert torch.equal(plain, bind(people.model, people.model.condition(cond))(noisy, LEVELS))
    assert not torch.equal(conditioned(people.model, cond, Guidance(3.0, 0.1, 10.0))(noisy, LEVELS), plain)
