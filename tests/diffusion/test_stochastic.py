"""Samplers that add noise on the way: what they are without it, how far they spread, and what diffusers gives."""

from itertools import pairwise

import pytest
import torch

import exact
from diffusion import known
from echoes import params
from echoes.diffusion.churn import MAX_SHARE, Churn, stochastic_heun
from echoes.diffusion.heun import heun
from echoes.diffusion.paths import FLOW, VE, VP
from echoes.diffusion.samplers import Ancestral, ddim
from echoes.diffusion.schedules import SigmaRange, karras_sigmas, schedule
from echoes.errors import InputError

NONE = Churn(0.0, 0.0, 1000.0, 1.0)
GAUSSIAN = exact.Gaussian(0.3, 0.5)
STABLE = {"beta_schedule": "scaled_linear", "beta_start": 8.5e-4, "beta_end": 0.012}  # Rombach et al. 2022


def sigmas(steps):
    return karras_sigmas(SigmaRange(steps, 0.002, 80.0, 7.0, "karras", 1.0))


def drawn(*shape, seed=0):
    """k -> the k-th noise of a generator, whoever asks for it."""
    generator, made = torch.Generator().manual_seed(seed), []

    def noise(k):
        while len(made) <= k:
            made.append(torch.randn(shape, generator=generator))
        return made[k]

    return noise


def no_more(k):
    raise AssertionError(f"no further noise was expected, got asked for that of step {k}")


@pytest.mark.parametrize("path", [VE, FLOW, VP])
@pytest.mark.parametrize("p", [NONE, Churn(0.0, 0.05, 50.0, 1.003), Churn(40.0, 90.0, 100.0, 1.003)])
def test_without_churn_at_any_level_it_is_heun_to_the_byte(path, p):
    noise = drawn(3, 1, 4, 4)(0)
    for levels in (sigmas(18), sigmas(18)[:-1]):
        found = stochastic_heun(exact.MIXTURE.denoise, noise, levels, path, p, no_more)
        assert torch.equal(found, heun(exact.MIXTURE.denoise, noise, levels, path))


def test_a_step_raises_its_level_by_the_share_of_the_paper_between_the_bounds():
    p = Churn(5.0, 0.5, 10.0, 1.0)
    for sigma, steps, expected in (
        (0.4, 20, 0.4),
        (0.5, 20, 0.5 * 1.25),
        (10.0, 20, 10.0 * 1.25),
        (10.1, 20, 10.1),
        (2.0, 5, 2.0 * 2**0.5),  # at most the noise that is there once more
    ):
        assert p.raised(torch.tensor(sigma, dtype=torch.float64), steps).item() == pytest.approx(expected)


def test_each_step_asks_for_noise_of_its_own_where_it_churns():
    asked = []

    def renoise(k):
        asked.append(k)
        return torch.zeros(2, 1)

    p = Churn(5.0, 0.05, 50.0, 1.003)
    levels = sigmas(18)
    stochastic_heun(GAUSSIAN.denoise, torch.randn(2, 1), levels, VE, p, renoise)
    assert asked == [k for k, sigma in enumerate(levels[:-1].tolist()) if 0.05 <= sigma <= 50.0]


@pytest.mark.parametrize("path", [VE, FLOW, VP])
@pytest.mark.parametrize("churn", [5.0, 40.0, 1000.0])
def test_the_exact_denoiser_of_a_gaussian_keeps_its_deviation_whatever_is_churned(path, churn):
    """New noise lifts N(mean, s^2 + sigma^2) to N(mean, s^2 + raised^2), and Heun brings it down again."""
    noise = drawn(40_000, 1)
    p = Churn(churn, 0.0, 1000.0, 1.0)
    found = stochastic_heun(GAUSSIAN.denoise, noise(1000), sigmas(100), path, p, noise)
    assert found.mean().item() == pytest.approx(0.3, abs=0.01)
    assert found.std().item() == pytest.approx(0.5, rel=0.015)


def test_the_noise_that_is_added_has_the_deviation_that_it_is_given():
    """A denoiser that keeps the noise it sees, so that what is added adds up."""
    p, levels = Churn(5.0, 0.0, 1000.0, 1.2), sigmas(18)[:-1]
    zero, fresh = torch.zeros(200_000, 1), drawn(200_000, 1)
    found = stochastic_heun(lambda noisy, sigma: noisy, zero, levels, VE, p, fresh)
    gamma = 5.0 / 17
    added = 1.2**2 * ((1 + gamma) ** 2 - 1) * levels[:-1].square().sum()
    assert found.std().item() == pytest.approx(added.sqrt().item(), rel=0.01)


def test_the_last_step_ends_at_what_the_denoiser_says_at_the_raised_level():
    one, levels = torch.ones(1, 1, dtype=torch.float64), torch.tensor([0.7, 0.0], dtype=torch.float64)
    found = stochastic_heun(GAUSSIAN.denoise, one, levels, VE, Churn(0.3, 0.1, 1.0, 1.0), lambda k: -one)
    noisy = 0.7 - 0.7 * (1.3**2 - 1) ** 0.5
    torch.testing.assert_close(found, GAUSSIAN.denoise(noisy * one, 1.3 * levels[:1]))


def test_churn_adds_what_that_of_diffusers_adds():
    """Its EDM scheduler has Euler's steps: the same where the noise of a denoiser is alike everywhere."""
    diffusers = pytest.importorskip("diffusers", reason="the extra `diffusers` is not installed")
    scheduler = diffusers.EDMEulerScheduler(sigma_min=0.002, sigma_max=80.0, rho=7.0)
    scheduler.set_timesteps(18)
    noise, fresh = drawn(2, 1, 5, seed=1)(0), drawn(2, 1, 5)
    slope, generator = (
        torch.randn(2, 1, 5, generator=torch.Generator().manual_seed(2)),
        torch.Generator().manual_seed(0),
    )
    told = {"s_churn": 4.0, "s_tmin": 0.05, "s_tmax": 50.0, "s_noise": 1.003}
    x, churned = 80.0 * noise, 0
    for time, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
        scheduler.scale_model_input(x, time)
        raised, seen = sigma, x
        if 0.05 <= sigma <= 50.0:
            raised = sigma * (1 + 4.0 / 18)
            seen = x + 1.003 * fresh(churned) * (raised**2 - sigma**2) ** 0.5
            churned += 1
        clean = seen - raised * slope
        x = scheduler.step(clean, time, x, generator=generator, pred_original_sample=clean, **told).prev_sample
    first = int((sigmas(18) > 50.0).sum())
    found = stochastic_heun(
        lambda noisy, sigma: noisy - sigma.reshape(-1, 1, 1) * slope,
        noise,
        sigmas(18),
        VE,
        Churn(4.0, 0.05, 50.0, 1.003),
        lambda k: fresh(k - first),
    )
    torch.testing.assert_close(found, x, rtol=1e-4, atol=1e-3)
    assert (found - 80.0 * (noise - slope)).abs().max() > 1


def test_heun_without_churn_gives_the_latents_of_diffusers():
    diffusers = pytest.importorskip("diffusers", reason="the extra `diffusers` is not installed")
    scheduler = diffusers.HeunDiscreteScheduler(**STABLE, use_karras_sigmas=True)
    scheduler.set_timesteps(18)
    low, high = scheduler.sigmas[-2].item(), scheduler.sigmas[0].item()
    noise = drawn(3, 1, 5)(0).double()
    x = high * noise
    for time in scheduler.timesteps:
        scheduler.scale_model_input(x, time)
        sigma = scheduler.sigmas[scheduler.step_index].double()
        epsilon = (x - exact.MIXTURE.denoise(x, sigma.expand(3))) / sigma
        x = scheduler.step(epsilon, time, x).prev_sample
    levels = karras_sigmas(SigmaRange(18, low, high, 7.0, "karras", 1.0))
    found = stochastic_heun(exact.MIXTURE.denoise, noise, levels, VE, NONE, no_more)
    torch.testing.assert_close(found, x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spacing", ["trailing", "linspace"])
def test_ancestral_steps_give_the_latents_of_diffusers(spacing):
    diffusers = pytest.importorskip("diffusers", reason="the extra `diffusers` is not installed")
    scheduler = diffusers.EulerAncestralDiscreteScheduler(**STABLE, timestep_spacing=spacing)
    scheduler.set_timesteps(20)
    noise, fresh, generator = drawn(3, 1, 5, seed=1)(0), drawn(3, 1, 5), torch.Generator().manual_seed(0)
    x = scheduler.init_noise_sigma * noise
    for time, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
        scheduler.scale_model_input(x, time)
        epsilon = (x - exact.MIXTURE.denoise(x, sigma.expand(3))) / sigma
        x = scheduler.step(epsilon, time, x, generator=generator).prev_sample
    levels = scheduler.sigmas.double()
    found = ddim(exact.MIXTURE.denoise, noise, levels, VE, 1.0, fresh)
    torch.testing.assert_close(found, x, rtol=1e-3, atol=1e-4)
    if spacing == "trailing":  # between the steps of a table diffusers takes a mean where we take the nearest
        own = schedule(SigmaRange(20, 1e-3, 1e6, 7.0, "trailing", 1.0), known.ddpm(schedule="scaled_linear"))
        torch.testing.assert_close(own, levels, rtol=1e-4, atol=0)


@pytest.mark.parametrize("eta", [0.3, 0.7, 1.0])
def test_ancestral_steps_of_the_exact_denoiser_spread_as_their_recursion_says(eta):
    """variance -> (a + (1 - a) c)^2 variance + added^2, a = what is left of the noise, c = gain of the denoiser."""
    levels, variance = sigmas(60), torch.tensor(80.0**2, dtype=torch.float64)
    for sigma, lower in pairwise(levels):
        added = eta * lower * (1 - lower**2 / sigma**2).sqrt()
        left, gain = (lower**2 - added**2).sqrt() / sigma, 0.25 / (0.25 + sigma**2)
        variance = (left + (1 - left) * gain) ** 2 * variance + added**2
    noise = drawn(40_000, 1)
    found = ddim(GAUSSIAN.denoise, noise(1000), levels, VE, eta, noise)
    assert found.std().item() == pytest.approx(variance.sqrt().item(), rel=0.015)
    fine = ddim(GAUSSIAN.denoise, noise(1000), sigmas(600), VE, eta, noise)
    assert fine.std().item() == pytest.approx(0.5, rel=0.02)
    assert fine.mean().item() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"churn": -1.0}, r"churn: expected 0 \(none\) or more, got -1.0"),
        ({"churn_low": 60.0}, r"churn_low: expected between 0 and churn_high = 50.0, got 60.0"),
        ({"churn_low": -1.0}, r"churn_low: expected between 0 and churn_high = 50.0, got -1.0"),
        ({"churn_noise": 0.0}, r"churn_noise: expected more than 0, got 0.0"),
    ],
)
def test_churn_without_a_meaning_is_refused(change, message):
    section = {"churn": 4.0, "churn_low": 0.05, "churn_high": 50.0, "churn_noise": 1.003, **change}
    with pytest.raises(InputError, match=f"^t.sample.stochastic_heun.{message}$"):
        params.build(Churn, section, "t.sample.stochastic_heun")
    assert pytest.approx(0.41421356) == MAX_SHARE


@pytest.mark.parametrize("eta", [-0.1, 1.1])
def test_a_share_of_the_noise_is_between_none_and_all(eta):
    with pytest.raises(InputError, match=rf"^t.sample.euler_ancestral.eta: expected 0 to 1, got {eta}$"):
        params.build(Ancestral, {"eta": eta}, "t.sample.euler_ancestral")
