"""Solvers against the exact path of the probability-flow ODE: end values, order of convergence, calls."""

import math
from dataclasses import replace

import pytest
import torch
from scipy.stats import norm

import exact
from diffusion import known
from echoes.diffusion import samplers
from echoes.diffusion.churn import Churn
from echoes.diffusion.dopri5 import Tolerances
from echoes.diffusion.heun import heun_step
from echoes.diffusion.paths import FLOW, VE, VP
from echoes.diffusion.samplers import Ancestral, SolverConfig, solve
from echoes.diffusion.schedules import SigmaRange, karras_sigmas

GAUSSIAN = exact.Gaussian(0.3, 0.5)
PATHS = [VE, FLOW, VP]
ODE = ["euler", "heun", "dpmpp_2m", "pndm", "dopri5", "ddim"]
SDE = ["ddpm", "euler_ancestral", "stochastic_heun"]  # noise is added on the way


def sigmas(steps, low=0.002, high=80.0):
    return karras_sigmas(SigmaRange(steps, low, high, 7.0, "karras", 1.0))


def config(name, allowed=1e-3):
    return SolverConfig(name, Tolerances(allowed, allowed), Ancestral(0.5), Churn(5.0, 0.05, 50.0, 1.0))


def one(value=1.0):
    return torch.full((1, 1, 1, 1), value, dtype=torch.float64)


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
    assert solver(GAUSSIAN.denoise, one(), sigmas(steps), VE).item() == pytest.approx(expected, abs=1e-9)


def test_all_solvers_reach_the_end_of_the_exact_path():
    assert GAUSSIAN.path(80.0, 80.0, 0.002) == pytest.approx(0.7981192561873, abs=1e-12)
    assert GAUSSIAN.path(80.0, 80.0, 0.0) == pytest.approx(0.7981152712811, abs=1e-12)
    for solver, tolerance in (
        (samplers.euler, 5e-3),
        (samplers.heun, 1e-4),
        (samplers.dpmpp_2m, 1e-4),
        (samplers.pndm, 1e-4),
    ):
        assert solver(GAUSSIAN.denoise, one(), sigmas(400), VE).item() == pytest.approx(0.7981152712811, abs=tolerance)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("solver", "order"), [(samplers.euler, 1.0), (samplers.heun, 2.0), (samplers.dpmpp_2m, 2.0)])
def test_a_solver_converges_at_its_order_on_every_path(solver, order, path):
    steps = (65, 129, 257, 513)
    start = path.start(torch.tensor(80.0, dtype=torch.float64)).item()
    exact_end = GAUSSIAN.path(start, 80.0, 0.002)
    errors = [abs(solver(GAUSSIAN.denoise, one(), sigmas(n)[:-1], path).item() - exact_end) for n in steps]
    slope = math.log(errors[0] / errors[-1]) / math.log((steps[-1] - 1) / (steps[0] - 1))
    assert slope == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize(
    ("count", "euler", "heun"), [(8, 0.7147845545, 0.8024414259), (64, 0.7885552947, 0.8000548655)]
)
def test_even_steps_of_flow_time_end_where_is_known(count, euler, heun):
    """From noise at t = 0 to data at t = 1, both as near as numbers allow."""
    time = torch.arange(count + 1, dtype=torch.float64) / count
    levels = ((1 - time) / time).clamp(1e-8, 1e9)
    model = known.denoiser(GAUSSIAN.denoise, "flow")
    assert model.path is FLOW
    assert samplers.euler(GAUSSIAN.denoise, one(), levels, FLOW).item() == pytest.approx(euler, abs=2e-8)
    assert samplers.heun(GAUSSIAN.denoise, one(), levels, FLOW).item() == pytest.approx(heun, abs=2e-8)
    # Euler's step is the same in sigma; Heun's is not.
    assert samplers.heun(GAUSSIAN.denoise, one(), levels, VE).item() != pytest.approx(heun, abs=1e-3)


@pytest.mark.parametrize("name", ODE + SDE)
@pytest.mark.parametrize("words", known.ALL)
@pytest.mark.parametrize("shape", [(3, 1, 4, 4), (3, 1, 2, 4, 4)])
def test_every_solver_samples_every_denoiser_and_a_sample_does_not_depend_on_its_batch(name, words, shape):
    model = known.denoiser(GAUSSIAN.denoise, words)
    noise, fresh = torch.randn((2, *shape), generator=torch.Generator().manual_seed(0))

    def sample(rows):
        return solve(config(name), model, noise[rows], sigmas(40), model.path, lambda purpose: fresh[rows])

    together = sample(slice(0, 3))
    assert (together.shape, together.dtype) == (shape, torch.float32)
    assert not together.requires_grad
    for i in range(3):
        torch.testing.assert_close(sample(slice(i, i + 1)), together[i : i + 1], rtol=1e-4, atol=1e-4)
    if name in ODE:  # the others end elsewhere
        torch.testing.assert_close(together, 0.3 + 0.5 * noise, rtol=0.1, atol=0.15)


def test_a_name_is_a_solver_of_its_own():
    model, noise = exact.MIXTURE.denoise, torch.randn((20, 1), generator=torch.Generator().manual_seed(0)).double()

    def sample(name):
        return solve(config(name, 1e-2), model, noise, sigmas(10), FLOW, lambda purpose: noise.flip(0))

    found = {name: sample(name) for name in ODE + SDE if name != "ddim"}
    names = list(found)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            assert (found[first] - found[second]).abs().max() > 1e-3, (first, second)
    torch.testing.assert_close(sample("ddim"), found["euler"])


def test_ancestral_steps_of_euler_lie_between_those_of_ddim_and_of_ddpm():
    noise = torch.randn((20, 1), generator=torch.Generator().manual_seed(0)).double()

    def sample(name, eta=0.5):
        p = replace(config(name), euler_ancestral=Ancestral(eta))
        return solve(p, exact.MIXTURE.denoise, noise, sigmas(10), VE, lambda purpose: noise.flip(0))

    assert torch.equal(sample("euler_ancestral", 0.0), sample("ddim"))
    assert torch.equal(sample("euler_ancestral", 1.0), sample("ddpm"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, []) for name in ODE),
        ("ddpm", [f"ancestral-{k}" for k in range(9)]),
        ("euler_ancestral", [f"ancestral-{k}" for k in range(9)]),
        ("stochastic_heun", [f"churn-{k}" for k in range(1, 8)]),
    ],
)
def test_noise_is_asked_for_by_its_purpose_and_step(name, expected):
    asked = []

    def fresh(purpose):
        asked.append(purpose)
        return torch.zeros(2, 1)

    solve(config(name), GAUSSIAN.denoise, torch.randn(2, 1), sigmas(10), VE, fresh)
    assert asked == expected


@pytest.mark.parametrize(
    ("z", "expected"),
    [(-1.5, -1.1146835914504), (-0.5, -0.4400131886574), (0.25, 0.2733900725732), (1.0, 1.3178349364070)],
)
def test_the_path_of_a_mixture_keeps_the_quantile(z, expected):
    share = exact.MIXTURE.below(80.0 * z, 80.0)
    assert exact.MIXTURE.quantile(share, 0.002) == pytest.approx(expected, abs=1e-10)
    found = samplers.heun(exact.MIXTURE.denoise, one(z), sigmas(641)[:-1], VE).item()
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
    found = solver(exact.MIXTURE.denoise, noise, sigmas(steps), VE).squeeze(1).sort().values
    assert (found - expected).abs().mean().item() == pytest.approx(distance, rel=0.03)


@pytest.mark.parametrize(
    ("solver", "calls"), [(samplers.euler, 40), (samplers.heun, 79), (samplers.dpmpp_2m, 40), (samplers.pndm, 41)]
)
def test_a_solver_calls_the_denoiser_as_often_as_the_paper_says(solver, calls):
    count = 0

    def counted(noisy, sigma):
        nonlocal count
        count += 1
        assert sigma.shape == (len(noisy),)
        assert (sigma > 0).all()
        return GAUSSIAN.denoise(noisy, sigma)

    solver(counted, torch.randn(3, 2, 4, 4, 4), sigmas(40), VE)
    assert count == calls


@pytest.mark.parametrize("solver", [samplers.euler, samplers.heun, samplers.dpmpp_2m, samplers.pndm])
@pytest.mark.parametrize("shape", [(3, 2, 4, 4), (3, 2, 4, 4, 4)])
def test_a_solver_keeps_shape_precision_and_large_values(solver, shape):
    torch.manual_seed(0)
    found = solver(exact.Gaussian(50.0, 3.0).denoise, torch.randn(shape), sigmas(18), VE)
    assert (found.shape, found.dtype) == (shape, torch.float32)
    assert found.mean().item() == pytest.approx(50.0 * (1 - 3.0 / 80.0), abs=1.5)  # nothing is clamped
    assert not found.requires_grad


@pytest.mark.parametrize("solver", [samplers.euler, samplers.heun, samplers.dpmpp_2m, samplers.pndm])
def test_the_last_step_ends_at_what_the_denoiser_says(solver):
    """From one noise level straight to 0 every solver is a call of the denoiser."""
    found = solver(GAUSSIAN.denoise, one(), torch.tensor([0.7, 0.0], dtype=torch.float64), VE)
    expected = GAUSSIAN.denoise(one(0.7), torch.tensor([0.7], dtype=torch.float64))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("path", PATHS)
def test_one_heun_step_takes_each_sample_between_its_own_levels(path):
    x = torch.randn(3, 1, 2, 2, dtype=torch.float64)
    high, low = (torch.tensor(v, dtype=torch.float64) for v in ((2.0, 1.0, 0.5), (1.9, 0.96, 0.49)))
    together = heun_step(GAUSSIAN.denoise, x, high, low, path)
    for i in range(3):
        alone = heun_step(GAUSSIAN.denoise, x[i : i + 1], high[i : i + 1], low[i : i + 1], path)
        torch.testing.assert_close(together[i : i + 1], alone)
        end = GAUSSIAN.path(x[i, 0, 0, 0].item(), high[i].item(), low[i].item())
        assert together[i, 0, 0, 0].item() == pytest.approx(end, abs=1e-4)
