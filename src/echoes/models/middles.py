"""From which noise levels the second step of a consistency model may start."""

from echoes.diffusion.schedules import schedule
from echoes.distillation.consistency import ConsistencyModel
from echoes.errors import InputError
from echoes.models.students import CdParams

WIDEST = 8.0  # between sigma_data / WIDEST and sigma_data * WIDEST


def candidates(model: ConsistencyModel, p: CdParams) -> list[float]:
    """Levels of the schedule near the deviation of the data; the model was trained on no others.

    Song et al. 2023, Algorithm 1 leaves the choice open. Raises InputError where the schedule has none.
    """
    parameterization = model.denoiser.parameterization
    scale = parameterization.sigma_data
    sigmas = schedule(p.sigmas, parameterization).tolist()[1:-2]
    levels = [sigma for sigma in sigmas if scale / WIDEST <= sigma <= scale * WIDEST]
    if not levels:
        between = f"between {scale / WIDEST} and {scale * WIDEST}"
        raise InputError(f"cd.sigmas: expected a level {between} for the second step, got none in {p.sigmas}")
    return levels
