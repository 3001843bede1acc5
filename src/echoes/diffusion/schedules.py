"""Which noise levels a sampler goes through."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from echoes.diffusion.ddpm import Ddpm
from echoes.diffusion.denoiser import Parameterization
from echoes.diffusion.flow import shifted
from echoes.diffusion.paths import FLOW
from echoes.errors import InputError

Spacing = Literal["karras", "flow", "leading", "trailing", "linspace"]


@dataclass(frozen=True)
class SigmaRange:
    """steps levels from `high` to `low`.

    rho        of the spacing `karras` (Karras et al. 2022, Eq. 5).
    spacing    `flow`: evenly in the time of flow matching; `leading`, `trailing`, `linspace`: over those
               steps of a DDPM's table that lie in the range (Lin et al. 2024, Table 2).
    shift      of the spacing `flow`, 1 for none: less than 1, more of the levels are high ones.
    """

    steps: int
    low: float
    high: float
    rho: float
    spacing: Spacing
    shift: float

    def __post_init__(self) -> None:
        if self.steps < 2:
            raise InputError(f"steps: expected at least 2, got {self.steps}")
        if not 0 < self.low < self.high:
            raise InputError(f"low: expected between 0 and high = {self.high}, got {self.low}")
        if self.rho <= 0:
            raise InputError(f"rho: expected more than 0, got {self.rho}")
        if self.shift <= 0:
            raise InputError(f"shift: expected more than 0, got {self.shift}")
        if self.shift != 1 and self.spacing != "flow":
            raise InputError(f"shift: expected 1 with the spacing {self.spacing}, got {self.shift}")


def schedule(levels: SigmaRange, parameterization: Parameterization) -> Tensor:
    """(steps + 1,) float64 descending noise levels, then 0. The last three spacings need a Ddpm."""
    if levels.spacing == "karras":
        return karras_sigmas(levels)
    if levels.spacing == "flow":
        return flow_sigmas(levels)
    if not isinstance(parameterization, Ddpm):
        raise InputError(f"spacing: expected karras or flow, as there is no table of DDPM, got {levels.spacing}")
    return table_sigmas(levels, parameterization.sigmas)


def karras_sigmas(levels: SigmaRange) -> Tensor:
    """(steps + 1,) float64 noise levels from `high` to `low`, then 0 (Karras et al. 2022, Eq. 5)."""
    ramp = torch.linspace(0, 1, levels.steps, dtype=torch.float64)
    high, low = levels.high ** (1 / levels.rho), levels.low ** (1 / levels.rho)
    return _closed((high + ramp * (low - high)) ** levels.rho, levels)


def flow_sigmas(levels: SigmaRange) -> Tensor:
    """(steps + 1,) float64 noise levels from `high` to `low`, then 0, even in the time before the shift.

    The ends are where they are with no shift, so that nothing is cut off.
    """
    ends = shifted(FLOW.time(torch.tensor([levels.high, levels.low], dtype=torch.float64)), 1 / levels.shift)
    ramp = torch.linspace(0, 1, levels.steps, dtype=torch.float64)
    time = shifted(ends[0] + ramp * (ends[1] - ends[0]), levels.shift)
    return _closed(FLOW.sigma(time), levels)


def table_sigmas(levels: SigmaRange, table: Tensor) -> Tensor:
    """(steps + 1,) float64 noise levels out of an ascending table, then 0 (Lin et al. 2024, Table 2)."""
    usable = table[(table >= levels.low) & (table <= levels.high)].double().cpu()
    size, steps = len(usable), levels.steps
    if steps > size:
        raise InputError(f"steps: expected at most the {size} steps of DDPM between low and high, got {steps}")
    count = torch.arange(steps, dtype=torch.float64)
    chosen = {
        "leading": count * (size // steps),
        "trailing": ((count + 1) * size / steps).round() - 1,
        "linspace": (count * (size - 1) / (steps - 1)).round(),
    }[levels.spacing]
    return torch.cat([usable[chosen.long()].flip(0), usable.new_zeros(1)])


def _closed(sigmas: Tensor, levels: SigmaRange) -> Tensor:
    """With exact ends, so that a schedule and the boundary of a consistency model meet, and with the 0."""
    sigmas[0], sigmas[-1] = levels.high, levels.low
    return torch.cat([sigmas, sigmas.new_zeros(1)])
