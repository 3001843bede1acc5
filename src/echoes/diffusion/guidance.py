"""Classifier-free guidance: a denoiser under a condition and under none -> one denoiser."""

from dataclasses import dataclass

import torch
from torch import Tensor

from echoes.diffusion.denoiser import Conditional, Denoise, bind, expand
from echoes.errors import InputError
from echoes.nets.conditions import Condition, joined


@dataclass(frozen=True)
class Guidance:
    """weight 1 for none; low, high: the noise levels between which it acts (Kynkaanniemi et al. 2024)."""

    weight: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise InputError(f"weight: expected 0 or more, got {self.weight}")
        if not 0 <= self.low < self.high:
            raise InputError(f"low: expected between 0 and high = {self.high}, got {self.low}")


def guided(model: Conditional, condition: Condition, null: Condition, guidance: Guidance) -> Denoise:
    """D = D_null + weight (D_cond - D_null) on all channels where low < sigma <= high, D_cond elsewhere.

    Ho and Salimans 2022, Eq. 6, with 1 + w there as the weight here. Samples of a batch may lie on both
    sides of the interval; those inside ride twice in the one call.
    """
    if guidance.weight == 1:
        return bind(model, condition)

    def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
        inside = (sigma > guidance.low) & (sigma <= guidance.high)
        if not inside.any():
            return model(noisy, sigma, condition)
        both = joined(condition, _chosen(null, inside))
        said = model(torch.cat([noisy, noisy[inside]]), torch.cat([sigma, sigma[inside]]), both)
        conditional, unconditional = said[: len(noisy)], said[len(noisy) :]
        weight = expand(torch.where(inside, guidance.weight, 1.0), said).to(said.dtype)
        base = conditional.clone()
        base[inside] = unconditional
        return base + weight * (conditional - base)

    return denoise


def _chosen(condition: Condition, where: Tensor) -> Condition:
    """The samples of a condition `where` (B,) is true."""
    return Condition(*(None if part is None else part[where] for part in condition))
