"""The second-order solver of the probability-flow ODE (Karras et al. 2022, Algorithm 1), whole and step by step."""

from itertools import pairwise

import torch
from torch import Tensor

from echoes.diffusion.denoiser import Denoise, expand
from echoes.diffusion.paths import Path


@torch.no_grad()
def heun(denoise: Denoise, noise: Tensor, sigmas: Tensor, path: Path) -> Tensor:
    """Second-order steps (Karras et al. 2022, Algorithm 1); 2 calls a step, 1 for the step to 0."""
    sigmas = sigmas.to(noise)
    x = path.start(sigmas[0]) * noise
    for sigma, lower in pairwise(sigmas):
        if lower == 0:
            return denoise(x, sigma.expand(len(x)))
        x = heun_step(denoise, x, sigma.expand(len(x)), lower.expand(len(x)), path)
    return x


@torch.no_grad()
def heun_step(denoise: Denoise, x: Tensor, sigma: Tensor, lower: Tensor, path: Path) -> Tensor:
    """One second-order step of the path's time, from noise levels `sigma` (B,) to `lower` (B,), above 0."""
    step, scale = expand(path.time(lower) - path.time(sigma), x), expand(path.scale(lower), x)
    state = expand(path.scale(sigma), x) * x
    first = velocity(denoise, x, sigma, path)
    second = velocity(denoise, (state + step * first) / scale, lower, path)
    return (state + step * (first + second) / 2) / scale


def velocity(denoise: Denoise, x: Tensor, sigma: Tensor, path: Path) -> Tensor:
    """d state / d time at noise levels (B,); for the time sigma Eq. 3 of Karras et al. 2022."""
    denoised, level = denoise(x, sigma), expand(sigma, x)
    return path.velocity(denoised, (x - denoised) / level, level)
