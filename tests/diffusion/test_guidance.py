"""Guidance against the closed form of Gaussian data, its interval, and what it costs."""

import pytest
import torch
from torch import nn

import exact
from diffusion import known
from echoes.diffusion import samplers
from echoes.diffusion.denoiser import Denoiser
from echoes.diffusion.guidance import Guidance, guided
from echoes.diffusion.paths import VE
from echoes.diffusion.schedules import SigmaRange, karras_sigmas
from echoes.errors import InputError
from echoes.nets.conditions import Condition

# A prior N(0, 1) seen with a deviation of 0.5: the posterior is N(0.8 c, 0.44721^2).
PRIOR, P = exact.Gaussian(0.0, 1.0), 0.2**0.5
ALWAYS = (0.0, 1e9)
NULL = Condition(None, torch.zeros(1, 1))


class Told:
    """The posterior of c, told (c, 1), or the prior, told (c, 0); counts the calls and the samples in them."""

    def __init__(self):
        self.sizes = []

    def __call__(self, noisy, sigma, condition):
        self.sizes.append(len(noisy))
        c, known_c = condition.vector.to(noisy).unbind(1)
        gain = 1 / (1 + sigma[:, None] ** 2 / P**2)
        posterior = 0.8 * c[:, None] + gain * (noisy - 0.8 * c[:, None])
        return torch.where(known_c[:, None] > 0, posterior, PRIOR.denoise(noisy, sigma))


def told(c, known_c, count):
    return Condition(None, torch.tensor([[c, known_c]]).expand(count, 2))


def sampled(weight, c, noise):
    denoise = guided(Told(), told(c, 1.0, 1), told(c, 0.0, 1), Guidance(weight, *ALWAYS))
    sigmas = karras_sigmas(SigmaRange(400, 0.002, 80.0, 7.0, "karras", 1.0))
    return samplers.heun(denoise, torch.full((1, 1), noise, dtype=torch.float64), sigmas, VE).item()


@pytest.mark.parametrize(
    ("weight", "deviation", "mean"),
    [(1.0, 0.44721, 0.7955), (1.5, 0.2991, 0.9634), (2.0, 0.2000, 1.0542), (4.0, 0.0400, 1.1159)],
)
def test_guidance_narrows_and_overshoots_a_gaussian_as_is_known(weight, deviation, mean):
    assert P**weight == pytest.approx(deviation, abs=1e-4)
    assert sampled(weight, 0.0, 1.0) == pytest.approx(deviation, abs=3e-4)  # linear in the noise
    assert sampled(weight, 1.0, 0.0) == pytest.approx(mean, abs=3e-4)


def test_no_guidance_costs_no_second_call_and_changes_nothing():
    model, noisy, sigma = Told(), torch.randn(3, 1), torch.ones(3)
    found = guided(model, told(1.0, 1.0, 3), told(1.0, 0.0, 3), Guidance(1.0, *ALWAYS))(noisy, sigma)
    assert model.sizes == [3]
    assert torch.equal(found, model(noisy, sigma, told(1.0, 1.0, 3)))


def test_samples_of_a_batch_are_guided_where_their_own_noise_level_lies_in_the_interval():
    torch.manual_seed(0)
    model, noisy, sigma = Told(), torch.randn(4, 1), torch.tensor([0.2, 0.5, 2.0, 3.0])
    found = guided(model, told(1.0, 1.0, 4), told(1.0, 0.0, 4), Guidance(3.0, 0.2, 2.0))(noisy, sigma)
    assert model.sizes == [6]  # one call: the batch, and the two inside once more
    conditional, prior = model(noisy, sigma, told(1.0, 1.0, 4)), PRIOR.denoise(noisy, sigma)
    expected = conditional.clone()
    expected[1:3] = prior[1:3] + 3 * (conditional[1:3] - prior[1:3])
    torch.testing.assert_close(found, expected)
    assert torch.equal(found[[0, 3]], conditional[[0, 3]])


def test_outside_of_the_interval_one_call_is_enough():
    model = Told()
    guided(model, told(1.0, 1.0, 4), told(1.0, 0.0, 4), Guidance(3.0, 0.2, 2.0))(
        torch.randn(4, 1), torch.full((4,), 9.0)
    )
    assert model.sizes == [4]


def test_weight_zero_is_the_denoiser_without_condition():
    noisy, sigma = torch.randn(3, 1), torch.ones(3)
    found = guided(Told(), told(1.0, 1.0, 3), told(1.0, 0.0, 3), Guidance(0.0, *ALWAYS))(noisy, sigma)
    torch.testing.assert_close(found, PRIOR.denoise(noisy, sigma))


class Channels(nn.Module):
    """Says its field, whatever the noise."""

    def forward(self, x, c_noise, condition):
        return condition.field


@pytest.mark.parametrize("shape", [(2, 5, 4, 4), (2, 5, 2, 4, 4)])
@pytest.mark.parametrize("name", known.ALL)
def test_all_channels_of_every_parameterization_are_guided_alike(shape, name):
    torch.manual_seed(0)
    model, noisy, sigma = Denoiser(Channels(), known.ALL[name], None), torch.randn(shape), torch.tensor([0.5, 2.0])
    a, b = Condition(torch.randn(shape), None), Condition(torch.randn(shape), None)
    found = guided(model, a, b, Guidance(2.5, *ALWAYS))(noisy, sigma)
    torch.testing.assert_close(found, 2.5 * model(noisy, sigma, a) - 1.5 * model(noisy, sigma, b), rtol=1e-4, atol=1e-4)


def test_guidance_without_a_meaning_is_refused():
    with pytest.raises(InputError, match=r"^weight: expected 0 or more, got -1.0$"):
        Guidance(-1.0, 0.0, 1.0)
    with pytest.raises(InputError, match=r"^low: expected between 0 and high = 1.0, got 2.0$"):
        Guidance(1.0, 2.0, 1.0)
