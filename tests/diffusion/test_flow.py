"""Flow matching against closed forms: the least loss of Gaussian data, exact velocities, the timestep shift."""

import math

import pytest
import torch
from torch import nn

import exact
from diffusion import known
from echoes import params
from echoes.diffusion.denoiser import UNCONDITIONED, Denoiser, expand
from echoes.diffusion.flow import Flow, FlowLoss, LogitNormal, shifted
from echoes.errors import InputError


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


class Optimal(nn.Module):
    """v* = (t s^2 - (1 - t)) / (t^2 s^2 + (1 - t)^2) x of data N(0, s^2)."""

    def __init__(self, std):
        super().__init__()
        self.std = std

    def forward(self, x, c_noise, condition):
        t = expand(1 / (1 + (4 * c_noise).exp()), x)
        return (t * self.std**2 - (1 - t)) / (t**2 * self.std**2 + (1 - t) ** 2) * x


def draw(std):
    return std * torch.randn(100_000, 1, 2, 4)


@pytest.mark.parametrize(
    ("std", "uniform", "logit_normal"),
    [(1.0, 1.57079633, 1.74126427), (0.5, 0.78539816, 0.81108333), (2.0, 3.14159265, 3.24433330)],
)
def test_the_least_loss_of_gaussian_data_is_the_known_one(std, uniform, logit_normal):
    assert uniform == pytest.approx(std * math.pi / 2)
    flow = Flow()
    model = Denoiser(Optimal(std), flow, None)
    error, loss = (score(model, draw(std), UNCONDITIONED, known.times()) for score in (flow.error, flow.loss))
    assert error.mean().item() == pytest.approx(uniform, rel=0.01)
    assert loss.mean().item() == pytest.approx(logit_normal, rel=0.01)


@pytest.mark.parametrize("std", [0.5, 1.0, 2.0])
def test_the_loss_of_a_network_that_says_nothing_is_one_and_the_variance(std):
    flow = Flow()
    for score in (flow.loss, flow.error):
        found = score(Denoiser(exact.Zero(), flow, None), draw(std), UNCONDITIONED, known.times())
        assert found.mean().item() == pytest.approx(1 + std**2, rel=0.01)


def test_the_optimal_velocity_is_the_exact_denoiser():
    noisy, sigma = torch.randn(5, 1, 3, dtype=torch.float64), torch.logspace(-1, 2, 5, dtype=torch.float64)
    found = Denoiser(Optimal(0.5), Flow(), None)(noisy, sigma)
    expected = exact.Gaussian(0.0, 0.5).denoise(noisy, sigma)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_the_error_of_the_exact_velocity_of_a_mixture_is_the_known_one():
    clean = exact.MIXTURE.draw(torch.Size((100_000, 1, 2, 2))).double()
    found = known.ALL["flow"].error(known.denoiser(exact.MIXTURE.denoise, "flow"), clean, UNCONDITIONED, known.times())
    assert found.mean().item() == pytest.approx(1.27923, rel=0.02)


class Turned(nn.Module):
    """One channel of two is said, at a scale that is wrong."""

    def forward(self, x, c_noise, condition):
        return 7 * torch.cat([torch.ones_like(x[:, :1]), torch.zeros_like(x[:, :1])], dim=1)


@pytest.mark.parametrize("shape", [(6, 2, 4, 4), (6, 2, 2, 4, 4)])
def test_the_cosine_is_of_the_channels_of_each_cell_and_knows_no_scale(shape):
    clean, network = torch.randn(shape), Turned()

    def loss(cosine):
        torch.manual_seed(1)
        flow = Flow()
        return flow.loss(Denoiser(network, flow, None), clean, UNCONDITIONED, known.times(cosine=cosine))

    torch.manual_seed(1)
    LogitNormal(0.0, 1.0).draw(6, torch.device("cpu"))
    velocity = clean - torch.randn_like(clean)
    cosine = velocity[:, 0] / velocity.norm(dim=1)
    torch.testing.assert_close(loss(2.0) - loss(0.0), 2 * (1 - cosine).flatten(1).mean(1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("time", "expected"), [(0.25, 0.09090909), (0.5, 0.23076923), (0.75, 0.47368421)])
def test_a_shift_of_time_is_the_known_one(time, expected):
    t = torch.tensor(time, dtype=torch.float64)
    found = shifted(t, 0.3)
    assert found.item() == pytest.approx(expected, abs=1e-8)
    torch.testing.assert_close(shifted(found, 1 / 0.3), t)
    torch.testing.assert_close(1 - found, shifted(1 - t, 1 / 0.3))  # of the time that runs the other way
    torch.testing.assert_close((1 - found) / found, (1 - t) / t / 0.3)  # of sigma


@pytest.mark.parametrize("shift", [0.3, 1.0, 3.0])
def test_training_times_are_logit_normal_and_a_shift_of_them_is_another_mean(shift):
    sigma = LogitNormal(0.4 + math.log(shift), 0.8).draw(200_000, torch.device("cpu"))
    logit = (1 / sigma).log()  # t / (1 - t)
    assert logit.mean().item() == pytest.approx(0.4 + math.log(shift), abs=0.01)
    assert logit.std().item() == pytest.approx(0.8, abs=0.01)
    before = LogitNormal(0.4, 0.8).draw(200_000, torch.device("cpu"))
    moved = shifted(1 / (1 + before), shift).median()
    assert moved.item() == pytest.approx((1 / (1 + sigma)).median().item(), abs=0.003)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"times": {"mean": 0.0, "std": 0.0}, "cosine": 1.0}, r"times.std: expected more than 0, got 0.0"),
        ({"times": {"mean": 0.0, "std": 1.0}, "cosine": -1.0}, r"cosine: expected 0 or more, got -1.0"),
    ],
)
def test_a_config_without_a_meaning_is_refused(section, message):
    with pytest.raises(InputError, match=f"^t.ldm.loss.flow.{message}$"):
        params.build(FlowLoss, section, "t.ldm.loss.flow")
