"""Latents that keep their meaning when they are scaled: decode(scale(z)) = scale(x) (Kouzelis et al. 2025).

Of their transformations only scaling applies: a turned or mirrored spectrogram is no spectrogram. A shift along
time by whole latents is left out too, because convolutions commute with it already.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from echoes.nets.layers import Factor, along


def draw(scales: tuple[float, ...]) -> float:
    """One of `scales`, by torch's generator, which the training loop seeds for each step."""
    return scales[int(torch.randint(len(scales), ()))]


def equivariance_loss(
    decode: Callable[[Tensor], Tensor], raw_latents: Tensor, clean: Tensor, factor: Factor, scale: float
) -> Tensor:
    """(B,) mean absolute error of the decoded scaled latents against the scaled input.

    raw_latents  (B, Z, *S / factor); clean (B, C, *S); both are scaled to whole numbers of latents.
    """
    sizes = [max(1, round(scale * size)) for size in raw_latents.shape[2:]]
    decoded = decode(rescale(raw_latents, sizes))
    cells = [each * size for each, size in zip(along(factor, len(sizes)), sizes, strict=True)]
    return (decoded - rescale(clean, cells)).abs().flatten(1).mean(1)


def rescale(x: Tensor, sizes: list[int]) -> Tensor:
    """(B, C, *S) -> (B, C, *sizes): the mean of the cells that a coarser cell covers, for any rank."""
    return F.interpolate(x, size=sizes, mode="area")
