"""Every method: its calls, and its noise per sample whatever the batch."""

from functools import partial

import numpy as np
import pytest
import torch

import exact
import tracks
from echoes import params
from echoes.diffusion.denoiser import Denoiser
from echoes.diffusion.dopri5 import Tolerances
from echoes.diffusion.edm import Edm, EdmConfig
from echoes.diffusion.guidance import Guidance
from echoes.diffusion.paths import EXPLODING
from echoes.diffusion.samplers import SolverConfig, heun, solve
from echoes.diffusion.schedules import SigmaRange, karras_sigmas
from echoes.distillation.consistency import ConsistencyModel
from echoes.models import denoisers, methods, students
from echoes.models.conditions import straight
from echoes.models.distilling import CdParams
from echoes.models.methods import UNGUIDED, Decoder
from echoes.models.objectives import LdmParams

LEVELS = SigmaRange(40, 0.004, 160.0, 7.0, "karras", 1.0)
SHAPE = (4, 2, 4, 2)
TIGHT = Tolerances(1e-4, 1e-4)
GUIDED = Guidance(2.0, 0.1, 10.0)


def solver(name):
    return partial(solve, SolverConfig(name, TIGHT))


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


@pytest.mark.parametrize(("name", "calls"), [("heun", 79), ("euler", 40), ("dpmpp_2m", 40), ("ddim", 40), ("ddpm", 40)])
def test_the_calls_of_every_method_are_counted(track, name, calls):
    cond = torch.from_numpy(track.grids.radar_batch([0, 1]))
    generators = {
        methods.posterior_mean(track.denoiser, 160.0): 1,
        methods.ldm(track.denoiser, solver(name), LEVELS, UNGUIDED, 0): calls,
        students.cd(track.model, track.cd_params.sigmas, [], 0): 1,
        students.cd(track.model, track.cd_params.sigmas, [1.5], 0): 2,
        students.cd(track.model, track.cd_params.sigmas, [5.0, 1.5], 0): 3,
    }
    for generator, expected in generators.items():
        assert methods.calls(generator, cond, SHAPE) == expected
    assert not track.denoiser.network._forward_hooks


def test_a_guided_call_counts_as_two_where_guidance_acts(people):
    cond = people.conditions(np.arange(3), straight(np.arange(3)))
    found = methods.calls(methods.ldm(people.denoiser, solver("euler"), LEVELS, GUIDED, 0), cond, (4, 4, 4))
    inside = sum(0.1 < sigma <= 10.0 for sigma in karras_sigmas(LEVELS).tolist())
    assert found == 40 + inside
    # The student learned the guided trajectories: it is called once.
    assert methods.calls(students.cd(people.model, people.cd_params.sigmas, [], 0), cond, (4, 4, 4)) == 1


def test_each_method_is_what_it_says_for_a_denoiser_known_exactly(track):
    """With a network of zeros the denoiser is that of data N(0, 1), and so is its consistency model's input."""
    denoiser = Denoiser(exact.Zero(), Edm(EdmConfig(1.0)), None)
    noise = methods.noise_of([1, 2], SHAPE, 0, "sample")
    mean = methods.posterior_mean(denoiser, 160.0).sample(denoiser, noise, [1, 2])
    torch.testing.assert_close(mean, noise * 160.0 / (1 + 160.0**2))
    found = methods.ldm(denoiser, solver("heun"), LEVELS, UNGUIDED, 0).sample(denoiser, noise, [1, 2])
    torch.testing.assert_close(found, heun(denoiser, noise, karras_sigmas(LEVELS), EXPLODING))
    torch.testing.assert_close(found, noise, rtol=0.02, atol=0)  # the path ends at x / sigma
    model = ConsistencyModel(denoiser, 0.004)
    one = students.cd(model, track.cd_params.sigmas, [], 0).sample(model, noise, [1, 2])
    kept = 0.004 / 160.0  # of the noise, beside what the denoiser says
    torch.testing.assert_close(one, 160.0 * noise * (kept + (1 - kept) / (1 + 160.0**2)))


def test_the_second_step_of_a_frame_takes_the_same_noise_in_any_batch(track):
    generator = students.cd(track.model, track.cd_params.sigmas, [1.5], 0)
    cond = torch.from_numpy(track.grids.radar_batch([4, 5, 6]))

    def sample(frames):
        noise = methods.noise_of(frames, SHAPE, 0, "sample")
        with torch.no_grad():
            return generator.latents(cond[[frame - 4 for frame in frames]], noise, frames)

    torch.testing.assert_close(sample([6, 4]), sample([4, 5, 6])[[2, 0]], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("network", ["unet", "dit"])
@pytest.mark.parametrize("parameterization", ["edm", "flow", "ddpm"])
@pytest.mark.parametrize("method", ["heun", "ddpm", "dopri5", "cd_2"])
def test_a_sample_has_the_same_latents_in_any_batch(people, parameterization, network, method):
    other = {"architecture.parameterization": parameterization, "architecture.network": network}
    ldm = params.build(LdmParams, tracks.changed(tracks.PEOPLE_LDM, other), "ldm")
    denoiser = tracks.shaken(denoisers.build(people.latents.header, ldm.architecture), std=0.02)
    for table in denoiser.conditioner.tables:  # labels as quiet as the rest, or an adaptive solver amplifies roundings
        table.weight.mul_(0.02)
    levels = SigmaRange(5, 0.02, 80.0, 7.0, "karras", 1.0)
    if method == "cd_2":
        generator = students.cd(ConsistencyModel(denoiser, 0.004), people.cd_params.sigmas, [1.5], 0)
    else:
        generator = methods.ldm(denoiser, solver(method), levels, GUIDED, 0)
    labels = people.grids.labels(people.grids.frames("train"))

    def sample(numbers):
        noise = methods.noise_of(numbers, (4, 4, 4), 0, "sample")
        with torch.no_grad():
            return generator.latents(torch.from_numpy(labels[numbers]), noise, numbers)

    together = sample([1, 7, 12, 25])
    torch.testing.assert_close(sample([25, 1]), together[[3, 0]], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sample([12]), together[[2]], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.1)


@pytest.mark.parametrize("name", ["people", "people_vq"])
@pytest.mark.parametrize("method", ["ldm", "cd_1", "cd_2"])
def test_another_label_gives_another_sample_of_the_same_noise(name, method, request):
    people = request.getfixturevalue(name)
    generators = {
        "ldm": methods.ldm(people.denoiser, solver("heun"), SigmaRange(5, 0.02, 80.0, 7.0, "karras", 1.0), GUIDED, 0),
        "cd_1": students.cd(people.model, people.cd_params.sigmas, [], 0),
        "cd_2": students.cd(people.model, people.cd_params.sigmas, [1.5], 0),
    }
    noise = methods.noise_of([4], (4, 4, 4), 0, "sample").repeat(3, 1, 1, 1)
    cond = torch.tensor([[0, 0], [0, 2], [1, 0]])  # another activity, another user
    with torch.no_grad():
        made = generators[method].latents(cond, noise, [4, 4, 4])
    assert (made[0] - made[1]).abs().max() > 1e-3
    assert (made[0] - made[2]).abs().max() > 1e-3


def test_a_further_step_takes_noise_of_its_own(track):
    seen = []

    def denoise(noisy, sigma):
        seen.append(noisy / sigma[0])
        return torch.zeros_like(noisy)

    frames = list(range(50))
    students.cd(track.model, track.cd_params.sigmas, [5.0, 1.5], 0).sample(
        denoise, methods.noise_of(frames, SHAPE, 0, "sample"), frames
    )
    correlations = torch.corrcoef(torch.stack([noise.flatten() for noise in seen]))
    torch.testing.assert_close(correlations, torch.eye(3), atol=0.1, rtol=0)


@pytest.mark.parametrize("name", ["people", "people_vq"])
def test_decoded_samples_repeat_and_carry_the_time_they_took(name, request):
    people = request.getfixturevalue(name)
    decoder = Decoder(people.vae, denoisers.whitening(people.latents.header))
    cond = people.conditions(np.arange(3), straight(np.arange(3)))
    generator = students.cd(people.model, people.cd_params.sigmas, [], 0)
    found, seconds = methods.decoded(generator, decoder, cond, [0, 1, 2], (4, 4, 4), 0)
    again, _ = methods.decoded(generator, decoder, cond, [0, 1, 2], (4, 4, 4), 0)
    assert seconds > 0
    assert found.shape == (3, 1, 16, 16)
    assert found.isfinite().all()
    assert torch.equal(found, again)
    assert not torch.equal(methods.decoded(generator, decoder, cond, [0, 1, 2], (4, 4, 4), 1)[0], found)


def test_a_decoder_undoes_the_whitening(people):
    decoder = Decoder(people.vae, denoisers.whitening(people.latents.header))
    raw_latents = torch.from_numpy(people.latents.rows("latents", np.arange(2)))
    found = decoder(decoder.whitening.whiten(raw_latents))
    torch.testing.assert_close(found, people.vae.decode(raw_latents), rtol=1e-4, atol=1e-5)


def test_the_section_of_the_consistency_model_builds(track):
    assert isinstance(track.cd_params, CdParams)
    assert params.build(SigmaRange, vars(track.cd_params.sigmas), "a") == track.cd_params.sigmas
