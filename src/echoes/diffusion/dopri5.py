"""The adaptive solver of Dormand and Prince (1980), with steps of its own for every sample of a batch.

torchdiffeq's and SciPy's choose one step for all that they are given, so that a sample would depend on
the others of its batch. The tableau is SciPy's; so are the rules of the steps (Hairer, Norsett and Wanner
1993, Sec. II.4), and what a sample gets is what `scipy.integrate.solve_ivp` alone gives it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.integrate import RK45
from torch import Tensor

from echoes.diffusion.denoiser import Denoise, expand
from echoes.diffusion.paths import Path
from echoes.errors import InputError

SAFETY, MIN_FACTOR, MAX_FACTOR = 0.9, 0.2, 10.0  # of the factor between a step and the next
SMALLEST = 1e-12  # step as a share of the way
Slope = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Tolerances:
    """Error of a step that is allowed: atol + rtol |state|, root mean square over a sample."""

    rtol: float
    atol: float

    def __post_init__(self) -> None:
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            if value <= 0:
                raise InputError(f"{name}: expected more than 0, got {value}")


@torch.no_grad()
def dopri5(denoise: Denoise, noise: Tensor, sigmas: Tensor, path: Path, tolerances: Tolerances) -> Tensor:
    """From the first of `sigmas` to the last, in the path's time; those between are not used.

    A last step to 0 is a call of the denoiser at the level before it. Samples that have arrived are called
    along until all have, as the denoiser's condition is that of the whole batch.
    """
    ends = sigmas.double().to(noise.device)
    start, last = ends[0], ends[ends > 0][-1]

    def slope(time: Tensor, state: Tensor) -> Tensor:
        sigma = path.sigma(time).to(state)
        x, level = state / expand(path.scale(sigma), state), expand(sigma, state)
        denoised = denoise(x, sigma)
        return path.velocity(denoised, (x - denoised) / level, level)

    scale = (path.scale(start) * path.start(start)).to(noise)
    time = path.time(start).expand(len(noise))
    state = integrate(slope, time, path.time(last), scale * noise, tolerances)
    x = state / path.scale(last).to(noise)
    return denoise(x, last.to(noise).expand(len(x))) if ends[-1] == 0 else x


def integrate(slope: Slope, time: Tensor, end: Tensor, state: Tensor, allowed: Tolerances) -> Tensor:
    """State (B, ...) at `end` of d state / d time = slope(time (B,), state), from `time` (B,) float64."""
    way = end - time
    here = slope(time, state)
    size = _first_step(slope, time, way, state, here, allowed)
    refused = torch.zeros(len(state), dtype=torch.bool, device=state.device)
    while (going := time != end).any():
        if not (size[going] > SMALLEST * way[going].abs()).all():
            raise InputError("rtol, atol: expected more, or a denoiser that gives finite numbers; got no step")
        size = torch.minimum(size, (end - time).abs())
        arrives = size == (end - time).abs()
        new, there, error = _attempt(slope, time, size * way.sign(), state, here, allowed)
        taken = going & (error < 1)
        state, here = (torch.where(expand(taken, a), b, a) for a, b in ((state, new), (here, there)))
        time = torch.where(taken, torch.where(arrives, end, time + size * way.sign()), time)
        factor = (SAFETY * error**-0.2).clamp(MIN_FACTOR, MAX_FACTOR)
        # A step after a refused one does not grow, and a refused one shrinks.
        size = size * torch.where(refused | ~taken, factor.clamp(max=1.0), factor)
        refused = ~taken
    return state


def _attempt(
    slope: Slope, time: Tensor, step: Tensor, state: Tensor, here: Tensor, allowed: Tolerances
) -> tuple[Tensor, Tensor, Tensor]:
    """State and slope after a step (B,), and its error (B,) in units of what is allowed; 6 calls."""
    h, slopes = expand(step.to(state), state), [here]
    for weights, share in zip(RK45.A[1:].tolist(), RK45.C[1:].tolist(), strict=True):
        slopes.append(slope(time + share * step, state + h * _sum(weights, slopes)))
    new = state + h * _sum(RK45.B.tolist(), slopes)
    slopes.append(slope(time + step, new))
    error = h * _sum(RK45.E.tolist(), slopes)
    return new, slopes[-1], _norm(error, torch.maximum(state.abs(), new.abs()), allowed)


def _sum(weights: list[float], slopes: list[Tensor]) -> Tensor:
    terms = [weight * slope for weight, slope in zip(weights, slopes, strict=False) if weight]
    return torch.stack(terms).sum(0)


def _norm(value: Tensor, state: Tensor, allowed: Tolerances) -> Tensor:
    """(B,) float64 root mean square of value in units of the error that is allowed at a state."""
    return (value / (allowed.atol + allowed.rtol * state.abs())).double().square().flatten(1).mean(1).sqrt()


def _first_step(slope: Slope, time: Tensor, way: Tensor, state: Tensor, here: Tensor, allowed: Tolerances) -> Tensor:
    """(B,) sizes to begin with (Hairer et al. 1993, Sec. II.4); one call."""
    d0, d1 = _norm(state, state, allowed), _norm(here, state, allowed)
    small = torch.where((d0 < 1e-5) | (d1 < 1e-5), 1e-6, 0.01 * d0 / d1)
    small = torch.minimum(small, way.abs())
    step = small * way.sign()
    there = slope(time + step, state + expand(step.to(state), state) * here)
    d2 = _norm(there - here, state, allowed) / small
    steepest = torch.maximum(d1, d2)
    size = torch.where(steepest <= 1e-15, (small * 1e-3).clamp(min=1e-6), (0.01 / steepest) ** 0.2)
    return torch.minimum(torch.minimum(100 * small, size), way.abs())
