"""Noise schedules and solvers of the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma.

A solver follows any denoiser down `sigmas`; the step to sigma = 0 is Euler's. Nothing is clamped.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from echoes.diffusion.edm import Denoise, expand
from echoes.errors import InputError


@dataclass(frozen=True)
class SigmaRange:
    """steps levels from `high` to `low`, spaced by `rho` (Karras et al. 2022, Eq. 5)."""

    steps: int
    low: float
    high: float
    rho: float

    def __post_init__(self) -> None:
        if self.steps < 2:
            raise InputError(f"steps: expected at least 2, got {self.steps}")
        if not 0 < self.low < self.high:
            raise InputError(f"low: expected between 0 and high = {self.high}, got {self.low}")
        if self.rho <= 0:
            raise InputError(f"rho: expected more than 0, got {self.rho}")


def karras_sigmas(levels: SigmaRange) -> Tensor:
    """(steps + 1,) float64 noise levels from `high` to `low`, then 0 (Karras et al. 2022, Eq. 5)."""
    ramp = torch.linspace(0, 1, levels.steps, dtype=torch.float64)
    high, low = levels.high ** (1 / levels.rho), levels.low ** (1 / levels.rho)
    sigmas = (high + ramp * (low - high)) ** levels.rho
    # The ends are exact, so that a schedule and the boundary of a consistency model meet.
    sigmas[0], sigmas[-1] = levels.high, levels.low
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def slope(denoise: Denoise, x: Tensor, sigma: Tensor) -> Tensor:
    """dx/dsigma at noise levels (B,) (Karras et al. 2022, Eq. 3)."""
    return (x - denoise(x, sigma)) / expand(sigma, x)


@torch.no_grad()
def euler(denoise: Denoise, noise: Tensor, sigmas: Tensor) -> Tensor:
    """First-order steps; one call a step."""
    sigmas = sigmas.to(noise)
    x = sigmas[0] * noise
    for sigma, lower in pairwise(sigmas):
        x = x + (lower - sigma) * slope(denoise, x, sigma.expand(len(x)))
    return x


@torch.no_grad()
def heun(denoise: Denoise, noise: Tensor, sigmas: Tensor) -> Tensor:
    """Second-order steps (Karras et al. 2022, Algorithm 1); 2 calls a step, 1 for the step to 0."""
    sigmas = sigmas.to(noise)
    x = sigmas[0] * noise
    for sigma, lower in pairwise(sigmas):
        if lower == 0:
            return denoise(x, sigma.expand(len(x)))
        x = heun_step(denoise, x, sigma.expand(len(x)), lower.expand(len(x)))
    return x


@torch.no_grad()
def heun_step(denoise: Denoise, x: Tensor, sigma: Tensor, lower: Tensor) -> Tensor:
    """One second-order step from noise levels `sigma` (B,) to `lower` (B,), above 0."""
    step = expand(lower - sigma, x)
    first = slope(denoise, x, sigma)
    return x + step * (first + slope(denoise, x + step * first, lower)) / 2


@torch.no_grad()
def dpmpp_2m(denoise: Denoise, noise: Tensor, sigmas: Tensor) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2) for sigma(t) = t; second order, one call a step."""
    sigmas = sigmas.to(noise)
    x = sigmas[0] * noise
    previous, previous_step = None, None
    for sigma, lower in pairwise(sigmas):
        denoised = denoise(x, sigma.expand(len(x)))
        if lower == 0:
            return denoised
        step = (sigma / lower).log()  # in lambda = -ln sigma
        direction = denoised
        if previous is not None and previous_step is not None:
            share = step / (2 * previous_step)
            direction = (1 + share) * denoised - share * previous
        x = (lower / sigma) * x - torch.expm1(-step) * direction
        previous, previous_step = denoised, step
    return x
