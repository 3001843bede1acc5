"""The stochastic second-order sampler of EDM (Karras et al. 2022, Algorithm 2)."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from echoes.diffusion.denoiser import Denoise
from echoes.diffusion.heun import heun_step
from echoes.diffusion.paths import Path
from echoes.errors import InputError

# The noise (B, C, *S) of deviation 1 that step k puts back.
Renoise = Callable[[int], Tensor]
MAX_SHARE = 2**0.5 - 1  # share by which a step raises its level: never by more new noise than there is


@dataclass(frozen=True)
class Churn:
    """How much new noise each step begins with.

    churn                  S_churn, by what share all steps together raise their levels; 0 for none.
    churn_low, churn_high  S_tmin, S_tmax, the noise levels between which they do.
    churn_noise            S_noise, deviation of the new noise: a little over 1 where a denoiser takes too much away.
    """

    churn: float
    churn_low: float
    churn_high: float
    churn_noise: float

    def __post_init__(self) -> None:
        if self.churn < 0:
            raise InputError(f"churn: expected 0 (none) or more, got {self.churn}")
        if not 0 <= self.churn_low < self.churn_high:
            raise InputError(f"churn_low: expected between 0 and churn_high = {self.churn_high}, got {self.churn_low}")
        if self.churn_noise <= 0:
            raise InputError(f"churn_noise: expected more than 0, got {self.churn_noise}")

    def raised(self, sigma: Tensor, steps: int) -> Tensor:
        """() the noise level that a step from `sigma` begins at, one of so many."""
        inside = self.churn_low <= sigma <= self.churn_high
        return sigma * (1 + min(self.churn / steps, MAX_SHARE)) if inside else sigma


@torch.no_grad()
def stochastic_heun(denoise: Denoise, noise: Tensor, sigmas: Tensor, path: Path, p: Churn, renoise: Renoise) -> Tensor:
    """Heun's steps from levels that new noise has raised (Karras et al. 2022, Algorithm 2); calls as `heun`.

    raised = (1 + gamma) sigma, gamma = min(churn / steps, sqrt(2) - 1) from churn_low to churn_high, 0 elsewhere;
    x + churn_noise sqrt(raised^2 - sigma^2) noise, and then the step from raised down to lower, in the path's time.
    """
    sigmas = sigmas.to(noise)
    x = path.start(sigmas[0]) * noise
    for k, (sigma, lower) in enumerate(pairwise(sigmas)):
        raised = p.raised(sigma, len(sigmas) - 1)
        if raised > sigma:
            x = x + p.churn_noise * (raised**2 - sigma**2).sqrt() * renoise(k)
        if lower == 0:
            return denoise(x, raised.expand(len(x)))
        x = heun_step(denoise, x, raised.expand(len(x)), lower.expand(len(x)), path)
    return x
