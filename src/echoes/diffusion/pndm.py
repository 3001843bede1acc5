"""The pseudo linear multistep solver PNDM (Liu et al. 2022)."""

from itertools import pairwise

import torch
from torch import Tensor

from echoes.diffusion.denoiser import Denoise
from echoes.diffusion.paths import Path

# What the noise of the last one to four levels, newest first, counts (Adams and Bashforth's coefficients).
SHARES = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


@torch.no_grad()
def pndm(denoise: Denoise, noise: Tensor, sigmas: Tensor, path: Path) -> Tensor:
    """Steps of DDIM along noise of the last four levels (Liu et al. 2022, Eq. 11 and 12); one call a step, and one.

    epsilon = (x - D(x; sigma)) / sigma, and in noisy = state / sqrt(abar) Eq. 11 is
    x + (lower - sigma) (55 epsilon_k - 59 epsilon_k-1 + 37 epsilon_k-2 - 9 epsilon_k-3) / 24.

    The way from level to level is DDIM's, only the noise is a mean over levels, with the shares of even steps whatever
    the levels: of second order, as the paper shows. It begins with Runge-Kutta steps that need levels between those
    given. Here, as in diffusers with `skip_prk_steps`, the first step takes the mean of its noise and that at its end,
    which is not remembered, and the next two know of two and of three levels.
    """
    sigmas = sigmas.to(noise)
    x = path.start(sigmas[0]) * noise
    known: list[Tensor] = []  # the noise at the last levels, newest first
    for sigma, lower in pairwise(sigmas):
        denoised = denoise(x, sigma.expand(len(x)))
        if lower == 0:
            return denoised
        known = [(x - denoised) / sigma, *known[:3]]
        direction = torch.stack([share * one for share, one in zip(SHARES[len(known) - 1], known, strict=True)]).sum(0)
        if len(known) == 1:
            ahead = x + (lower - sigma) * direction
            there = (ahead - denoise(ahead, lower.expand(len(x)))) / lower
            direction = (direction + there) / 2
        x = x + (lower - sigma) * direction
    return x
