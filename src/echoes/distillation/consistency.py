"""Consistency model and its loss across one step of a frozen teacher (Song et al. 2023)."""

import torch
from torch import Tensor, nn

from echoes import batch_noise
from echoes.diffusion.denoiser import UNCONDITIONED, Denoise, Denoiser, expand
from echoes.diffusion.heun import heun_step
from echoes.diffusion.paths import Path
from echoes.nets.conditions import Condition
from echoes.nets.two_times import RatioEmbedding


class ConsistencyModel(nn.Module):
    """f(x, sigma): any point of a trajectory -> its end at sigma_min; the identity there for any denoiser.

    f = x sigma_min / sigma + D(x; sigma) (1 - sigma_min / sigma), one Euler step of the denoiser to
    sigma_min: with the teacher's weights it begins as the teacher's one-step sample. For EDM this is
    c_out of Song et al. 2023, Appendix C, and their c_skip to within sigma_min / (4 sigma_data).

    A network with two times is told sigma_min / sigma: then this is G(x, t, s) = (s / t) x + (1 - s / t) g(x, t, s) of
    Kim et al. 2023, Eq. 9, at t = sigma and s = sigma_min, and `denoiser`, which tells it nothing, is g(x, t, t).
    """

    def __init__(self, denoiser: Denoiser, sigma_min: float) -> None:
        super().__init__()
        self.denoiser, self.sigma_min = denoiser, sigma_min

    @property
    def network(self) -> nn.Module:
        return self.denoiser.network

    @property
    def regression(self) -> nn.Module | None:
        return self.denoiser.regression

    def condition(self, cond: Tensor, drop: Tensor | None = None) -> Condition:
        return self.denoiser.condition(cond, drop)

    def unconditional(self, cond: Tensor) -> Condition:
        return self.denoiser.unconditional(cond)

    @property
    def has_two_times(self) -> bool:
        """Whether `denoiser` gives the posterior mean, and not what the sample is made of."""
        return any(isinstance(module, RatioEmbedding) for module in self.network.modules())

    def forward(self, noisy: Tensor, sigma: Tensor, condition: Condition = UNCONDITIONED) -> Tensor:
        """noisy (B, C, *S), sigma (B,) -> (B, C, *S), float32."""
        # A quotient of two tensors is exactly 1 where they are equal.
        ratio = torch.full_like(sigma, self.sigma_min) / sigma
        kept = expand(ratio, noisy)
        return kept * noisy + (1 - kept) * self.denoiser(noisy, sigma, condition._replace(ratio=ratio))


def pseudo_huber(error: Tensor) -> Tensor:
    """(B, ...) -> (B,) sqrt(|error|^2 + c^2) - c, c = 0.00054 sqrt(d) (Song and Dhariwal 2023, Eq. 8).

    All divided by sqrt(d), d the numbers of a sample, so that it does not depend on the size.
    """
    size = error[0].numel()
    c = 0.00054
    return (error.flatten(1).pow(2).sum(1) / size + c**2).sqrt() - c


def loss(
    student: Denoise, target: Denoise, teacher: Denoise, clean: Tensor, high: Tensor, low: Tensor, path: Path
) -> Tensor:
    """(B,) distance of the student at `high` to the target at `low`, one Heun step of the teacher below.

    student, target, teacher   under their condition, the teacher perhaps guided; only the student is
                               trained (Song et al. 2023, Algorithm 2). target: a running average of it.
    clean (B, C, *S), high and low (B,) neighbouring noise levels; path: the teacher's.
    """
    noisy = clean + batch_noise.normal_like(clean) * expand(high, clean)
    with torch.no_grad():
        goal = target(heun_step(teacher, noisy, high, low, path), low)
    return pseudo_huber(student(noisy, high) - goal)
