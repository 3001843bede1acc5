"""PNDM against the numbers of diffusers, the exact path, and its own formula."""

import math

import pytest
import torch

import exact
from diffusion import known
from echoes.diffusion.paths import FLOW, VE, VP
from echoes.diffusion.pndm import pndm
from echoes.diffusion.schedules import SigmaRange, karras_sigmas, schedule

GAUSSIAN = exact.Gaussian(0.3, 0.5)
STABLE = {"beta_schedule": "scaled_linear", "beta_start": 8.5e-4, "beta_end": 0.012}  # Rombach et al. 2022


def sigmas(steps):
    return karras_sigmas(SigmaRange(steps, 0.002, 80.0, 7.0, "karras", 1.0))


@pytest.mark.parametrize("steps", [5, 20, 50])
def test_the_latents_are_those_of_diffusers(steps):
    """At its timesteps, without its Runge-Kutta steps; its last step is from the lowest level to the same."""
    diffusers = pytest.importorskip("diffusers", reason="the extra `diffusers` is not installed")
    scheduler = diffusers.PNDMScheduler(**STABLE, skip_prk_steps=True)
    scheduler.set_timesteps(steps)
    levels = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).double().sqrt()
    noise = torch.randn(2, 1, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    state = noise
    for time in scheduler.timesteps:
        sigma = levels[time]
        noisy = state * (1 + sigma**2).sqrt()
        epsilon = (noisy - exact.MIXTURE.denoise(noisy, sigma.expand(2))) / sigma
        state = scheduler.step(epsilon, int(time), state).prev_sample
    own = schedule(SigmaRange(steps, 1e-3, 1e6, 7.0, "leading", 1.0), known.ddpm(schedule="scaled_linear"))[:-1]
    found = pndm(exact.MIXTURE.denoise, noise, own, VP) / (1 + own[-1] ** 2).sqrt()
    torch.testing.assert_close(found, state, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("path", [VE, FLOW, VP])
def test_it_converges_at_second_order_as_shares_of_even_steps_allow(path):
    """On levels that are not even; Liu et al. 2022 show the same of theirs."""
    start = path.start(torch.tensor(80.0, dtype=torch.float64)).item()
    end, one = GAUSSIAN.path(start, 80.0, 0.002), torch.ones(1, 1, dtype=torch.float64)
    errors = [abs(pndm(GAUSSIAN.denoise, one, sigmas(n)[:-1], path).item() - end) for n in (257, 1025)]
    assert math.log(errors[0] / errors[1]) / math.log(4) == pytest.approx(2.0, abs=0.1)


def test_even_levels_of_noise_that_is_a_cubic_of_them_are_followed_exactly_from_the_fourth_on():
    """Adams and Bashforth's shares integrate a cubic without error."""

    def denoise(noisy, sigma):
        level = sigma.reshape(-1, 1)
        return noisy - level * (level**3 - 2 * level**2 + 0.5)  # whatever it is given

    def whole(sigma):
        return sigma**4 / 4 - 2 * sigma**3 / 3 + 0.5 * sigma

    levels = torch.linspace(3.0, 1.0, 9, dtype=torch.float64)
    noise = torch.zeros(1, 1, dtype=torch.float64)
    before, after = (pndm(denoise, noise, levels[:n], VE) for n in (4, 9))
    torch.testing.assert_close(after - before, (whole(levels[8]) - whole(levels[3])).reshape(1, 1))
    assert (before - (whole(levels[3]) - whole(levels[0]))).abs() > 1e-4  # the start knows of fewer
