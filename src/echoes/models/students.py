"""The consistency model of a track: distilled from its denoiser, saved, rebuilt from its file, sampled."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from echoes import params, weights
from echoes.autoencoder.latents import Whitening
from echoes.diffusion.denoiser import Denoise, Denoiser, given
from echoes.diffusion.guidance import Guidance
from echoes.diffusion.schedules import SigmaRange, schedule
from echoes.distillation import consistency as objective
from echoes.distillation import curriculum
from echoes.distillation.consistency import ConsistencyModel
from echoes.distillation.samplers import consistency
from echoes.errors import InputError
from echoes.models import denoisers, methods
from echoes.models.batches import LatentBatch
from echoes.models.conditions import under
from echoes.models.methods import UNGUIDED, Generator
from echoes.models.radar.readout import Readout
from echoes.provenance import Header
from echoes.training.schedule import StageSchedule, check_share


@dataclass(frozen=True)
class CdParams(StageSchedule):
    """The section `<track>.cd`.

    sigmas       noise levels whose neighbours are distilled across.
    guidance     of the teacher: the student learns the guided trajectories.
    target_ema   decay of the target network; ema: of the weights that are kept.
    """

    sigmas: SigmaRange
    guidance: Guidance
    mirror: bool
    target_ema: float
    ema: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("target_ema", self.target_ema)
        check_share("ema", self.ema)


def student_of(teacher: Denoiser, sigma_min: float) -> ConsistencyModel:
    """A consistency model that starts from the teacher's weights and trains without dropout.

    Dropout in the student alone would be one more difference that the loss takes for an error.
    """
    student = copy.deepcopy(teacher).requires_grad_(True)
    for module in student.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    if student.regression is not None:  # it is no part of what is distilled
        student.regression.requires_grad_(False)
    return ConsistencyModel(student, sigma_min)


def distillation(
    student: ConsistencyModel,
    target: ConsistencyModel,
    teacher: Denoiser,
    p: CdParams,
    spread: Whitening,
    device: torch.device,
) -> Callable[[LatentBatch], Tensor]:
    """batch -> (B,) consistency loss; each network encodes the condition with its own conditioner."""
    sigmas = schedule(p.sigmas, teacher.parameterization)[:-1].float().to(device)

    def loss(batch: LatentBatch) -> Tensor:
        clean, cond = batch.draw(spread, device), batch.cond.to(device)
        high, low = curriculum.neighbours(sigmas, len(clean))
        with torch.no_grad():
            goal = given(target, target.condition(cond))
            guide = under(teacher, cond, p.guidance)
        return objective.loss(given(student, student.condition(cond)), goal, guide, clean, high, low, teacher.path)

    return loss


def cd(model: ConsistencyModel, p: CdParams, between: Sequence[float], seed: int) -> Generator:
    """The consistency model in one call, and one more from each noise level in `between`, with fresh noise."""

    def sample(denoise: Denoise, noise: Tensor, numbers: Sequence[int]) -> Tensor:
        return consistency(
            denoise, noise, p.sigmas.high, p.sigmas.low, between, methods.fresh(numbers, noise, seed, "renoise")
        )

    return Generator(model, sample, UNGUIDED)


def once(p: CdParams) -> Callable[[ConsistencyModel], Generator]:
    """A consistency model -> its samples in one call, as previews draw them."""
    return lambda model: cd(model, p, [], p.seed)


def save_cd(model: ConsistencyModel, p: CdParams, teacher: Header, chosen: dict[str, Any], path: Path) -> None:
    """chosen: what was settled on validation, such as `middle`, the noise level from which a second step starts."""
    content = {**teacher.content, "ldm_params": teacher.params, **chosen}
    parents = {**teacher.parents, "ldm": teacher.identity}
    weights.save(model.denoiser.state_dict(), Header("cd", asdict(p), parents, content), path)


def load_cd(path: Path, device: torch.device) -> tuple[ConsistencyModel, CdParams, Header]:
    """The averaged consistency model for inference, its params and its header."""
    tensors, header = weights.load(path, "cd")
    p: CdParams = params.build(CdParams, header.params, f"{path}: params")
    of_ldm = denoisers.ldm_params(header, path)
    denoiser = weights.rebuilt(lambda: denoisers.build(header, of_ldm), tensors, path)
    model = ConsistencyModel(denoiser, p.sigmas.low).to(device).eval().requires_grad_(False)
    return model, p, header


def readout(header: Header) -> Readout:
    """How the clouds of a track are read out, which travels with its cd; raises InputError where it does not."""
    found: Readout = params.build(Readout, header.content.get("readout"), f"{header.kind}: readout")
    return found


def chosen(header: Header, name: str) -> float:
    """What was settled on validation and travels with a cd, such as `middle`; raises InputError for no such number."""
    found: float = params.build(float, header.content.get(name), f"{header.kind}: {name}")
    if not found > 0:
        raise InputError(f"{header.kind}: {name}: expected more than 0, got {found}")
    return found
