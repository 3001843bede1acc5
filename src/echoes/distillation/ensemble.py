"""Samples in one call without a teacher: a few together are scored against what was there (Lang et al. 2024)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from echoes import batch_noise
from echoes.diffusion.denoiser import Denoise
from echoes.errors import InputError
from echoes.nets.layers import space_to_depth


def almost_fair_crps(members: Tensor, truth: Tensor, alpha: float) -> Tensor:
    """(B, ...) continuous ranked probability score of M members (M, B, ...) of an ensemble against the truth (B, ...).

    mean of |x_i - y| less (1 - eps) / 2 of the mean of |x_i - x_j| over i != j, eps = (1 - alpha) / M (Lang et al.
    2024, AIFS-CRPS). With alpha 1 it is the fair one (Ferro 2014, Eq. 11), whose mean is least for members of the
    truth's own distribution, but to which one of two members is nothing once the other is at the truth; with 0 that of
    the members as all there is, which wants fewer than the truth's spread.
    """
    count = len(members)
    error = (members - truth).abs().mean(0)
    apart = (members[:, None] - members[None]).abs().sum((0, 1)) / (count * (count - 1))
    return error - (1 - (1 - alpha) / count) / 2 * apart


def loss(
    student: Denoise, clean: Tensor, sigma_max: float, members: int, alpha: float, blocks: Sequence[int]
) -> Tensor:
    """(B,) mean score of samples from as many draws of noise at sigma_max, of which nothing but noise is seen.

    clean   (B, C, *S).
    blocks  cells along each axis of the blocks over which both are averaged before they are scored, 1 for none: the
            score of single cells alone does not ask how they hang together. Mean over all of `blocks`.
    """
    level = clean.new_full((len(clean),), sigma_max)
    drawn = [student(sigma_max * batch_noise.normal_like(clean), level) for _ in range(members)]
    scores = [
        almost_fair_crps(torch.stack([averaged(one, block) for one in drawn]), averaged(clean, block), alpha)
        for block in blocks
    ]
    return torch.stack([score.flatten(1).mean(1) for score in scores]).mean(0)


def averaged(x: Tensor, block: int) -> Tensor:
    """(B, C, *S) -> (B, C, *S / block) means over blocks; raises InputError where these do not divide the sizes."""
    if any(size % block for size in x.shape[2:]):
        raise InputError(f"cd.student.blocks: expected divisors of {list(x.shape[2:])} latents, got {block}")
    means: Tensor = space_to_depth(x, block).unflatten(1, (x.shape[1], -1)).mean(2)
    return means
