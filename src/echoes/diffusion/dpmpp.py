"""The multistep solver DPM-Solver++(2M) (Lu et al. 2022)."""

from itertools import pairwise

import torch
from torch import Tensor

from echoes.diffusion.denoiser import Denoise
from echoes.diffusion.paths import Path


@torch.no_grad()
def dpmpp_2m(denoise: Denoise, noise: Tensor, sigmas: Tensor, path: Path) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2); second order in ln sigma, one call a step."""
    sigmas = sigmas.to(noise)
    x = path.start(sigmas[0]) * noise
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
