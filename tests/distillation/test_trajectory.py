"""Both ends of a trajectory, exactly, for Gaussian data of deviation 1; what the mean costs."""

import pytest
import torch
from torch import nn

import exact
from diffusion import known
from echoes.diffusion.denoiser import UNCONDITIONED, Denoiser, bind, expand
from echoes.diffusion.schedules import SigmaRange, karras_sigmas
from echoes.distillation import consistency, curriculum, trajectory
from echoes.distillation.consistency import ConsistencyModel
from echoes.nets.two_times import RatioEmbedding

LOW = 0.004
UNIT = exact.Gaussian(0.0, 1.0)
LEVELS = torch.tensor([0.05, 1.0, 40.0], dtype=torch.float64)
# Of the posterior's variance sigma^2 / (1 + sigma^2), by the weight of each parameterization.
LEAST = {
    "edm": lambda sigma: (sigma**2 + 0.25) / 0.25 / (1 + sigma**2),
    "flow": lambda sigma: (1 + sigma) ** 2 / (1 + sigma**2),
    "epsilon": lambda sigma: 1 / (1 + sigma**2),
    "v": lambda sigma: 1.0,
}


def towards(noisy, sigma, ratio):
    """The exact g(x, t, s): G(x, t, s) = x sqrt((s^2 + 1) / (t^2 + 1)) solved for it; at s = t the denoiser."""
    if ratio is None:
        return UNIT.denoise(noisy, sigma)
    shrink = (((ratio * sigma) ** 2 + 1) / (sigma**2 + 1)).sqrt()
    return expand((shrink - ratio) / (1 - ratio), noisy) * noisy


class Exact(nn.Module):
    """The network behind `towards`, in the words of a parameterization."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, x, c_noise, condition):
        told = lambda noisy, sigma: towards(noisy, sigma, condition.ratio)
        return known.behind(told, self.name)(x, c_noise, condition)


def student(name):
    return ConsistencyModel(Denoiser(Exact(name), known.ALL[name], None), LOW)


@pytest.mark.parametrize("name", known.ALL)
def test_one_network_gives_the_end_of_the_path_and_the_posterior_mean(name):
    noisy, model = torch.randn(3, 2, 4, dtype=torch.float64), student(name)
    end = UNIT.consistency(LOW)(noisy, LEVELS)
    torch.testing.assert_close(model(noisy, LEVELS), end)
    mean = noisy / (1 + expand(LEVELS, noisy) ** 2)
    torch.testing.assert_close(model.denoiser(noisy, LEVELS), mean)
    assert (end[1:] - mean[1:]).abs().max() > 0.1


@pytest.mark.parametrize("name", known.ALL)
def test_the_exact_ends_cost_the_least_that_there_is(name):
    torch.manual_seed(0)
    model, clean = student(name), torch.randn(4000, 8, dtype=torch.float64)
    for sigma in LEVELS:
        level = sigma.expand(4000)
        found = trajectory.loss(model.denoiser, clean, level, UNCONDITIONED)
        assert found.shape == (4000,)
        assert found.mean().item() == pytest.approx(float(LEAST[name](sigma)), rel=0.03)
        narrower = known.denoiser(exact.Gaussian(0.0, 0.5).denoise, name)
        torch.manual_seed(1)
        wrong = trajectory.loss(narrower, clean, level, UNCONDITIONED).mean()
        torch.manual_seed(1)
        right = trajectory.loss(model.denoiser, clean, level, UNCONDITIONED).mean()
        assert wrong > 1.0001 * right
    sigmas = karras_sigmas(SigmaRange(160, LOW, 80.0, 7.0, "karras", 1.0))[:-1]
    high, low = curriculum.neighbours(sigmas[:-1], len(clean))
    own, path = bind(model, UNCONDITIONED), known.ALL[name].path
    assert consistency.loss(own, own, UNIT.denoise, clean, high, low, path).mean() < 1e-4


def test_a_new_embedding_of_the_ratio_is_silent_and_tells_every_ratio_from_another_once_it_is_not():
    embedding, ratio = RatioEmbedding(torch.ones(5, 3)), torch.tensor([2.5e-5, 0.01, 0.5, 1.0])
    c_noise = torch.zeros(4)
    assert not embedding(c_noise, ratio).any()
    nn.init.normal_(embedding.weight)
    found = embedding(c_noise, ratio)
    assert found.shape == (4, 5)
    assert torch.equal(embedding(c_noise, None), embedding(c_noise, torch.ones(4)))
    assert (torch.cdist(found, found) + torch.eye(4) > 1e-2).all()
