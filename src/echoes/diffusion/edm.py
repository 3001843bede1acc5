"""Preconditioned denoiser, noise levels and loss of EDM (Karras et al. 2022)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from echoes import batch_noise
from echoes.diffusion.denoiser import Denoiser, Network, expand, per_sample
from echoes.diffusion.paths import VE
from echoes.errors import InputError
from echoes.nets.conditions import Condition
from echoes.nets.layers import zero

Weighting = Literal["karras", "snr", "snr+1", "truncated-snr", "uniform"]


@dataclass(frozen=True)
class EdmLoss:
    """Training noise: ln sigma ~ N(mean, std^2) (Karras et al. 2022, Table 1).

    weighting   what an error counts at each noise level.
    """

    mean: float
    std: float
    weighting: Weighting

    def __post_init__(self) -> None:
        if self.std <= 0:
            raise InputError(f"std: expected more than 0, got {self.std}")

    def draw(self, count: int, device: torch.device) -> Tensor:
        return torch.exp(self.mean + self.std * batch_noise.normal(count, device=device))


@dataclass(frozen=True)
class EdmConfig:
    """sigma_data: deviation of the data."""

    sigma_data: float

    def __post_init__(self) -> None:
        if self.sigma_data <= 0:
            raise InputError(f"sigma_data: expected more than 0, got {self.sigma_data}")


def preconditioning(sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """c_skip, c_out, c_in, c_noise (Karras et al. 2022, Table 1), each in the shape of sigma."""
    total = (sigma**2 + sigma_data**2).sqrt()
    return sigma_data**2 / total**2, sigma * sigma_data / total, 1 / total, sigma.log() / 4


def weight(weighting: Weighting, sigma: Tensor, sigma_data: float) -> Tensor:
    """(B,) lambda, what the square error of the clean sample counts; 1 / sigma^2 is the signal-to-noise ratio.

    karras          1 / c_out^2 = 1 / sigma^2 + 1 / sigma_data^2 (Karras et al. 2022, Table 1): the loss of a network
                    that returns 0 is 1.
    snr             1 / sigma^2: the error of the noise, which is DDPM's loss (Ho et al. 2020, Eq. 14).
    snr+1           1 / sigma^2 + 1: the error of v; that of `karras` for a sigma_data of 1.
    truncated-snr   max(1 / sigma^2, 1). It and the one before from Salimans and Ho 2022, Sec. 4.
    uniform         1: the error of the clean sample.
    """
    weights: dict[Weighting, Callable[[], Tensor]] = {
        "karras": lambda: (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2,
        "snr": lambda: sigma**-2,
        "snr+1": lambda: sigma**-2 + 1,
        "truncated-snr": lambda: (sigma**-2).clamp(min=1),
        "uniform": lambda: torch.ones_like(sigma),
    }
    return weights[weighting]()


class Edm(nn.Module):
    """D(x; sigma) = c_skip x + c_out F(c_in x; c_noise)."""

    path = VE

    def __init__(self, config: EdmConfig) -> None:
        super().__init__()
        self.sigma_data = config.sigma_data
        # ln of the expected loss at each noise level (Karras et al. 2024, Eq. 14); 0 at the start, so the
        # first loss is the plain one.
        self.uncertainty = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), zero(nn.Linear(32, 1)))

    def denoised(self, network: Network, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """(B, C, *S) float32 from noisy (B, C, *S), sigma (B,)."""
        *scales, c_noise = preconditioning(sigma, self.sigma_data)
        c_skip, c_out, c_in = (expand(scale, noisy) for scale in scales)
        return c_skip * noisy + c_out * network(c_in * noisy, c_noise, condition).float()

    def log_variance(self, sigma: Tensor) -> Tensor:
        """(B,) u(sigma), the logarithm of the expected loss."""
        c_noise = sigma.log() / 4
        u: Tensor = self.uncertainty(torch.stack([c_noise, c_noise**2], dim=1)).squeeze(1)
        return u.float()

    def loss(self, denoiser: Denoiser, clean: Tensor, condition: Condition, p: EdmLoss) -> Tensor:
        """(B,) lambda(sigma) |D(clean + noise; sigma) - clean|^2 / e^u + u, mean over cells; u is 0 but for `karras`.

        For data of deviation sigma_data a network that returns 0 starts at 1 there (Karras et al. 2022, Eq. 2;
        Karras et al. 2024, Eq. 15 for u).
        """
        sigma = p.draw(len(clean), clean.device)
        # Once learned, e^u is proportional to lambda and undoes it. It takes part with gradients of 0, so that
        # what the optimizer does to it is the same in one process and in several.
        u = self.log_variance(sigma) * float(p.weighting == "karras")
        weighted = self._error(denoiser, clean, sigma, condition) * weight(p.weighting, sigma, self.sigma_data)
        return weighted / u.exp() + u

    def error(self, denoiser: Denoiser, clean: Tensor, condition: Condition, p: EdmLoss) -> Tensor:
        """(B,) the loss of `karras` without its uncertainty, whatever the weighting, so that it can be compared."""
        sigma = p.draw(len(clean), clean.device)
        return self._error(denoiser, clean, sigma, condition) * self.error_weight(sigma)

    def error_weight(self, sigma: Tensor) -> Tensor:
        """(B,) that of `karras`."""
        return weight("karras", sigma, self.sigma_data)

    def _error(self, denoiser: Denoiser, clean: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        noisy = clean + batch_noise.normal_like(clean) * expand(sigma, clean)
        return per_sample(denoiser(noisy, sigma, condition) - clean)
