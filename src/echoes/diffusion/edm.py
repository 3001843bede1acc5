"""Preconditioned denoiser, noise levels and loss of EDM (Karras et al. 2022)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from echoes import draws
from echoes.diffusion.denoiser import Denoiser, Network, expand, per_sample
from echoes.diffusion.paths import EXPLODING
from echoes.errors import InputError
from echoes.nets.conditions import Condition
from echoes.nets.layers import zero


@dataclass(frozen=True)
class NoiseLevels:
    """Training noise: ln sigma ~ N(mean, std^2) (Karras et al. 2022, Table 1)."""

    mean: float
    std: float

    def __post_init__(self) -> None:
        if self.std <= 0:
            raise InputError(f"std: expected more than 0, got {self.std}")

    def draw(self, count: int, device: torch.device) -> Tensor:
        return torch.exp(self.mean + self.std * draws.normal(count, device=device))


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


def weight(sigma: Tensor, sigma_data: float) -> Tensor:
    """(B,) lambda = 1 / c_out^2 (Karras et al. 2022, Table 1): the loss of a network that returns 0 is 1."""
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


class Edm(nn.Module):
    """D(x; sigma) = c_skip x + c_out F(c_in x; c_noise)."""

    path = EXPLODING

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

    def loss(self, denoiser: Denoiser, clean: Tensor, condition: Condition, p: NoiseLevels) -> Tensor:
        """(B,) lambda(sigma) |D(clean + noise; sigma) - clean|^2 / e^u + u, mean over cells.

        For data of deviation sigma_data a network that returns 0 starts at 1 (Karras et al. 2022, Eq. 2;
        Karras et al. 2024, Eq. 15 for u).
        """
        sigma = p.draw(len(clean), clean.device)
        u = self.log_variance(sigma)
        return self._weighted(denoiser, clean, sigma, condition) / u.exp() + u

    def error(self, denoiser: Denoiser, clean: Tensor, condition: Condition, p: NoiseLevels) -> Tensor:
        """(B,) the loss without its uncertainty."""
        return self._weighted(denoiser, clean, p.draw(len(clean), clean.device), condition)

    def _weighted(self, denoiser: Denoiser, clean: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        noisy = clean + draws.normal_like(clean) * expand(sigma, clean)
        return per_sample(denoiser(noisy, sigma, condition) - clean) * weight(sigma, self.sigma_data)
