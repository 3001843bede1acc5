"""What is chosen on the validation split with the sampler that is deployed, and then is a constant."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional as F

from echoes.compute.precision import half_precision
from echoes.dataset.frames import batches_of, spread
from echoes.dataset.spectrograms import Spectrograms
from echoes.distillation.consistency import ConsistencyModel
from echoes.evaluation.distributions import frechet
from echoes.models import methods, middles, students
from echoes.models.conditions import Conditions, straight
from echoes.models.distilling import CdParams
from echoes.models.methods import Decoder, Generator

BATCH = 32
FRAMES = 512  # of the validation split, evenly spread
DRAWS = 2  # of each: a distribution known from few samples looks narrower than it is, which favours little noise
POOLED = 4  # parts along each axis, of which the mean and the deviation of the latents are compared


def chosen(
    student: ConsistencyModel,
    p: CdParams,
    decoder: Decoder,
    data: Spectrograms,
    conditions: Conditions,
    shape: Sequence[int],
) -> dict[str, float]:
    """middle: the noise level of the second step whose latents are nearest to the validation split's."""
    distance = _distance(p, decoder, data, conditions, shape)
    levels = middles.candidates(student, p.sigmas)
    distances = [distance(students.cd(student, p.sigmas, [sigma], p.schedule.seed)) for sigma in levels]
    return {"middle": levels[int(np.argmin(distances))]}


def error(
    student: ConsistencyModel,
    p: CdParams,
    decoder: Decoder,
    data: Spectrograms,
    conditions: Conditions,
    shape: Sequence[int],
) -> float:
    """The distance of one-step latents to the validation split's."""
    return _distance(p, decoder, data, conditions, shape)(students.cd(student, p.sigmas, [], p.schedule.seed))


def _distance(
    p: CdParams, decoder: Decoder, data: Spectrograms, conditions: Conditions, shape: Sequence[int]
) -> Callable[[Generator], float]:
    """The Frechet distance of pooled latents: it needs no classifier, and the labels are the split's own."""
    batches = batches_of(spread(data.frames("val"), FRAMES), BATCH)
    real = np.concatenate([_encoded(decoder, data, frames) for frames in batches])

    def distance(generator: Generator) -> float:
        made = [
            _sampled(generator, conditions, frames, draw * len(data) + frames, shape, p.schedule.seed)
            for frames in batches
            for draw in range(DRAWS)
        ]
        return frechet(real, np.concatenate(made))

    return distance


@torch.no_grad()
def _encoded(decoder: Decoder, data: Spectrograms, frames: np.ndarray) -> np.ndarray:
    place = next(decoder.vae.parameters()).device
    with torch.autocast(place.type, torch.bfloat16, enabled=half_precision("auto", place)):
        raw_latents = decoder.vae.encode(torch.from_numpy(data.target_batch(frames)).to(place)).mean
    return pooled(decoder.whitening.whiten(raw_latents))


@torch.no_grad()
def _sampled(
    generator: Generator,
    conditions: Conditions,
    frames: np.ndarray,
    numbers: np.ndarray,
    shape: Sequence[int],
    seed: int,
) -> np.ndarray:
    """Under the conditions of `frames`, (B,) both; numbers name the noise."""
    place = next(generator.model.parameters()).device
    noise = methods.noise_of(numbers.tolist(), shape, seed, "validation").to(place)
    with torch.autocast(place.type, torch.bfloat16, enabled=half_precision("auto", place)):
        return pooled(generator.latents(conditions(frames, straight(frames)).to(place), noise, numbers.tolist()))


def pooled(latents: torch.Tensor) -> np.ndarray:
    """(B, Z, F, T) -> (B, 2 * Z * POOLED^2) float64, the means and then the deviations of its parts."""
    mean, square = (F.adaptive_avg_pool2d(part, POOLED) for part in (latents.float(), latents.float() ** 2))
    deviation = (square - mean**2).clamp(min=0).sqrt()
    return torch.cat([mean, deviation], dim=1).flatten(1).double().cpu().numpy()
