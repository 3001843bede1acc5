"""Solvers of the probability-flow ODE, and of the process that puts noise back at each step.

A solver follows any denoiser down `sigmas`, for noise (B, C, *S) of deviation 1, and gives noisy at the
last of them; a step to 0 ends at what the denoiser says. Nothing is clamped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from echoes.diffusion.churn import Churn, Renoise, stochastic_heun
from echoes.diffusion.denoiser import Denoise
from echoes.diffusion.dopri5 import Tolerances, dopri5
from echoes.diffusion.dpmpp import dpmpp_2m
from echoes.diffusion.heun import heun
from echoes.diffusion.paths import Path
from echoes.diffusion.pndm import pndm
from echoes.errors import InputError

Solver = Literal["euler", "heun", "dpmpp_2m", "pndm", "dopri5", "ddim", "ddpm", "euler_ancestral", "stochastic_heun"]
# Purpose -> noise (B, C, *S) of deviation 1.
Fresh = Callable[[str], Tensor]


@dataclass(frozen=True)
class Ancestral:
    """eta: share of the noise that a step puts back, between DDIM's 0 and DDPM's 1."""

    eta: float

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise InputError(f"eta: expected 0 to 1, got {self.eta}")


@dataclass(frozen=True)
class SolverConfig:
    """The solver, and what those of these names are told.

    dopri5            the errors that it allows itself.
    euler_ancestral   how much noise it puts back after a step.
    stochastic_heun   how much noise it adds before a step.
    """

    solver: Solver
    dopri5: Tolerances
    euler_ancestral: Ancestral
    stochastic_heun: Churn


def solve(config: SolverConfig, denoise: Denoise, noise: Tensor, sigmas: Tensor, path: Path, fresh: Fresh) -> Tensor:
    """Sample with the solver of this name. fresh: only asked by those that add noise, with the step in the purpose."""

    def back(k: int) -> Tensor:
        return fresh(f"ancestral-{k}")

    def churned(k: int) -> Tensor:
        return fresh(f"churn-{k}")

    steps: dict[Solver, Callable[[], Tensor]] = {
        "euler": lambda: euler(denoise, noise, sigmas, path),
        "heun": lambda: heun(denoise, noise, sigmas, path),
        "dpmpp_2m": lambda: dpmpp_2m(denoise, noise, sigmas, path),
        "pndm": lambda: pndm(denoise, noise, sigmas, path),
        "dopri5": lambda: dopri5(denoise, noise, sigmas, path, config.dopri5),
        "ddim": lambda: ddim(denoise, noise, sigmas, path, 0.0, back),
        "ddpm": lambda: ddim(denoise, noise, sigmas, path, 1.0, back),
        "euler_ancestral": lambda: ddim(denoise, noise, sigmas, path, config.euler_ancestral.eta, back),
        "stochastic_heun": lambda: stochastic_heun(denoise, noise, sigmas, path, config.stochastic_heun, churned),
    }
    return steps[config.solver]()


@torch.no_grad()
def euler(denoise: Denoise, noise: Tensor, sigmas: Tensor, path: Path) -> Tensor:
    """First-order steps of sigma; one call a step. The same as steps in the time of flow matching."""
    sigmas = sigmas.to(noise)
    x = path.start(sigmas[0]) * noise
    for sigma, lower in pairwise(sigmas):
        denoised = denoise(x, sigma.expand(len(x)))
        x = denoised + (lower / sigma) * (x - denoised)
    return x


@torch.no_grad()
def ddim(denoise: Denoise, noise: Tensor, sigmas: Tensor, path: Path, eta: float, renoise: Renoise) -> Tensor:
    """Steps that put back a share `eta` of the noise (Song et al. 2021, Eq. 12 and 16); one call a step.

    eta 0 is DDIM, Euler's steps of sigma; eta 1 the ancestral sampling of DDPM (Ho et al. 2020, Algorithm
    2) with its smaller variance. In noisy = state / sqrt(abar) Eq. 16 is
    added = eta lower sqrt(sigma^2 - lower^2) / sigma, and Eq. 12
    D(x; sigma) + sqrt(lower^2 - added^2) / sigma (x - D(x; sigma)) + added noise,
    which is what k-diffusion and others call ancestral steps of Euler.
    """
    sigmas = sigmas.to(noise)
    x = path.start(sigmas[0]) * noise
    for k, (sigma, lower) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma.expand(len(x)))
        added = eta * lower * (sigma**2 - lower**2).sqrt() / sigma
        x = denoised + (lower**2 - added**2).sqrt() / sigma * (x - denoised)
        if added > 0:
            x = x + added * renoise(k)
    return x
