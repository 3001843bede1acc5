"""Consistency model and its loss across one step of a frozen teacher (Song et al. 2023)."""

import torch
from torch import Tensor, nn

from echoes.diffusion.edm import Denoise, Denoiser, expand
from echoes.diffusion.samplers import heun_step


def boundary(sigma: Tensor, sigma_min: float, sigma_data: float) -> tuple[Tensor, Tensor]:
    """c_skip and c_out with c_skip = 1, c_out = 0 at sigma_min (Song et al. 2023, Appendix C)."""
    above = sigma - sigma_min
    return (
        1 / ((above / sigma_data) ** 2 + 1),  # written so that it is exactly 1 for any sigma_data
        above * sigma_data / (sigma**2 + sigma_data**2).sqrt(),
    )


class ConsistencyModel(nn.Module):
    """f(x, sigma): any point of a trajectory -> its end at sigma_min; the identity there for any network."""

    def __init__(self, denoiser: Denoiser, sigma_min: float) -> None:
        super().__init__()
        self.denoiser, self.sigma_min = denoiser, sigma_min

    def features(self, cond: Tensor) -> Tensor:
        return self.denoiser.features(cond)

    def forward(self, noisy: Tensor, sigma: Tensor, features: Tensor | None = None) -> Tensor:
        """noisy (B, C, *S), sigma (B,) -> (B, C, *S), float32."""
        sigma_data = self.denoiser.sigma_data
        c_skip, c_out = boundary(sigma, self.sigma_min, sigma_data)
        c_in = 1 / (sigma**2 + sigma_data**2).sqrt()
        inner = self.denoiser.network(expand(c_in, noisy) * noisy, sigma.log() / 4, features).float()
        return expand(c_skip, noisy) * noisy + expand(c_out, noisy) * inner


def pseudo_huber(error: Tensor) -> Tensor:
    """(B, ...) -> (B,) sqrt(|error|^2 + c^2) - c, c = 0.00054 sqrt(d) (Song and Dhariwal 2023, Eq. 8).

    All divided by sqrt(d), d the numbers of a sample, so that it does not depend on the size.
    """
    size = error[0].numel()
    c = 0.00054
    return (error.flatten(1).pow(2).sum(1) / size + c**2).sqrt() - c


def loss(student: Denoise, target: Denoise, teacher: Denoise, clean: Tensor, high: Tensor, low: Tensor) -> Tensor:
    """(B,) distance of the student at `high` to the target at `low`, one Heun step of the teacher below.

    student, target, teacher   under their condition; only the student is trained (Song et al. 2023,
                               Algorithm 2). target: a running average of the student.
    clean (B, C, *S), high and low (B,) neighbouring noise levels.
    """
    noisy = clean + torch.randn_like(clean) * expand(high, clean)
    with torch.no_grad():
        goal = target(heun_step(teacher, noisy, high, low), low)
    return pseudo_huber(student(noisy, high) - goal)
