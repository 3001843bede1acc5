"""Solvers against the exact path of the probability-flow ODE: end values, order of convergence, calls."""

import math
from itertools import pairwise

import pytest
import torch
from scipy.stats import norm

import exact
from echoes import params
from echoes.diffusion import samplers
from echoes.diffusion.samplers import SigmaRange, karras_sigmas
from echoes.errors import InputError

GAUSSIAN = exact.Gaussian(0.3, 0.5)
N18 = """80 57.58598472 40.78557380 28.37458460 19.35245298 12.91008238 8.400935309 5.315194522 3.256821520
1.923339837 1.088170637 .5853481231 .2964422845 .1395164687 .05994731124 .02293451837 .007528019963 .002 0"""
N5 = "80 17.52783196 2.515218976 .1697527563 .002 0"
N40 = {1: 69.45094604, 2: 60.11739476, 19: 2.818392430, 22: 1.382367957, 38: 0.003676589168}


def sigmas(steps, low=0.002, high=80.0):
    return karras_sigmas(SigmaRange(steps, low, high, 7.0))


def one(value=1.0):
    return torch.full((1, 1, 1, 1), value, dtype=torch.float64)


def test_the_schedule_is_the_one_of_the_paper():
    for text in (N18, N5):
        expected = [float(word) for word in text.split()]
        assert sigmas(len(expected) - 1).tolist() == pytest.approx(expected, rel=1e-9)
    for i, expected in N40.items():
        assert sigmas(40)[i].item() == pytest.approx(expected, rel=1e-9)


def test_a_schedule_falls_from_its_exact_start_to_its_exact_end_and_then_to_zero():
    for low, high in ((0.002, 80.0), (0.004, 160.0), (0.0123, 7.7)):
        found = sigmas(18, low, high).tolist()
        assert (found[0], found[-2], found[-1]) == (high, low, 0.0)
        assert all(a > b for a, b in pairwise(found))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 1}, r"steps: expected at least 2, got 1"),
        ({"low": 0.0}, r"low: expected between 0 and high = 80.0, got 0.0"),
        ({"low": 90.0}, r"low: expected between 0 and high = 80.0, got 90.0"),
        ({"rho": 0.0}, r"rho: expected more than 0, got 0.0"),
    ],
)
def test_a_range_without_a_schedule_is_refused(change, message):
    section = {"steps": 18, "low": 0.002, "high": 80.0, "rho": 7.0, **change}
    with pytest.raises(InputError, match=f"^radar.cd.sigmas.{message}$"):
        params.build(SigmaRange, section, "radar.cd.sigmas")


@pytest.mark.parametrize(
    ("solver", "steps", "expected"),
    [
        (samplers.heun, 18, 0.8256460446),
        (samplers.euler, 18, 0.7214450685),
        (samplers.heun, 40, 0.8029835764),
        (samplers.euler, 40, 0.7631075841),
    ],
)
def test_a_gaussian_ends_where_the_solver_takes_it(solver, steps, expected):
    assert solver(GAUSSIAN.denoise, one(), sigmas(steps)).item() == pytest.approx(expected, abs=1e-9)


def test_all_solvers_reach_the_end_of_the_exact_path():
    assert GAUSSIAN.path(80.0, 80.0, 0.002) == pytest.approx(0.7981192561873, abs=1e-12)
    assert GAUSSIAN.path(80.0, 80.0, 0.0) == pytest.approx(0.7981152712811, abs=1e-12)
    for solver, tolerance in ((samplers.euler, 5e-3), (samplers.heun, 1e-4), (samplers.dpmpp_2m, 1e-4)):
        assert solver(GAUSSIAN.denoise, one(), sigmas(400)).item() == pytest.approx(0.7981152712811, abs=tolerance)


@pytest.mark.parametrize(("solver", "order"), [(samplers.euler, 1.0), (samplers.heun, 2.0), (samplers.dpmpp_2m, 2.0)])
def test_a_solver_converges_at_its_order(solver, order):
    exact_end, steps = GAUSSIAN.path(80.0, 80.0, 0.002), (65, 129, 257, 513)
    errors = [abs(solver(GAUSSIAN.denoise, one(), sigmas(n)[:-1]).item() - exact_end) for n in steps]
    slope = math.log(errors[0] / errors[-1]) / math.log((steps[-1] - 1) / (steps[0] - 1))
    assert slope == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize(
    ("z", "expected"),
    [(-1.5, -1.1146835914504), (-0.5, -0.4400131886574), (0.25, 0.2733900725732), (1.0, 1.3178349364070)],
)
def test_the_path_of_a_mixture_keeps_the_quantile(z, expected):
    share = exact.MIXTURE.below(80.0 * z, 80.0)
    assert exact.MIXTURE.quantile(share, 0.002) == pytest.approx(expected, abs=1e-10)
    found = samplers.heun(exact.MIXTURE.denoise, one(z), sigmas(641)[:-1]).item()
    assert found == pytest.approx(expected, abs=2e-4)


@pytest.fixture(scope="module")
def quantiles():
    """400 quantiles of the normal distribution (400, 1), and those of the mixture (400,)."""
    shares = (torch.arange(400, dtype=torch.float64) + 0.5) / 400
    ends = [exact.MIXTURE.quantile(float(share), 0.0) for share in shares]
    return torch.from_numpy(norm.ppf(shares.numpy()))[:, None], torch.tensor(ends, dtype=torch.float64)


@pytest.mark.parametrize(
    ("solver", "steps", "distance"),
    [
        (samplers.euler, 18, 0.0900),
        (samplers.heun, 18, 0.0242),
        (samplers.euler, 40, 0.0393),
        (samplers.heun, 40, 0.0045),
    ],
)
def test_samples_of_a_mixture_are_as_near_to_it_as_the_solver_allows(quantiles, solver, steps, distance):
    noise, expected = quantiles
    found = solver(exact.MIXTURE.denoise, noise, sigmas(steps)).squeeze(1).sort().values
    assert (found - expected).abs().mean().item() == pytest.approx(distance, rel=0.03)


@pytest.mark.parametrize(("solver", "calls"), [(samplers.euler, 40), (samplers.heun, 79), (samplers.dpmpp_2m, 40)])
def test_a_solver_calls_the_denoiser_as_often_as_the_paper_says(solver, calls):
    count = 0

    def counted(noisy, sigma):
        nonlocal count
        count += 1
        assert sigma.shape == (len(noisy),)
        assert (sigma > 0).all()
        return GAUSSIAN.denoise(noisy, sigma)

    solver(counted, torch.randn(3, 2, 4, 4, 4), sigmas(40))
    assert count == calls


@pytest.mark.parametrize("solver", [samplers.euler, samplers.heun, samplers.dpmpp_2m])
@pytest.mark.parametrize("shape", [(3, 2, 4, 4), (3, 2, 4, 4, 4)])
def test_a_solver_keeps_shape_precision_and_large_values(solver, shape):
    torch.manual_seed(0)
    found = solver(exact.Gaussian(50.0, 3.0).denoise, torch.randn(shape), sigmas(18))
    assert (found.shape, found.dtype) == (shape, torch.float32)
    assert found.mean().item() == pytest.approx(50.0 * (1 - 3.0 / 80.0), abs=1.5)  # nothing is clamped
    assert not found.requires_grad


@pytest.mark.parametrize("solver", [samplers.euler, samplers.heun, samplers.dpmpp_2m])
def test_the_last_step_ends_at_what_the_denoiser_says(solver):
    """From one noise level straight to 0 every solver is a call of the denoiser."""
    found = solver(GAUSSIAN.denoise, one(), torch.tensor([0.7, 0.0], dtype=torch.float64))
    expected = GAUSSIAN.denoise(one(0.7), torch.tensor([0.7], dtype=torch.float64))
    torch.testing.assert_close(found, expected)


def test_one_heun_step_takes_each_sample_between_its_own_levels():
    x = torch.randn(3, 1, 2, 2, dtype=torch.float64)
    high, low = (torch.tensor(v, dtype=torch.float64) for v in ((2.0, 1.0, 0.5), (1.9, 0.96, 0.49)))
    together = samplers.heun_step(GAUSSIAN.denoise, x, high, low)
    for i in range(3):
        alone = samplers.heun_step(GAUSSIAN.denoise, x[i : i + 1], high[i : i + 1], low[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone)
        end = GAUSSIAN.path(x[i, 0, 0, 0].item(), high[i].item(), low[i].item())
        assert together[i, 0, 0, 0].item() == pytest.approx(end, abs=1e-4)
