"""From which noise levels the second step of a consistency model may start, and how it is sampled by way of each."""

from dataclasses import replace

from echoes.diffusion.schedules import SigmaRange, schedule
from echoes.distillation.consistency import ConsistencyModel
from echoes.errors import InputError
from echoes.models import students
from echoes.models.sampler import Sampler

MAX_RATIO = 8.0  # between sigma_data / MAX_RATIO and sigma_data * MAX_RATIO


def two_steps(model: ConsistencyModel, distilled: SigmaRange, once: Sampler) -> dict[float, Sampler]:
    """Level -> the sampler whose second step starts from it. once: how the model is sampled in one step."""
    levels = candidates(model, distilled)
    return {sigma: replace(once, steps=students.steps(distilled, [sigma])) for sigma in levels}


def candidates(model: ConsistencyModel, distilled: SigmaRange) -> list[float]:
    """Those levels it was distilled across that are near the deviation of the data; the model was trained on no others.

    Song et al. 2023, Algorithm 1 leaves the choice open. Raises InputError where the schedule has none.
    """
    parameterization = model.denoiser.parameterization
    scale = parameterization.sigma_data
    sigmas = schedule(distilled, parameterization).tolist()[1:-2]
    levels = [sigma for sigma in sigmas if scale / MAX_RATIO <= sigma <= scale * MAX_RATIO]
    if not levels:
        between = f"between {scale / MAX_RATIO} and {scale * MAX_RATIO}"
        raise InputError(f"cd.sigmas: expected a level {between} for the second step, got none in {distilled}")
    return levels
