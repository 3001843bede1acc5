"""Every way to sample: its calls, and its noise per sample whatever the batch."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import exact
import tracks
from echoes import params
from echoes.diffusion.churn import Churn
from echoes.diffusion.denoiser import Denoiser
from echoes.diffusion.dopri5 import Tolerances
from echoes.diffusion.edm import Edm, EdmConfig
from echoes.diffusion.guidance import Guidance
from echoes.diffusion.paths import VE
from echoes.diffusion.samplers import Ancestral, SolverConfig, heun, solve
from echoes.diffusion.schedules import SigmaRange, karras_sigmas
from echoes.distillation.consistency import ConsistencyModel
from echoes.models import denoisers, students
from echoes.models.conditions import unmirrored
from echoes.models.distilling import CdParams
from echoes.models.objectives import LdmParams
from echoes.models.sampler import Decoder, calls, noise_of, regressing, solving, timed

LEVELS = SigmaRange(40, 0.004, 160.0, 7.0, "karras", 1.0)
SHAPE = (4, 2, 4, 2)
TIGHT = Tolerances(1e-4, 1e-4)
GUIDED = Guidance(2.0, 0.1, 10.0)


def solver(name):
    return partial(solve, SolverConfig(name, TIGHT, Ancestral(0.5), Churn(2.0, 0.05, 50.0, 1.003)))


def test_a_frame_has_the_same_noise_in_any_batch():
    together = noise_of([3, 7, 9], SHAPE, 0, "sample")
    assert torch.equal(noise_of([9, 3], SHAPE, 0, "sample"), together[[2, 0]])
    assert together.mean().abs() < 0.5
    assert not torch.equal(together[0], together[1])
    for other in (noise_of([3], SHAPE, 1, "sample"), noise_of([3], SHAPE, 0, "renoise-0")):
        assert not torch.equal(other[0], together[0])


def test_the_global_generator_is_left_alone():
    torch.manual_seed(0)
    first = torch.randn(3)
    torch.manual_seed(0)
    noise_of([3], SHAPE, 0, "sample")
    assert torch.equal(torch.randn(3), first)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("heun", 79),
        ("euler", 40),
        ("dpmpp_2m", 40),
        ("pndm", 41),
        ("ddim", 40),
        ("ddpm", 40),
        ("euler_ancestral", 40),
        ("stochastic_heun", 79),
    ],
)
def test_the_calls_of_every_way_to_sample_are_counted(track, name, count):
    cond = torch.from_numpy(track.grids.input_batch([0, 1]))
    samplers = {
        tracks.sampler(track, track.denoiser, regressing(160.0)): 1,
        tracks.sampler(track, track.denoiser, solving(track.denoiser, solver(name), LEVELS)): count,
        tracks.consistent(track): 1,
        tracks.consistent(track, 1.5): 2,
        tracks.consistent(track, 5.0, 1.5): 3,
    }
    for sampler, expected in samplers.items():
        assert calls(sampler, cond) == expected
    assert not track.denoiser.network._forward_hooks


def test_a_guided_call_counts_as_two_where_guidance_acts(people):
    cond = people.conditions(np.arange(3), unmirrored(np.arange(3)))
    steps = solving(people.denoiser, solver("euler"), LEVELS)
    found = calls(tracks.sampler(people, people.denoiser, steps, GUIDED), cond)
    inside = sum(0.1 < sigma <= 10.0 for sigma in karras_sigmas(LEVELS).tolist())
    assert found == 40 + inside
    # The student learned the guided trajectories: it is called once.
    assert calls(tracks.consistent(people), cond) == 1


def no_more(purpose):
    raise AssertionError(f"no further noise was expected, got asked for {purpose}")


def test_each_way_is_what_it_says_for_a_denoiser_known_exactly(track):
    """With a network of zeros the denoiser is that of data N(0, 1), and so is its consistency model's input."""
    denoiser = Denoiser(exact.Zero(), Edm(EdmConfig(1.0)), None)
    noise = noise_of([1, 2], SHAPE, 0, "sample")
    mean = regressing(160.0)(denoiser, noise, no_more)
    torch.testing.assert_close(mean, noise * 160.0 / (1 + 160.0**2))
    found = solving(denoiser, solver("heun"), LEVELS)(denoiser, noise, no_more)
    torch.testing.assert_close(found, heun(denoiser, noise, karras_sigmas(LEVELS), VE))
    torch.testing.assert_close(found, noise, rtol=0.02, atol=0)  # the path ends at x / sigma
    one = students.steps(track.cd_params.sigmas, [])(ConsistencyModel(denoiser, 0.004), noise, no_more)
    kept = 0.004 / 160.0  # of the noise, beside what the denoiser says
    torch.testing.assert_close(one, 160.0 * noise * (kept + (1 - kept) / (1 + 160.0**2)))


@pytest.mark.parametrize("between", [(), (1.5,)])
@pytest.mark.parametrize("name", ["track", "people_vq"])
def test_a_decoded_sample_is_the_same_in_any_batch(name, between, request):
    case = request.getfixturevalue(name)
    sampler, frames = tracks.consistent(case, *between), np.array([4, 5, 6])
    together = sampler(case.conditions(frames, unmirrored(frames)), frames.tolist())
    turned = frames[[2, 0]]
    apart = sampler(case.conditions(turned, unmirrored(turned)), turned.tolist())
    # The processor may compute in bfloat16, which rounds by the batch.
    assert (apart - together[[2, 0]]).abs().mean() < 0.02 * together.std()
    assert (together[0] - together[2]).abs().mean() > 0.1 * together.std()


@pytest.mark.parametrize("network", ["unet", "dit"])
@pytest.mark.parametrize("parameterization", ["edm", "flow", "ddpm"])
@pytest.mark.parametrize("method", ["heun", "pndm", "ddpm", "stochastic_heun", "dopri5", "cd_2"])
def test_a_sample_has_the_same_latents_in_any_batch(people, parameterization, network, method):
    other = {"architecture.parameterization": parameterization, "architecture.network": network}
    ldm = params.build(LdmParams, tracks.changed(tracks.PEOPLE_LDM, other), "ldm")
    denoiser = tracks.shaken(denoisers.build(people.latents.header, ldm.architecture), std=0.02)
    for table in denoiser.conditioner.tables:  # labels as quiet as the rest, or an adaptive solver amplifies roundings
        table.weight.mul_(0.02)
    levels = SigmaRange(5, 0.02, 80.0, 7.0, "karras", 1.0)
    if method == "cd_2":
        steps = students.steps(people.cd_params.sigmas, [1.5])
        sampler = tracks.sampler(people, ConsistencyModel(denoiser, 0.004), steps)
    else:
        sampler = tracks.sampler(people, denoiser, solving(denoiser, solver(method), levels), GUIDED)
    labels = people.grids.labels(people.grids.frames("train"))

    def sample(numbers):
        with torch.no_grad():
            return sampler.latents(torch.from_numpy(labels[numbers]), sampler.noise(numbers, "sample"), numbers)

    together = sample([1, 7, 12, 25])
    torch.testing.assert_close(sample([25, 1]), together[[3, 0]], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sample([12]), together[[2]], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.1)


@pytest.mark.parametrize("name", ["people", "people_vq"])
@pytest.mark.parametrize("method", ["ldm", "cd_1", "cd_2"])
def test_another_label_gives_another_sample_of_the_same_noise(name, method, request):
    people = request.getfixturevalue(name)
    steps = solving(people.denoiser, solver("heun"), SigmaRange(5, 0.02, 80.0, 7.0, "karras", 1.0))
    samplers = {
        "ldm": tracks.sampler(people, people.denoiser, steps, GUIDED),
        "cd_1": tracks.consistent(people),
        "cd_2": tracks.consistent(people, 1.5),
    }
    noise = noise_of([4], (4, 4, 4), 0, "sample").repeat(3, 1, 1, 1)
    cond = torch.tensor([[0, 0], [0, 2], [1, 0]])  # another activity, another user
    with torch.no_grad():
        made = samplers[method].latents(cond, noise, [4, 4, 4])
    assert (made[0] - made[1]).abs().max() > 1e-3
    assert (made[0] - made[2]).abs().max() > 1e-3


def test_a_further_step_takes_noise_of_its_own(track):
    seen = []

    def denoise(noisy, sigma):
        seen.append(noisy / sigma[0])
        return torch.zeros_like(noisy)

    frames = list(range(50))
    sampler = tracks.consistent(track, 5.0, 1.5)
    sampler.steps(denoise, sampler.noise(frames, "sample"), lambda purpose: sampler.noise(frames, purpose))
    correlations = torch.corrcoef(torch.stack([noise.flatten() for noise in seen]))
    torch.testing.assert_close(correlations, torch.eye(3), atol=0.1, rtol=0)


@pytest.mark.parametrize("name", ["people", "people_vq"])
def test_decoded_samples_repeat_and_carry_the_time_they_took(name, request):
    people = request.getfixturevalue(name)
    cond = people.conditions(np.arange(3), unmirrored(np.arange(3)))
    sampler = tracks.consistent(people)
    found, seconds = timed(sampler, cond, [0, 1, 2])
    assert seconds > 0
    assert found.shape == (3, 1, 16, 16)
    assert found.isfinite().all()
    assert torch.equal(found, sampler(cond, [0, 1, 2]))
    assert not torch.equal(replace(sampler, seed=1)(cond, [0, 1, 2]), found)


def test_a_decoder_undoes_the_whitening(people):
    decoder = Decoder(people.vae, denoisers.whitening(people.latents.header))
    raw_latents = torch.from_numpy(people.latents.rows("latents", np.arange(2)))
    found = decoder(decoder.whitening.whiten(raw_latents))
    torch.testing.assert_close(found, people.vae.decode(raw_latents), rtol=1e-4, atol=1e-5)


def test_the_section_of_the_consistency_model_builds(track):
    assert isinstance(track.cd_params, CdParams)
    assert params.build(SigmaRange, vars(track.cd_params.sigmas), "a") == track.cd_params.sigmas
