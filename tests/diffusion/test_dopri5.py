"""The adaptive solver gives each sample what SciPy gives it alone, within the error that is allowed."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import exact
from diffusion import known
from echoes.diffusion import dopri5
from echoes.diffusion.dopri5 import Tolerances
from echoes.diffusion.paths import FLOW, VE, VP
from echoes.errors import InputError

GAUSSIAN, FINE = exact.Gaussian(0.3, 0.5), Tolerances(1e-9, 1e-9)
ENDS = torch.tensor([80.0, 0.002], dtype=torch.float64)


@pytest.mark.parametrize("path", [VE, FLOW, VP])
def test_the_end_of_the_exact_path_is_reached_within_the_error_that_is_allowed(path):
    noise = torch.ones(1, 1, dtype=torch.float64)
    expected = GAUSSIAN.path(path.start(ENDS[0]).item(), 80.0, 0.002)
    errors = []
    for allowed in (1e-3, 1e-5, 1e-7, 1e-9):
        end = dopri5.dopri5(GAUSSIAN.denoise, noise, ENDS, path, Tolerances(allowed, allowed)).item()
        errors.append(abs(end - expected))
        assert errors[-1] < 20 * allowed
    assert errors[-1] < 1e-3 * errors[0]


@pytest.mark.parametrize("z", [-1.5, -0.5, 0.25, 1.0])
def test_the_path_of_a_mixture_keeps_the_quantile(z):
    noise, expected = torch.tensor([[z]], dtype=torch.float64), exact.MIXTURE.below(80.0 * z, 80.0)
    found = dopri5.dopri5(exact.MIXTURE.denoise, noise, ENDS, VE, FINE).item()
    assert found == pytest.approx(exact.MIXTURE.quantile(expected, 0.002), abs=1e-7)


@pytest.mark.parametrize("path", [VE, FLOW, VP])
@pytest.mark.parametrize("allowed", [1e-2, 1e-4, 1e-6])
def test_a_sample_in_a_batch_is_what_scipy_gives_it_alone(path, allowed):
    noise = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise[1] *= 20  # whose steps are others
    found = dopri5.dopri5(exact.MIXTURE.denoise, noise, ENDS, path, Tolerances(allowed, allowed))
    span = path.time(ENDS).tolist()

    def slope(time, state):
        sigma = path.sigma(torch.tensor([time], dtype=torch.float64))
        noisy = torch.from_numpy(state)[None] / path.scale(sigma)
        clean = exact.MIXTURE.denoise(noisy, sigma)
        return path.velocity(clean, (noisy - clean) / sigma, sigma)[0].numpy()

    for i, start in enumerate(noise * path.scale(ENDS[0]) * path.start(ENDS[0])):
        alone = solve_ivp(slope, span, start.numpy(), method="RK45", rtol=allowed, atol=allowed)
        end = alone.y[:, -1] / path.scale(ENDS[1]).item()
        np.testing.assert_allclose(found[i].numpy(), end, rtol=1e-7, atol=1e-9)


def test_only_the_ends_of_the_levels_count_and_zero_is_a_call_of_the_denoiser():
    noise = torch.randn(2, 1, 4, dtype=torch.float64)
    between = torch.tensor([80.0, 3.0, 0.002], dtype=torch.float64)
    end = dopri5.dopri5(GAUSSIAN.denoise, noise, ENDS, FLOW, FINE)
    torch.testing.assert_close(dopri5.dopri5(GAUSSIAN.denoise, noise, between, FLOW, FINE), end, rtol=0, atol=0)
    to_zero = torch.cat([between, torch.zeros(1, dtype=torch.float64)])
    found = dopri5.dopri5(GAUSSIAN.denoise, noise, to_zero, FLOW, FINE)
    torch.testing.assert_close(found, GAUSSIAN.denoise(end, ENDS[1:].expand(2)), rtol=0, atol=0)


@pytest.mark.parametrize("name", known.ALL)
def test_single_precision_is_enough_for_an_error_of_1e_4(name):
    model, noise = known.denoiser(exact.MIXTURE.denoise, name), torch.randn(4, 1, 8)
    rough = dopri5.dopri5(model, noise, ENDS, model.path, Tolerances(1e-4, 1e-4))
    fine = dopri5.dopri5(exact.MIXTURE.denoise, noise.double(), ENDS, model.path, FINE)
    assert rough.dtype == torch.float32
    assert (rough - fine).abs().mean() < 5e-3


def test_more_error_is_fewer_calls_of_the_whole_batch():
    noise = torch.randn(6, 1, 8, generator=torch.Generator().manual_seed(0))
    counts = []
    for allowed in (1e-5, 1e-3, 1e-1):
        sizes = []

        def counted(noisy, sigma, sizes=sizes):
            sizes.append(len(noisy))
            assert sigma.shape == (6,)
            return exact.MIXTURE.denoise(noisy, sigma)

        dopri5.dopri5(counted, noise, ENDS, VE, Tolerances(allowed, allowed))
        assert set(sizes) == {6}
        counts.append(len(sizes))
    assert counts[0] > 1.5 * counts[1] > 1.5 * counts[2]


def test_a_denoiser_that_gives_no_numbers_ends_in_a_message():
    with pytest.raises(InputError, match=r"^rtol, atol: expected .* finite numbers; got no step$"):
        dopri5.dopri5(lambda noisy, sigma: noisy * torch.nan, torch.randn(2, 1), ENDS, FLOW, FINE)


def test_an_error_of_nothing_is_refused():
    with pytest.raises(InputError, match=r"^atol: expected more than 0, got 0.0$"):
        Tolerances(1e-3, 0.0)
