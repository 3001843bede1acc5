"""Pictures of what the models of either family make while they train, of frames of the validation split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.diffusion.denoiser import Denoise, Denoiser
from echoes.diffusion.dpmpp import dpmpp_2m
from echoes.diffusion.paths import Path as Trajectory
from echoes.diffusion.schedules import SigmaRange
from echoes.models import families
from echoes.models.conditions import Conditions
from echoes.models.sampler import UNGUIDED, Decoder, FreshNoise, Sampler, solving

Preview = Callable[[nn.Module, Path], None]  # of a model, to a PNG

# Enough to see what a denoiser has learned, and the same for all that are compared; what counts is the stage sample.
LEVELS = SigmaRange(spacing="karras", steps=12, low=0.004, high=80.0, rho=7.0, shift=1.0)


def _solve(denoise: Denoise, noise: Tensor, sigmas: Tensor, path: Trajectory, _: FreshNoise) -> Tensor:
    return dpmpp_2m(denoise, noise, sigmas, path)


def by_solver(decoder: Decoder, latent_shape: tuple[int, ...], seed: int) -> Callable[[Denoiser], Sampler]:
    """A denoiser -> how its pictures are sampled."""
    return lambda denoiser: Sampler(denoiser, solving(denoiser, _solve, LEVELS), UNGUIDED, decoder, latent_shape, seed)


def of(sampler_of: Callable[[Any], Sampler], data: Grids | Spectrograms, conditions: Conditions) -> Preview:
    """Pictures of samples beside the truth. sampler_of: model -> how it is sampled."""

    drawn = families.previews(data.family).sampled
    return lambda model, path: drawn(sampler_of(model), data, conditions, path)
