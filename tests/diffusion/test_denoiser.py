"""Every parameterization is the same denoiser when its network says the same in other words."""

import pytest
import torch
from torch import nn

import exact
import networks
from diffusion import known
from echoes.diffusion import paths
from echoes.diffusion.denoiser import UNCONDITIONED, Denoiser, bind
from echoes.diffusion.flow import Flow
from echoes.nets.conditions import Condition, FieldConditioner, LabelConditioner
from echoes.nets.unet import UNet

SMALL = networks.unet()
SHAPES = {2: (2, 8, 8), 3: (2, 4, 4, 8)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def unet(rank):
    network = UNet(rank, SHAPES[rank][0], SHAPES[rank][0], SMALL, 0)
    nn.init.normal_(network.out.weight, std=1.0)
    return network


@pytest.mark.parametrize("name", known.ALL)
@pytest.mark.parametrize("sigma", [0.01, 0.5, 1.0, 40.0])
def test_a_network_that_says_the_exact_answer_gives_the_posterior_mean(name, sigma):
    noisy, level = 3 * torch.randn(4, 1, 5, dtype=torch.float64), torch.full((4,), sigma, dtype=torch.float64)
    found = known.denoiser(exact.MIXTURE.denoise, name)(noisy, level)
    torch.testing.assert_close(found.double(), exact.MIXTURE.denoise(noisy, level), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", known.ALL)
def test_every_network_hears_of_the_noise_level_as_its_logarithm_over_four(name):
    network, sigma = known.Noting(), torch.tensor([0.01, 1.0, 80.0])
    Denoiser(network, known.ALL[name], None)(torch.randn(3, 1, 4), sigma)
    ((_, c_noise, condition),) = network.told
    torch.testing.assert_close(c_noise, sigma.log() / 4)
    assert condition == UNCONDITIONED


@pytest.mark.parametrize("name", ["flow", "epsilon", "v"])
def test_whitened_data_reaches_the_network_at_a_deviation_near_one(name):
    network, sigma = known.Noting(), torch.logspace(-2, 4, 7).repeat_interleave(2000)
    noisy = torch.randn(len(sigma), 20) + sigma[:, None] * torch.randn(len(sigma), 20)
    Denoiser(network, known.ALL[name], None)(noisy, sigma)
    spread = network.told[0][0].reshape(7, -1).std(1)
    assert (spread > 0.7 - 0.01).all()
    assert (spread < 1.0 + 0.01).all()


@pytest.mark.parametrize("name", known.ALL)
@pytest.mark.parametrize("rank", [2, 3])
def test_losses_and_errors_are_one_finite_number_per_sample(name, rank):
    model, clean = Denoiser(unet(rank), known.ALL[name], None), torch.randn(50, *SHAPES[rank])
    for score in (known.ALL[name].loss, known.ALL[name].error):
        found = score(model, clean, UNCONDITIONED, known.LOSSES[name])
        assert found.shape == (50,)
        assert torch.isfinite(found).all()


@pytest.mark.parametrize("name", known.ALL)
@pytest.mark.parametrize("rank", [2, 3])
def test_a_sample_is_denoised_alike_in_any_batch_and_in_single_precision(name, rank):
    model = Denoiser(unet(rank), known.ALL[name], None)
    noisy, sigma = torch.randn(4, *SHAPES[rank]), torch.tensor([0.1, 0.5, 2.0, 40.0])
    with torch.no_grad():
        together = model(noisy, sigma)
        assert together.dtype == torch.float32
        torch.testing.assert_close(model(noisy[2:], sigma[2:]), together[2:])
        with torch.autocast("cpu", torch.bfloat16):
            assert model(noisy, sigma).dtype == torch.float32


@pytest.mark.parametrize("path", [paths.VE, paths.FLOW, paths.VP])
def test_a_path_knows_its_way_back_and_its_velocity(path):
    sigma = torch.logspace(-2, 2, 9, dtype=torch.float64)
    torch.testing.assert_close(path.sigma(path.time(sigma)), sigma)
    clean, noise = torch.randn(2, 9, dtype=torch.float64)
    time = path.time(sigma).requires_grad_()
    level = path.sigma(time)
    (moved,) = torch.autograd.grad((path.scale(level) * (clean + level * noise)).sum(), time)
    torch.testing.assert_close(path.velocity(clean, noise, sigma), moved)


class Copy(nn.Module):
    def forward(self, cond):
        return cond


def test_a_dropped_condition_is_the_learned_null_and_the_others_stay():
    model = Denoiser(known.Taking(), known.edm(), FieldConditioner(Copy(), 2))
    with torch.no_grad():
        model.conditioner.null.copy_(torch.tensor([5.0, -5.0]))
    cond = torch.randn(3, 2, 4, 4)
    found = model.condition(cond, torch.tensor([[True], [False], [True]])).field
    torch.testing.assert_close(found[1], cond[1])
    for i in (0, 2):
        torch.testing.assert_close(found[i], torch.tensor([5.0, -5.0])[:, None, None].expand(2, 4, 4))
    torch.testing.assert_close(model.condition(cond).field, cond)
    assert model.condition(cond, torch.ones(3, 1, dtype=torch.bool)).field.grad_fn is not None  # the null is learned


def test_nothing_is_dropped_where_nothing_is_said_of_it():
    model = Denoiser(known.Taking(), Flow(), LabelConditioner((3, 9), 6))
    labels = torch.tensor([[0, 8], [2, 0]])
    kept = model.condition(labels, torch.zeros(2, 2, dtype=torch.bool)).vector
    assert torch.equal(model.condition(labels).vector, kept)
    assert not torch.equal(model.condition(labels, torch.tensor([[False, True], [False, False]])).vector, kept)


def test_the_condition_reaches_the_network_neither_scaled_nor_noised():
    model, cond = Denoiser(known.Taking(), known.ddpm("epsilon"), None), torch.randn(3, 2, 4, 4)
    sigma, zero = torch.tensor([0.1, 1.0, 50.0]), torch.zeros(3, 2, 4, 4)
    found = bind(model, Condition(cond, None))(zero, sigma)
    torch.testing.assert_close(found, -sigma[:, None, None, None] * cond)
