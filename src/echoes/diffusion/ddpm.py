"""DDPM (Ho et al. 2020) as a denoiser: a table of noise levels, and a network that says epsilon or v.

state = sqrt(abar) clean + sqrt(1 - abar) noise, so sigma = sqrt((1 - abar) / abar).
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from echoes import batch_noise
from echoes.diffusion.denoiser import Denoiser, Network, expand, per_sample
from echoes.diffusion.paths import VP
from echoes.errors import InputError
from echoes.nets.conditions import Condition

Schedule = Literal["linear", "scaled_linear", "squaredcos_cap_v2"]
Prediction = Literal["epsilon", "v"]


@dataclass(frozen=True)
class DdpmConfig:
    """steps: of the table; a linear schedule of other than 1000 has the same noise at its end."""

    steps: int
    schedule: Schedule
    prediction: Prediction

    def __post_init__(self) -> None:
        if self.steps < 50:
            raise InputError(f"steps: expected at least 50, got {self.steps}")


@dataclass(frozen=True)
class DdpmLoss:
    """min_snr: gamma of the Min-SNR weight (Hang et al. 2023); 0 for none: the plain error of the prediction."""

    min_snr: float

    def __post_init__(self) -> None:
        if self.min_snr < 0:
            raise InputError(f"min_snr: expected 0 (none) or more, got {self.min_snr}")


def betas(schedule: Schedule, steps: int) -> Tensor:
    """(steps,) float64, share of noise that each step adds to the variance.

    linear               Ho et al. 2020: 1e-4 to 0.02 for 1000 steps.
    scaled_linear        Rombach et al. 2022: linear in the square root, 8.5e-4 to 0.012 for 1000 steps.
    squaredcos_cap_v2    Nichol and Dhariwal 2021, Eq. 17, at most 0.999.
    """
    if schedule == "squaredcos_cap_v2":
        time = torch.arange(steps + 1, dtype=torch.float64) / steps
        kept = ((time + 0.008) / 1.008 * math.pi / 2).cos() ** 2
        return (1 - kept[1:] / kept[:-1]).clamp(max=0.999)
    if schedule == "linear":
        found = torch.linspace(1e-4, 0.02, steps, dtype=torch.float64)
    else:
        found = torch.linspace(8.5e-4**0.5, 0.012**0.5, steps, dtype=torch.float64) ** 2
    return found * 1000 / steps


def sigmas_of(schedule: Schedule, steps: int) -> Tensor:
    """(steps,) float64 ascending noise levels sqrt((1 - abar) / abar)."""
    kept = (1 - betas(schedule, steps)).cumprod(0)
    return ((1 - kept) / kept).sqrt()


def min_snr_weight(sigma: Tensor, gamma: float, prediction: Prediction) -> Tensor:
    """(B,) min(SNR, gamma) on the error of the clean sample, for that of epsilon or v (Hang et al. 2023)."""
    snr = sigma**-2
    return snr.clamp(max=gamma) / (snr if prediction == "epsilon" else snr + 1)


class Ddpm(nn.Module):
    """D(x; sigma) from epsilon or v, said of the state x / sqrt(1 + sigma^2); for data of deviation near 1."""

    path = VP
    sigma_data = 1.0
    sigmas: Tensor

    def __init__(self, config: DdpmConfig) -> None:
        super().__init__()
        self.prediction = config.prediction
        self.register_buffer("sigmas", sigmas_of(config.schedule, config.steps), persistent=False)

    def step(self, sigma: Tensor) -> Tensor:
        """(...) float64 place of noise levels in the table, whole at its own, between them linear in ln sigma."""
        table, level = self.sigmas.log(), sigma.to(self.sigmas).log()
        above = torch.searchsorted(table, level).clamp(1, len(table) - 1)
        low, high = table[above - 1], table[above]
        return (above - 1 + (level - low) / (high - low)).clamp(0, len(table) - 1)

    def said(self, network: Network, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """(B, C, *S) float32, the prediction of the network."""
        state = noisy * expand(VP.scale(sigma), noisy)
        return network(state, sigma.log() / 4, condition).float()

    def denoised(self, network: Network, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """(B, C, *S) float32 from noisy (B, C, *S), sigma (B,)."""
        said, level = self.said(network, noisy, sigma, condition), expand(sigma, noisy)
        if self.prediction == "epsilon":
            return noisy - level * said
        # clean = sqrt(abar) state - sqrt(1 - abar) v (Salimans and Ho 2022, Appendix D)
        return noisy / (1 + level**2) - level / (1 + level**2).sqrt() * said

    def loss(self, denoiser: Denoiser, clean: Tensor, condition: Condition, p: DdpmLoss) -> Tensor:
        """(B,) square error of the prediction at steps drawn uniformly, with the Min-SNR weight."""
        sigma = self._draw(clean)
        error = self._error(denoiser, clean, sigma, condition)
        return error * min_snr_weight(sigma, p.min_snr, self.prediction) if p.min_snr else error

    def error(self, denoiser: Denoiser, clean: Tensor, condition: Condition, p: DdpmLoss) -> Tensor:
        """(B,) square error of the prediction at steps drawn uniformly."""
        return self._error(denoiser, clean, self._draw(clean), condition)

    def error_weight(self, sigma: Tensor) -> Tensor:
        """(B,) 1 / sigma^2 for epsilon, 1 more for v (Salimans and Ho 2022, Sec. 4)."""
        return sigma**-2 if self.prediction == "epsilon" else sigma**-2 + 1

    def _draw(self, clean: Tensor) -> Tensor:
        step = batch_noise.integers(len(self.sigmas), len(clean), clean.device)
        return self.sigmas[step].to(clean.dtype)

    def _error(self, denoiser: Denoiser, clean: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        noise, level = batch_noise.normal_like(clean), expand(sigma, clean)
        wanted = noise if self.prediction == "epsilon" else (noise - level * clean) / (1 + level**2).sqrt()
        return per_sample(self.said(denoiser.network, clean + level * noise, sigma, condition) - wanted)
