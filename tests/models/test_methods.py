"""Every method: its calls, its noise per frame whatever the batch, and the training frame that is most alike."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import exact
from echoes import params
from echoes.diffusion.edm import Denoiser
from echoes.diffusion.samplers import SigmaRange, heun, karras_sigmas
from echoes.distillation.consistency import ConsistencyModel
from echoes.models import denoisers, methods
from echoes.models.denoisers import CdParams
from echoes.models.methods import Decoder

LEVELS = SigmaRange(40, 0.004, 160.0, 7.0)
GRID = (4, 16, 32)
SHAPE = (4, 2, 4, 2)


def test_a_frame_has_the_same_noise_in_any_batch():
    together = methods.noise_of([3, 7, 9], SHAPE, 0, "sample")
    assert torch.equal(methods.noise_of([9, 3], SHAPE, 0, "sample"), together[[2, 0]])
    assert together.mean().abs() < 0.5
    assert not torch.equal(together[0], together[1])
    for other in (methods.noise_of([3], SHAPE, 1, "sample"), methods.noise_of([3], SHAPE, 0, "renoise-0")):
        assert not torch.equal(other[0], together[0])


def test_the_global_generator_is_left_alone():
    torch.manual_seed(0)
    first = torch.randn(3)
    torch.manual_seed(0)
    methods.noise_of([3], SHAPE, 0, "sample")
    assert torch.equal(torch.randn(3), first)


@pytest.mark.parametrize(("solver", "calls"), [("heun", 79), ("euler", 40), ("dpmpp_2m", 40)])
def test_the_calls_of_every_method_are_counted(track, solver, calls):
    cond = torch.from_numpy(track.grids.radar_batch([0, 1]))
    generators = {
        methods.posterior_mean(track.denoiser, 160.0): 1,
        methods.ldm(track.denoiser, solver, LEVELS): calls,
        methods.cd(track.model, track.cd_params, [], 0): 1,
        methods.cd(track.model, track.cd_params, [1.5], 0): 2,
        methods.cd(track.model, track.cd_params, [5.0, 1.5], 0): 3,
    }
    for generator, expected in generators.items():
        assert methods.calls(generator, cond, SHAPE) == expected
    assert not track.denoiser.network._forward_hooks


def test_each_method_is_what_it_says_for_a_denoiser_known_exactly(track):
    """With a network of zeros the denoiser is that of data N(0, 1), and so is its consistency model's input."""
    denoiser = Denoiser(exact.Zero(), 1.0)
    noise = methods.noise_of([1, 2], SHAPE, 0, "sample")
    mean = methods.posterior_mean(denoiser, 160.0).sample(denoiser, noise, [1, 2])
    torch.testing.assert_close(mean, noise * 160.0 / (1 + 160.0**2))
    found = methods.ldm(denoiser, "heun", LEVELS).sample(denoiser, noise, [1, 2])
    torch.testing.assert_close(found, heun(denoiser, noise, karras_sigmas(LEVELS)))
    torch.testing.assert_close(found, noise, rtol=0.02, atol=0)  # the path ends at x / sigma
    model = ConsistencyModel(denoiser, 0.004)
    one = methods.cd(model, track.cd_params, [], 0).sample(model, noise, [1, 2])
    torch.testing.assert_close(one, 160.0 * noise / ((160.0 - 0.004) ** 2 + 1))


def test_the_second_step_of_a_frame_takes_the_same_noise_in_any_batch(track):
    generator = methods.cd(track.model, track.cd_params, [1.5], 0)
    features = track.model.features(torch.from_numpy(track.grids.radar_batch([4, 5, 6])))

    def sample(frames):
        chosen = features[[frame - 4 for frame in frames]]
        noise = methods.noise_of(frames, SHAPE, 0, "sample")
        return generator.sample(methods.given(track.model, chosen), noise, frames)

    torch.testing.assert_close(sample([6, 4]), sample([4, 5, 6])[[2, 0]], rtol=1e-4, atol=1e-4)


def test_a_further_step_takes_noise_of_its_own(track):
    seen = []

    def denoise(noisy, sigma):
        seen.append(noisy / sigma[0])
        return torch.zeros_like(noisy)

    frames = list(range(50))
    methods.cd(track.model, track.cd_params, [5.0, 1.5], 0).sample(
        denoise, methods.noise_of(frames, SHAPE, 0, "sample"), frames
    )
    correlations = torch.corrcoef(torch.stack([noise.flatten() for noise in seen]))
    torch.testing.assert_close(correlations, torch.eye(3), atol=0.1, rtol=0)


def test_clouds_are_those_of_the_decoded_samples_and_carry_the_time_they_took(track):
    decoder = Decoder(track.vae, denoisers.whitening(track.latents.header), track.grids.scaling, 0.5)
    cond = torch.from_numpy(track.grids.radar_batch([0, 1, 2]))
    generator = methods.cd(track.model, track.cd_params, [], 0)
    found, seconds = methods.clouds(generator, decoder, cond, [0, 1, 2], SHAPE, 0)
    again, _ = methods.clouds(generator, decoder, cond, [0, 1, 2], SHAPE, 0)
    assert seconds > 0
    assert len(found) == 3
    assert sum(len(cloud.indices) for cloud in found) > 10
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one.indices, other.indices)
        np.testing.assert_array_equal(one.features, other.features)


@given(st.integers(0, 19))
def test_a_training_frame_is_most_like_itself(frame):
    rng = np.random.default_rng(0)
    clouds = [rng.integers(0, GRID, (30, 3)) for _ in range(20)]
    descriptors = [methods.descriptor(cloud, GRID) for cloud in clouds]
    found = methods.nearest_train(iter(enumerate(descriptors)), np.stack([descriptors[frame]]))
    assert found.tolist() == [frame]


def test_the_nearest_is_named_by_its_frame_number():
    one, other = (methods.descriptor(np.array([[0, y, 0]]), GRID) for y in (0, 15))
    found = methods.nearest_train(iter([(17, one), (4, other)]), np.stack([other, one, other]))
    assert found.tolist() == [4, 17, 4]


def test_a_descriptor_has_length_1_does_not_know_the_order_and_shrugs_off_small_shifts():
    rng = np.random.default_rng(0)
    indices = np.unique(rng.integers((0, 1, 1), (4, 8, 14), (30, 3)), axis=0)
    found = methods.descriptor(indices.astype(np.uint8), GRID)
    assert np.linalg.norm(found) == pytest.approx(1.0)
    np.testing.assert_array_equal(methods.descriptor(indices[::-1], GRID), found)
    shifted = methods.descriptor(indices + np.array([0, 1, 0]), GRID)
    far = methods.descriptor(indices + np.array([0, 7, 15]), GRID)
    assert 1 > found @ shifted > 0.8
    assert found @ shifted > found @ far + 0.1


def test_a_frame_without_cells_has_a_descriptor_of_zeros():
    found = methods.descriptor(np.zeros((0, 3), np.uint8), GRID)
    assert found.shape == (32,)
    assert not found.any()


def test_the_largest_index_of_a_large_grid_does_not_overflow():
    found = methods.descriptor(np.array([[0, 255, 255]], np.uint8), (4, 256, 256))
    assert found.reshape(64, 64)[63, 63] == found.max()


def test_the_section_of_the_consistency_model_builds(track):
    assert isinstance(track.cd_params, CdParams)
    assert params.build(SigmaRange, vars(track.cd_params.sigmas), "a") == track.cd_params.sigmas
