"""One call, or several with fresh noise in between: each call sees the noise level it is told."""

import pytest
import torch

import exact
from echoes.distillation.samplers import consistency

GAUSSIAN = exact.Gaussian(0.3, 0.5)
LOW, HIGH = 0.004, 160.0


def sample(between, count=50_000, model=None, low=LOW):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, 1, generator=generator)
    return consistency(
        model or GAUSSIAN.consistency(LOW),
        noise,
        HIGH,
        low,
        between,
        lambda k: torch.randn(count, 1, generator=torch.Generator().manual_seed(1 + k)),
    )


@pytest.mark.parametrize("between", [[], [1.38], [10.0, 1.38], [40.0, 10.0, 1.38]])
def test_any_number_of_steps_of_the_exact_function_samples_the_data(between):
    found = sample(between)
    assert found.mean().item() == pytest.approx(0.3, abs=0.01)
    assert found.std().item() == pytest.approx(0.5, rel=0.01)


def test_each_step_calls_once_and_puts_back_the_noise_that_is_missing():
    calls = []

    def model(noisy, sigma):
        calls.append((noisy.std().item(), sigma))
        return torch.zeros_like(noisy)

    sample([10.0, 1.38], model=model, low=1.0)
    assert [sigma[0].item() for _, sigma in calls] == pytest.approx([HIGH, 10.0, 1.38])
    assert all(sigma.shape == (50_000,) for _, sigma in calls)
    deviations = [HIGH, (10.0**2 - 1) ** 0.5, (1.38**2 - 1) ** 0.5]
    assert [deviation for deviation, _ in calls] == pytest.approx(deviations, rel=0.01)


def test_further_steps_take_noise_of_their_own():
    torch.testing.assert_close(sample([1.38]), sample([1.38]), rtol=0, atol=0)
    first, second = sample([]), sample([1.38])
    correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1].item()
    # x keeps s^2 / (s^2 + sigma^2) of its variance through a step, the rest is new.
    assert correlation == pytest.approx(0.5 / (0.5**2 + 1.38**2) ** 0.5, abs=0.02)
