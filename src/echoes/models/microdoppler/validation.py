"""What is chosen on the validation split with the sampler that is deployed, and then is a constant."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from echoes.compute.device import device_of
from echoes.compute.precision import autocast
from echoes.dataset.frames import batches_of, evenly_spaced
from echoes.dataset.spectrograms import Spectrograms
from echoes.diffusion.schedules import SigmaRange
from echoes.distillation.consistency import ConsistencyModel
from echoes.evaluation.distributions import frechet
from echoes.models import second_step
from echoes.models.conditions import Conditions, unmirrored
from echoes.models.microdoppler import sieve
from echoes.models.sampler import Decoder, Sampler

BATCH = 32
FRAMES = 512  # of the validation split, evenly spread
DRAWS = 2  # of each: a distribution known from few samples looks narrower than it is, which favours little noise
POOLED = 4  # parts along each axis, of which the mean and the deviation of the latents are compared


def calibrate(
    student: ConsistencyModel, distilled: SigmaRange, once: Sampler, data: Spectrograms, conditions: Conditions
) -> dict[str, Any]:
    """second_sigma: the noise level of the second step whose latents are nearest to the validation split's; and the
    limits of the kinematic sieve, by the training split.

    distilled  the noise levels across which the student was; once: how it is sampled in one call.
    """
    distance, two_steps = _distance(once.decoder, data, conditions), second_step.two_steps(student, distilled, once)
    distances = [distance(sampler) for sampler in two_steps.values()]
    limits = asdict(sieve.of_training(data))
    return {"second_sigma": list(two_steps)[int(np.argmin(distances))], sieve.KEY: limits}


def error(once: Sampler, data: Spectrograms, conditions: Conditions) -> float:
    """The distance of one-step latents to the validation split's."""
    return _distance(once.decoder, data, conditions)(once)


def _distance(decoder: Decoder, data: Spectrograms, conditions: Conditions) -> Callable[[Sampler], float]:
    """The Frechet distance of pooled latents: it needs no classifier, and the labels are the split's own."""
    batches = batches_of(evenly_spaced(data.frames("val"), FRAMES), BATCH)
    real = np.concatenate([_encoded(decoder, data, frames) for frames in batches])

    def distance(sampler: Sampler) -> float:
        made = [
            _sampled(sampler, conditions, frames, (draw * len(data) + frames).tolist())
            for frames in batches
            for draw in range(DRAWS)
        ]
        return frechet(real, np.concatenate(made))

    return distance


@torch.no_grad()
def _encoded(decoder: Decoder, data: Spectrograms, frames: np.ndarray) -> np.ndarray:
    device = device_of(decoder.vae)
    with autocast(device):
        raw_latents = decoder.vae.encode(torch.from_numpy(data.target_batch(frames)).to(device)).mean
    return pooled(decoder.whitening.whiten(raw_latents))


@torch.no_grad()
def _sampled(sampler: Sampler, conditions: Conditions, frames: np.ndarray, sample_ids: Sequence[int]) -> np.ndarray:
    """Under the conditions of `frames`, (B,) both; sample_ids name the noise."""
    device = sampler.device
    noise, cond = sampler.noise(sample_ids, "validation"), conditions(frames, unmirrored(frames)).to(device)
    with autocast(device):
        return pooled(sampler.latents(cond, noise, sample_ids))


def pooled(latents: torch.Tensor) -> np.ndarray:
    """(B, Z, F, T) -> (B, 2 * Z * POOLED^2) float64, the means and then the deviations of its parts."""
    mean, square = (F.adaptive_avg_pool2d(part, POOLED) for part in (latents.float(), latents.float() ** 2))
    deviation = (square - mean**2).clamp(min=0).sqrt()
    return torch.cat([mean, deviation], dim=1).flatten(1).double().cpu().numpy()
