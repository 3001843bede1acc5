"""A consistency model on its way: what it starts from, what training minimises, its samples meanwhile."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from echoes import terms
from echoes.autoencoder.latents import Whitening
from echoes.choices import sampling
from echoes.diffusion import schedules
from echoes.diffusion.denoiser import Denoiser, bind
from echoes.diffusion.guidance import Guidance
from echoes.diffusion.schedules import SigmaRange
from echoes.distillation import consistency as objective
from echoes.distillation import curriculum, ensemble, trajectory
from echoes.distillation.consistency import ConsistencyModel
from echoes.errors import InputError
from echoes.models import denoisers, students
from echoes.models.batches import LatentBatch
from echoes.models.conditions import conditioned
from echoes.models.sampler import UNGUIDED, Decoder, Sampler
from echoes.training.schedule import StageSchedule, check_share


@dataclass(frozen=True)
class Consistency:
    """One end: samples, in one call (Song et al. 2023)."""

    kind: Literal["consistency"]


@dataclass(frozen=True)
class Trajectory:
    """Both ends: samples, and the posterior mean, in one call each, of a network with two times (Kim et al. 2023).

    denoising  share of the loss that is of the mean.
    """

    kind: Literal["trajectory"]
    denoising: float

    def __post_init__(self) -> None:
        if not 0 < self.denoising < 1:
            raise InputError(f"denoising: expected more than 0 and less than 1, got {self.denoising}")


@dataclass(frozen=True)
class Ensemble:
    """Samples in one call, and in no further one, learned from what was there: the teacher is where it starts, no more.

    members  samples that are scored together; alpha, blocks: as `ensemble.loss` takes them.
    """

    kind: Literal["ensemble"]
    members: int
    alpha: float
    blocks: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.members < 2:
            raise InputError(f"members: expected at least 2, got {self.members}")
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha: expected 0 to 1, got {self.alpha}")
        if not self.blocks or min(self.blocks) < 1:
            raise InputError(f"blocks: expected some of at least 1 cell, got {list(self.blocks)}")


@dataclass(frozen=True)
class CdParams:
    """The section `<track>.cd`.

    sigmas      noise levels whose neighbours are distilled across.
    guidance    of the teacher: the student learns the guided trajectories.
    student     what one call of it gives.
    target_ema  decay of the target network.
    """

    CHOICES: ClassVar = sampling.CD

    sigmas: SigmaRange
    guidance: Guidance
    mirror: bool
    student: Consistency | Trajectory | Ensemble
    target_ema: float
    schedule: StageSchedule

    def __post_init__(self) -> None:
        check_share("target_ema", self.target_ema)


def student_of(teacher: Denoiser, p: CdParams) -> ConsistencyModel:
    """A consistency model that starts from the teacher's weights and trains without dropout.

    Dropout in the student alone would be one more difference that the loss takes for an error.
    """
    student = copy.deepcopy(teacher).requires_grad_(True)
    for module in student.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    if student.regression is not None:  # it is no part of what is distilled
        student.regression.requires_grad_(False)
    if p.student.kind == "trajectory":
        student = denoisers.with_two_times(student)
    return ConsistencyModel(student, p.sigmas.low)


def distillation(
    student: ConsistencyModel,
    target: ConsistencyModel,
    teacher: Denoiser,
    p: CdParams,
    whitening: Whitening,
    device: torch.device,
) -> Callable[[LatentBatch], Tensor]:
    """batch -> (B,) consistency loss, and that of the mean where the student has one; of an ensemble its score.

    Each network encodes the condition with its own conditioner.
    """
    if isinstance(p.student, Ensemble):
        return _scored(student, p.sigmas.high, p.student, whitening, device)
    sigmas = schedules.schedule(p.sigmas, teacher.parameterization)[:-1].float().to(device)

    def loss(batch: LatentBatch) -> Tensor:
        clean, cond = batch.draw(whitening, device), batch.cond.to(device)
        high, low = curriculum.neighbours(sigmas, len(clean))
        with torch.no_grad():
            goal = bind(target, target.condition(cond))
            guide = conditioned(teacher, cond, p.guidance)
        own = student.condition(cond)
        of_sample = objective.loss(bind(student, own), goal, guide, clean, high, low, teacher.path)
        if not isinstance(p.student, Trajectory):
            return of_sample
        share = p.student.denoising
        of_mean = share * trajectory.loss(student.denoiser, clean, high, own)
        of_sample = (1 - share) * of_sample
        terms.note(mean=of_mean, sample=of_sample)
        return of_mean + of_sample

    return loss


def _scored(
    student: ConsistencyModel, sigma_max: float, p: Ensemble, whitening: Whitening, device: torch.device
) -> Callable[[LatentBatch], Tensor]:
    def loss(batch: LatentBatch) -> Tensor:
        clean, own = batch.draw(whitening, device), student.condition(batch.cond.to(device))
        return ensemble.loss(bind(student, own), clean, sigma_max, p.members, p.alpha, p.blocks)

    return loss


def once(p: CdParams, decoder: Decoder, latent_shape: tuple[int, ...]) -> Callable[[ConsistencyModel], Sampler]:
    """A consistency model -> how it is sampled in one call, with the seed of its training."""
    steps = students.steps(p.sigmas, [])
    return lambda model: Sampler(model, steps, UNGUIDED, decoder, latent_shape, p.schedule.seed)
