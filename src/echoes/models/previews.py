"""Pictures of what the models of either family make while they train, of frames of the validation split."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.diffusion.denoiser import Denoise
from echoes.diffusion.dpmpp import dpmpp_2m
from echoes.diffusion.paths import Path as Trajectory
from echoes.diffusion.schedules import SigmaRange
from echoes.models import methods
from echoes.models.conditions import Conditions
from echoes.models.methods import UNGUIDED, Decoder, Generator
from echoes.models.microdoppler import previews as spectrograms
from echoes.models.radar import previews as clouds

Preview = Callable[[nn.Module, Path], None]  # of a model, to a PNG

# Enough to see what a denoiser has learned, and the same for all that are compared; what counts is the stage sample.
LEVELS = SigmaRange(spacing="karras", steps=12, low=0.004, high=80.0, rho=7.0, shift=1.0)


def _solve(denoise: Denoise, noise: Tensor, sigmas: Tensor, path: Trajectory, _: Callable[[int], Tensor]) -> Tensor:
    return dpmpp_2m(denoise, noise, sigmas, path)


def of_denoiser(
    decoder: Decoder, data: Grids | Spectrograms, conditions: Conditions, shape: Sequence[int], seed: int
) -> Preview:
    """Pictures of samples by a solver beside the truth."""
    return of(
        lambda denoiser: methods.ldm(denoiser, _solve, LEVELS, UNGUIDED, seed), decoder, data, conditions, shape, seed
    )


def of(
    sampler: Callable[[Any], Generator],
    decoder: Decoder,
    data: Grids | Spectrograms,
    conditions: Conditions,
    shape: Sequence[int],
    seed: int,
) -> Preview:
    """Pictures of samples beside the truth. sampler: model -> how it is sampled."""
    return lambda model, path: _draw_samples(sampler(model), decoder, data, conditions, shape, seed, path)


def _draw_samples(
    generator: Generator,
    decoder: Decoder,
    data: Grids | Spectrograms,
    conditions: Conditions,
    shape: Sequence[int],
    seed: int,
    path: Path,
) -> None:
    if isinstance(data, Grids):
        clouds.sampled(generator, decoder, data, conditions, shape, seed, path)
    else:
        spectrograms.sampled(generator, decoder, data, conditions, shape, seed, path)
