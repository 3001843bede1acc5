"""Preconditioned denoiser, noise levels and loss of EDM (Karras et al. 2022)."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from echoes.errors import InputError
from echoes.nets.layers import zero


class Denoise(Protocol):
    """(noisy (B, C, *S), sigma (B,)) -> the expected clean sample (B, C, *S)."""

    def __call__(self, noisy: Tensor, sigma: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class NoiseLevels:
    """Training noise: ln sigma ~ N(mean, std^2) (Karras et al. 2022, Table 1)."""

    mean: float
    std: float

    def __post_init__(self) -> None:
        if self.std <= 0:
            raise InputError(f"std: expected more than 0, got {self.std}")

    def draw(self, count: int, device: torch.device) -> Tensor:
        return torch.exp(self.mean + self.std * torch.randn(count, device=device))


def expand(sigma: Tensor, like: Tensor) -> Tensor:
    """(B,) -> (B, 1, ...) with as many axes as `like`."""
    return sigma.reshape(-1, *[1] * (like.ndim - 1))


def preconditioning(sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """c_skip, c_out, c_in, c_noise (Karras et al. 2022, Table 1), each in the shape of sigma."""
    total = (sigma**2 + sigma_data**2).sqrt()
    return sigma_data**2 / total**2, sigma * sigma_data / total, 1 / total, sigma.log() / 4


def weight(sigma: Tensor, sigma_data: float) -> Tensor:
    """(B,) lambda = 1 / c_out^2 (Karras et al. 2022, Table 1): the loss of a network that returns 0 is 1."""
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


class Denoiser(nn.Module):
    """D(x; sigma) = c_skip x + c_out F(c_in x; c_noise), with an own encoder for what conditions it.

    network   F(x (B, C, *S), c_noise (B,), features (B, K, *S) or None).
    encoder   condition -> features; a condition is dropped by putting the learned `null` in their place.
    """

    def __init__(
        self, network: nn.Module, sigma_data: float, encoder: nn.Module | None = None, features: int = 0
    ) -> None:
        super().__init__()
        self.network, self.sigma_data, self.encoder = network, sigma_data, encoder
        self.null = nn.Parameter(torch.zeros(features)) if encoder is not None else None
        # ln of the expected loss at each noise level (Karras et al. 2024, Eq. 14); 0 at the start, so the
        # first loss is the plain one.
        self.uncertainty = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), zero(nn.Linear(32, 1)))

    def features(self, cond: Tensor, drop: Tensor | None = None) -> Tensor:
        """Encode a condition once for all calls; `drop` (B,) bool puts the null in its place."""
        assert self.encoder is not None, "this denoiser takes no condition"
        assert self.null is not None
        encoded: Tensor = self.encoder(cond)
        if drop is None:
            return encoded
        return torch.where(expand(drop, encoded), expand(self.null, encoded[0]).to(encoded.dtype), encoded)

    def forward(self, noisy: Tensor, sigma: Tensor, features: Tensor | None = None) -> Tensor:
        """noisy (B, C, *S), sigma (B,) -> the denoised sample (B, C, *S), float32."""
        *scales, c_noise = preconditioning(sigma, self.sigma_data)
        c_skip, c_out, c_in = (expand(scale, noisy) for scale in scales)
        return c_skip * noisy + c_out * self.network(c_in * noisy, c_noise, features).float()

    def log_variance(self, sigma: Tensor) -> Tensor:
        """(B,) u(sigma), the logarithm of the expected loss."""
        c_noise = sigma.log() / 4
        u: Tensor = self.uncertainty(torch.stack([c_noise, c_noise**2], dim=1)).squeeze(1)
        return u.float()


def given(model: nn.Module, features: Tensor | None) -> Denoise:
    """A denoiser, or a consistency model, under one condition that was encoded beforehand."""
    return lambda noisy, sigma: model(noisy, sigma, features)


def loss(denoiser: Denoiser, clean: Tensor, levels: NoiseLevels, features: Tensor | None = None) -> Tensor:
    """(B,) lambda(sigma) |D(clean + noise; sigma) - clean|^2 / e^u + u, mean over cells.

    For data of deviation sigma_data a network that returns 0 starts at 1 (Karras et al. 2022, Eq. 2;
    Karras et al. 2024, Eq. 15 for u).
    """
    sigma = levels.draw(len(clean), clean.device)
    noisy = clean + torch.randn_like(clean) * expand(sigma, clean)
    error = (denoiser(noisy, sigma, features) - clean) ** 2
    u = denoiser.log_variance(sigma)
    return error.flatten(1).mean(1) * weight(sigma, denoiser.sigma_data) / u.exp() + u
