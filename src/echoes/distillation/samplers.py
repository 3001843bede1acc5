"""Consistency sampling: one call, or several with fresh noise in between (Song et al. 2023, Algorithm 1)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from echoes.diffusion.denoiser import Denoise


@torch.no_grad()
def consistency(
    model: Denoise,
    noise: Tensor,
    sigma_max: float,
    sigma_min: float,
    between: Sequence[float],
    renoise: Callable[[int], Tensor],
) -> Tensor:
    """Jump to the end of the trajectory, then once more from each noise level in `between`.

    noise (B, C, *S) of deviation 1; renoise(k) gives the noise of the k-th further step.
    """
    x = model(sigma_max * noise, noise.new_full((len(noise),), sigma_max))
    for k, sigma in enumerate(between):
        noisy = x + (sigma**2 - sigma_min**2) ** 0.5 * renoise(k)
        x = model(noisy, noise.new_full((len(noise),), sigma))
    return x
