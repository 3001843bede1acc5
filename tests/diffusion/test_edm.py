"""Preconditioning and loss against closed forms: golden values of Karras et al. 2022 and of Gaussian data."""

import math

import pytest
import torch
from torch import nn

import exact
from echoes.diffusion import edm
from echoes.diffusion.edm import Denoiser, NoiseLevels
from echoes.errors import InputError
from echoes.nets.unet import UNet, UNetConfig

SMALL = UNetConfig(channels=(8, 16), blocks=1, heads=2, dropout=0.0)
SHAPES = {2: (2, 8, 8), 3: (2, 4, 4, 8)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def denoiser(rank, sigma_data=1.0):
    return Denoiser(UNet(rank, SHAPES[rank][0], SHAPES[rank][0], SMALL), sigma_data)


@pytest.mark.parametrize(
    ("sigma", "constants", "weight"),
    [
        (0.5, (0.5, 0.3535533906, 1.414213562, -0.1732867951), 8.0),
        (1.0, (0.2, 0.4472135955, 0.894427191, 0.0), 5.0),
        (80.0, (3.906097418e-5, 0.4999902347, 0.01249975587, 1.095506659), 4.00015625),
    ],
)
def test_the_constants_are_those_of_the_paper_for_sigma_data_one_half(sigma, constants, weight):
    level = torch.tensor([sigma], dtype=torch.float64)
    found = [c.item() for c in edm.preconditioning(level, 0.5)]
    assert found == pytest.approx(constants, rel=1e-9)
    assert edm.weight(level, 0.5).item() == pytest.approx(weight, rel=1e-9)


def test_the_weight_undoes_c_out_at_every_level_so_that_the_network_sees_equal_losses():
    sigma = torch.logspace(-3, 3, 50, dtype=torch.float64)
    for sigma_data in (0.3, 0.5, 1.0):
        _, c_out, c_in, _ = edm.preconditioning(sigma, sigma_data)
        torch.testing.assert_close(edm.weight(sigma, sigma_data) * c_out**2, torch.ones_like(sigma))
        torch.testing.assert_close(c_in**2 * (sigma**2 + sigma_data**2), torch.ones_like(sigma))


def test_a_common_scale_of_data_and_noise_changes_c_noise_alone():
    sigma, k = torch.logspace(-2, 2, 9, dtype=torch.float64), 3.0
    skip, out, into, noise = edm.preconditioning(sigma, 0.5)
    scaled = edm.preconditioning(k * sigma, k * 0.5)
    torch.testing.assert_close(scaled, (skip, k * out, into / k, noise + math.log(k) / 4))


@pytest.mark.parametrize("rank", [2, 3])
def test_the_loss_of_an_untrained_network_on_whitened_latents_is_one_per_sample(rank):
    clean = torch.randn(4000, *SHAPES[rank])
    with torch.no_grad():
        found = edm.loss(denoiser(rank), clean, NoiseLevels(0.3, 1.2))
    assert found.shape == (4000,)
    assert found.mean().item() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("sigma", [0.002, 0.05, 0.5, 3.0, 80.0])
@pytest.mark.parametrize("sigma_data", [0.5, 1.0])
def test_at_every_noise_level_the_loss_of_the_optimal_network_is_one(sigma, sigma_data):
    clean = sigma_data * torch.randn(1000, 1, 10, 10)
    found = edm.loss(Denoiser(exact.Zero(), sigma_data), clean, NoiseLevels(math.log(sigma), 1e-9))
    assert found.mean().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("levels", "expected"), [((-1.2, 1.2), 2.0982), ((-0.4, 1.0), 2.7641)])
def test_a_wrong_sigma_data_shows_in_the_first_loss(levels, expected):
    clean = torch.randn(100_000, 1, 2, 2)
    found = edm.loss(Denoiser(exact.Zero(), 0.5), clean, NoiseLevels(*levels))
    assert found.mean().item() == pytest.approx(expected, abs=0.03)


class Known(nn.Module):
    """The network whose preconditioned denoiser is a known one (Karras et al. 2022, Eq. 7 solved for F)."""

    def __init__(self, denoise, sigma_data):
        super().__init__()
        self.denoise, self.sigma_data = denoise, sigma_data

    def forward(self, x, c_noise, features=None):
        sigma = (4 * c_noise).exp()
        total = edm.expand((sigma**2 + self.sigma_data**2).sqrt(), x)
        noisy = x * total
        c_skip, c_out = self.sigma_data**2 / total**2, edm.expand(sigma, x) * self.sigma_data / total
        return (self.denoise(noisy, sigma) - c_skip * noisy) / c_out


@pytest.mark.parametrize(
    ("x", "sigma", "expected"),
    [
        (0.0, 0.1, 0.0199999122836),
        (0.0, 0.5, 0.0515917461825),
        (0.8, 0.5, 0.640567671906),
        (-0.5, 1.0, -0.234732311741),
        (3.0, 2.0, 0.567936096342),
    ],
)
def test_the_denoiser_of_a_mixture_is_the_known_one(x, sigma, expected):
    noisy, level = torch.full((1, 1, 1, 1), x, dtype=torch.float64), torch.tensor([sigma], dtype=torch.float64)
    assert exact.MIXTURE.denoise(noisy, level).item() == pytest.approx(expected, rel=1e-10)
    model = Denoiser(Known(exact.MIXTURE.denoise, 0.5), 0.5)
    assert model(noisy, level).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("sigma", "expected"),
    [
        (0.05, 0.002308412),
        (0.1, 0.007917856),
        (0.5, 0.174444831),
        (1.0, 0.425608234),
        (5.0, 0.736956591),
        (80.0, 0.759259915),
    ],
)
def test_the_error_of_the_exact_denoiser_is_the_least_there_is(sigma, expected):
    clean = exact.MIXTURE.draw(torch.Size((200, 1, 40, 50))).double()
    level = torch.full((200,), sigma, dtype=torch.float64)
    noisy = clean + sigma * torch.randn_like(clean)
    error = (exact.MIXTURE.denoise(noisy, level) - clean) ** 2
    assert error.mean().item() == pytest.approx(expected, rel=0.02)
    worse = (1.05 * exact.MIXTURE.denoise(noisy, level) - clean) ** 2
    assert worse.mean() > error.mean()


@pytest.mark.parametrize(("levels", "expected"), [((-1.2, 1.2), 1.330405), ((-0.4, 1.0), 1.750570)])
def test_the_loss_of_the_exact_denoiser_of_a_mixture_is_the_known_one(levels, expected):
    clean = exact.MIXTURE.draw(torch.Size((50_000, 1, 2, 2))).double()
    found = edm.loss(Denoiser(Known(exact.MIXTURE.denoise, 0.5), 0.5), clean, NoiseLevels(*levels))
    assert found.mean().item() == pytest.approx(expected, abs=0.03)


def test_noise_levels_are_log_normal_and_follow_the_generator():
    levels = NoiseLevels(-0.4, 1.0)
    drawn = levels.draw(100_000, torch.device("cpu")).log()
    assert drawn.mean().item() == pytest.approx(-0.4, abs=0.02)
    assert drawn.std().item() == pytest.approx(1.0, abs=0.02)
    torch.manual_seed(5)
    first = levels.draw(3, torch.device("cpu"))
    torch.manual_seed(5)
    torch.testing.assert_close(levels.draw(3, torch.device("cpu")), first, rtol=0, atol=0)


def test_noise_without_spread_is_refused():
    with pytest.raises(InputError, match=r"^std: expected more than 0, got 0.0$"):
        NoiseLevels(0.0, 0.0)


def test_the_uncertainty_starts_at_nothing_and_is_least_at_the_logarithm_of_the_loss():
    model = Denoiser(exact.Zero(), 1.0)
    sigma = torch.logspace(-2, 2, 7)
    torch.testing.assert_close(model.log_variance(sigma), torch.zeros(7))
    clean = 2 * torch.randn(50, 1, 20, 20)
    with torch.no_grad():
        torch.manual_seed(1)
        plain = edm.loss(model, clean, NoiseLevels(3.0, 1e-9)).mean()
        model.uncertainty[2].bias.fill_(plain.log())
        torch.manual_seed(1)
        found = edm.loss(model, clean, NoiseLevels(3.0, 1e-9)).mean()
    torch.testing.assert_close(found, 1 + plain.log())


class Copy(nn.Module):
    def forward(self, cond):
        return cond


class Taking(nn.Module):
    """A network that returns what conditions it."""

    def forward(self, x, c_noise, features):
        return features


def test_a_dropped_condition_is_the_learned_null_and_the_others_stay():
    model = Denoiser(Taking(), 1.0, Copy(), features=2)
    with torch.no_grad():
        model.null.copy_(torch.tensor([5.0, -5.0]))
    cond = torch.randn(3, 2, 4, 4)
    found = model.features(cond, torch.tensor([True, False, True]))
    torch.testing.assert_close(found[1], cond[1])
    for i in (0, 2):
        torch.testing.assert_close(found[i], torch.tensor([5.0, -5.0])[:, None, None].expand(2, 4, 4))
    torch.testing.assert_close(model.features(cond), cond)
    assert model.features(cond, torch.tensor([True, True, True])).grad_fn is not None  # the null is learned


def test_the_condition_reaches_the_network_neither_scaled_nor_noised():
    model, cond = Denoiser(Taking(), 1.0, Copy(), features=2), torch.randn(3, 2, 4, 4)
    sigma = torch.tensor([0.1, 1.0, 50.0])
    zero = torch.zeros(3, 2, 4, 4)
    c_out = edm.preconditioning(sigma, 1.0)[1]
    torch.testing.assert_close(edm.given(model, cond)(zero, sigma), edm.expand(c_out, zero) * cond)


def test_a_sample_is_denoised_alike_in_any_batch():
    model = denoiser(3)
    torch.nn.init.normal_(model.network.out.weight, std=0.1)
    noisy, sigma = torch.randn(4, *SHAPES[3]), torch.tensor([0.1, 0.5, 2.0, 40.0])
    with torch.no_grad():
        together = model(noisy, sigma)
        torch.testing.assert_close(model(noisy[2:], sigma[2:]), together[2:])
