"""Preconditioning and loss against closed forms: golden values of Karras et al. 2022 and of Gaussian data."""

import math

import pytest
import torch

import exact
import networks
from diffusion import known
from echoes import params
from echoes.diffusion import edm
from echoes.diffusion.denoiser import UNCONDITIONED, Denoiser
from echoes.diffusion.edm import EdmConfig, EdmLoss
from echoes.errors import InputError
from echoes.nets.unet import UNet

SMALL = networks.unet()
SHAPES = {2: (2, 8, 8), 3: (2, 4, 4, 8)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def loss(network, parameterization, clean, levels, weighting="karras"):
    model = Denoiser(network, parameterization, None)
    return parameterization.loss(model, clean, UNCONDITIONED, EdmLoss(*levels, weighting))


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
    assert edm.weight("karras", level, 0.5).item() == pytest.approx(weight, rel=1e-9)


def test_the_weight_undoes_c_out_at_every_level_so_that_the_network_sees_equal_losses():
    sigma = torch.logspace(-3, 3, 50, dtype=torch.float64)
    for sigma_data in (0.3, 0.5, 1.0):
        _, c_out, c_in, _ = edm.preconditioning(sigma, sigma_data)
        torch.testing.assert_close(edm.weight("karras", sigma, sigma_data) * c_out**2, torch.ones_like(sigma))
        torch.testing.assert_close(c_in**2 * (sigma**2 + sigma_data**2), torch.ones_like(sigma))


WEIGHTS = {  # by hand, of sigma 0.5 and 2 for a sigma_data of 0.5
    "karras": (8.0, 4.25),
    "snr": (4.0, 0.25),
    "snr+1": (5.0, 1.25),
    "truncated-snr": (4.0, 1.0),
    "uniform": (1.0, 1.0),
}


@pytest.mark.parametrize("weighting", WEIGHTS)
def test_an_error_counts_what_the_formula_of_its_weighting_says(weighting):
    sigma = torch.tensor([0.5, 2.0], dtype=torch.float64)
    assert edm.weight(weighting, sigma, 0.5).tolist() == pytest.approx(WEIGHTS[weighting])
    for level, expected in zip(sigma.tolist(), WEIGHTS[weighting], strict=True):
        clean = 3.0 * torch.randn(4000, 1, 5, 5)  # other data than is taken for granted, and a denoiser that says 0
        zero = known.behind(lambda noisy, _: torch.zeros_like(noisy), "edm", 0.5)
        found = loss(zero, known.edm(0.5), clean, (math.log(level), 1e-9), weighting)
        torch.testing.assert_close(found, expected * clean.square().flatten(1).mean(1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("weighting", WEIGHTS)
@pytest.mark.parametrize("std", [0.5, 1.0])
def test_the_loss_of_the_optimal_denoiser_of_a_gaussian_is_finite_at_every_noise_level(weighting, std):
    """Its error is s^2 sigma^2 / (s^2 + sigma^2), which is as small as the weight is large."""
    sigma = torch.logspace(-6, 6, 25, dtype=torch.float64)
    least = std**2 * sigma**2 / (std**2 + sigma**2)
    weighted = edm.weight(weighting, sigma, std) * least
    assert (weighted <= 1 + std**2 + 1e-9).all()
    for level, expected in zip(sigma[8:17].tolist(), weighted[8:17].tolist(), strict=True):
        clean = std * torch.randn(1000, 1, 10, 10)
        found = loss(exact.Zero(), known.edm(std), clean, (math.log(level), 1e-9), weighting)
        assert found.mean().item() == pytest.approx(expected, rel=0.02)


def test_the_weight_of_karras_is_that_of_the_error_of_v_for_whitened_data():
    sigma = torch.logspace(-3, 3, 13, dtype=torch.float64)
    torch.testing.assert_close(edm.weight("karras", sigma, 1.0), edm.weight("snr+1", sigma, 1.0))


@pytest.mark.parametrize("weighting", WEIGHTS)
def test_the_uncertainty_learns_with_the_weight_of_karras_alone_and_validation_always_has_that_weight(weighting):
    model, clean = known.edm(), 2 * torch.randn(50, 1, 4, 4)
    loss(exact.Zero(), model, clean, (0.3, 1.2), weighting).mean().backward()
    learns = [bool(weight.grad.any()) for weight in model.uncertainty[2].parameters()]
    assert learns == [weighting == "karras"] * 2
    errors = []
    for p in (EdmLoss(0.3, 1.2, weighting), EdmLoss(0.3, 1.2, "karras")):
        torch.manual_seed(1)
        errors.append(model.error(Denoiser(exact.Zero(), model, None), clean, UNCONDITIONED, p))
    assert torch.equal(*errors)


def test_a_common_scale_of_data_and_noise_changes_c_noise_alone():
    sigma, k = torch.logspace(-2, 2, 9, dtype=torch.float64), 3.0
    skip, out, into, noise = edm.preconditioning(sigma, 0.5)
    scaled = edm.preconditioning(k * sigma, k * 0.5)
    torch.testing.assert_close(scaled, (skip, k * out, into / k, noise + math.log(k) / 4))


@pytest.mark.parametrize("rank", [2, 3])
def test_the_loss_of_an_untrained_network_on_whitened_latents_is_one_per_sample(rank):
    clean = torch.randn(4000, *SHAPES[rank])
    with torch.no_grad():
        found = loss(UNet(rank, SHAPES[rank][0], SHAPES[rank][0], SMALL, 0), known.edm(), clean, (0.3, 1.2))
    assert found.shape == (4000,)
    assert found.mean().item() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("sigma", [0.002, 0.05, 0.5, 3.0, 80.0])
@pytest.mark.parametrize("sigma_data", [0.5, 1.0])
def test_at_every_noise_level_the_loss_of_the_optimal_network_is_one(sigma, sigma_data):
    clean = sigma_data * torch.randn(1000, 1, 10, 10)
    found = loss(exact.Zero(), known.edm(sigma_data), clean, (math.log(sigma), 1e-9))
    assert found.mean().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("levels", "expected"), [((-1.2, 1.2), 2.0982), ((-0.4, 1.0), 2.7641)])
def test_a_wrong_sigma_data_shows_in_the_first_loss(levels, expected):
    clean = torch.randn(100_000, 1, 2, 2)
    found = loss(exact.Zero(), known.edm(0.5), clean, levels)
    assert found.mean().item() == pytest.approx(expected, abs=0.03)


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
    assert known.denoiser(exact.MIXTURE.denoise, "edm")(noisy, level).item() == pytest.approx(expected, rel=1e-6)


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
    found = loss(known.behind(exact.MIXTURE.denoise, "edm", 0.5), known.edm(0.5), clean, levels)
    assert found.mean().item() == pytest.approx(expected, abs=0.03)


def test_noise_levels_are_log_normal_and_follow_the_generator():
    levels = EdmLoss(-0.4, 1.0, "karras")
    drawn = levels.draw(100_000, torch.device("cpu")).log()
    assert drawn.mean().item() == pytest.approx(-0.4, abs=0.02)
    assert drawn.std().item() == pytest.approx(1.0, abs=0.02)
    torch.manual_seed(5)
    first = levels.draw(3, torch.device("cpu"))
    torch.manual_seed(5)
    torch.testing.assert_close(levels.draw(3, torch.device("cpu")), first, rtol=0, atol=0)


def test_a_weighting_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"^a.weighting: expected one of karras, snr, snr\+1, .* got 'soft'$"):
        params.build(EdmLoss, {"mean": 0.0, "std": 1.0, "weighting": "soft"}, "a")


def test_noise_without_spread_is_refused():
    with pytest.raises(InputError, match=r"^std: expected more than 0, got 0.0$"):
        EdmLoss(0.0, 0.0, "karras")


def test_data_without_spread_is_refused():
    with pytest.raises(InputError, match=r"^sigma_data: expected more than 0, got -1.0$"):
        EdmConfig(-1.0)


def test_the_uncertainty_starts_at_nothing_and_is_least_at_the_logarithm_of_the_loss():
    model, sigma, levels = known.edm(), torch.logspace(-2, 2, 7), (3.0, 1e-9)
    torch.testing.assert_close(model.log_variance(sigma), torch.zeros(7))
    clean = 2 * torch.randn(50, 1, 20, 20)
    with torch.no_grad():
        torch.manual_seed(1)
        plain = loss(exact.Zero(), model, clean, levels).mean()
        model.uncertainty[2].bias.fill_(plain.log())
        torch.manual_seed(1)
        found = loss(exact.Zero(), model, clean, levels).mean()
        torch.manual_seed(1)
        p = EdmLoss(*levels, "karras")
        error = model.error(Denoiser(exact.Zero(), model, None), clean, UNCONDITIONED, p).mean()
    torch.testing.assert_close(found, 1 + plain.log())
    torch.testing.assert_close(error, plain)  # what validation reports knows no uncertainty
