"""The three trainings of a track as their stages put them together, on artifacts that stand in for the real ones."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from echoes import latentstore, params
from echoes.autoencoder import architecture
from echoes.autoencoder.fitting import VaeParams
from echoes.autoencoder.loss_weights import SpectrogramLoss
from echoes.autoencoder.vae import Vae
from echoes.commands import sources, stand_ins
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.diffusion.denoiser import Denoiser
from echoes.errors import InputError
from echoes.latentstore import LatentStore
from echoes.models import batches, denoisers, distilling, families, objectives
from echoes.models.distilling import CdParams
from echoes.models.objectives import LdmParams
from echoes.models.radar import regression
from echoes.training.ema import Ema
from echoes.training.microbatches import MicroBatch
from echoes.training.schedule import StageSchedule
from echoes.voxelization.sections import Layout

Context = AbstractContextManager[Any]
STAGES = {"train_vae": "vae", "train_ldm": "ldm", "distill_cd": "cd"}  # and the section of each


@dataclass(frozen=True)
class Sections:
    """What params.yaml says of the recordings and the trainings of a track."""

    source: Any
    grid: Layout
    vae: VaeParams
    ldm: LdmParams
    cd: CdParams

    def schedule(self, stage: str) -> StageSchedule:
        found: StageSchedule = getattr(self, STAGES[stage]).schedule
        return found

    def with_schedule(self, stage: str, **values: Any) -> "Sections":
        """The same with other values in the schedule of a stage; raises InputError for those it does not allow."""
        section = getattr(self, name := STAGES[stage])
        return replace(self, **{name: replace(section, schedule=replace(section.schedule, **values))})


def load(track: str, path: Path) -> Sections:
    """The sections of a track; raises InputError for those that are not well formed."""
    kinds = {"grid": Layout, "vae": VaeParams, "ldm": LdmParams, "cd": CdParams}
    found = {name: params.load(kind, f"{track}.{name}", path) for name, kind in kinds.items()}
    return Sections(sources.load(track, path), **found)


@dataclass(frozen=True)
class StandIns:
    """grids.zarr and latents of a track, and the teacher that its autoencoder is compared by where it asks for one."""

    data: Grids | Spectrograms
    latents: LatentStore
    vae: VaeParams

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return latentstore.shape(self.latents.header)


def stand_ins_of(p: Sections, labels: dict[str, int], folder: Path) -> StandIns:
    """Written into `folder`. Raises InputError for a grid that the autoencoder cannot divide."""
    data = stand_ins.grids(p.grid, p.source, labels, folder / "grids.zarr")
    vae = architecture.build(p.vae.architecture, data.rank, data.channels)
    latents = stand_ins.latents(data, vae, folder / "latents")
    return StandIns(data, latents, _with_teacher(p.vae, data, folder / "teacher.safetensors"))


def _with_teacher(p: VaeParams, data: Grids | Spectrograms, path: Path) -> VaeParams:
    """With a teacher from a file in place of one that is trained first, and the scale of most cells alone."""
    if not isinstance(p.loss, SpectrogramLoss) or not isinstance(data, Spectrograms):
        return p
    loss, alignment = p.loss, p.loss.alignment
    if alignment.teacher == "trained" and (alignment.weight or loss.perceptual):
        stand_ins.teacher(data, alignment.trained, path)
        loss = replace(loss, alignment=replace(alignment, teacher="file", file=replace(alignment.file, path=str(path))))
    largest = (max(loss.equivariance.scales),)
    return replace(p, loss=replace(loss, equivariance=replace(loss.equivariance, scales=largest)))


@dataclass(frozen=True)
class Training:
    """What `loop.train` is given by a stage.

    module     what is trained.
    others     networks that lie in memory beside it and its averages.
    load, loss  as `loop.train` takes them.
    averages   of the weights.
    """

    module: nn.Module
    others: tuple[nn.Module, ...]
    load: Callable[[MicroBatch], Any]
    loss: Callable[[Any], Tensor]
    averages: tuple[Ema, ...]
    schedule: StageSchedule


def training(stage: str, p: Sections, made: StandIns, making: Callable[[], Context], device: torch.device) -> Training:
    """The training of one of STAGES, with new weights.

    making  () -> what the networks are made within: it says whether their weights hold numbers.
    """
    build = {"train_vae": _train_vae, "train_ldm": _train_ldm, "distill_cd": _distill_cd}[stage]
    with making(), device:
        vae = architecture.build(p.vae.architecture, made.data.rank, made.data.channels)
        denoiser = denoisers.build(made.latents.header, p.ldm.architecture)
    return build(p, made, vae, denoiser, device)


def _train_vae(p: Sections, made: StandIns, vae: Vae, denoiser: Denoiser, device: torch.device) -> Training:
    schedule = p.vae.schedule
    made.data.require_mirror("vae", p.vae.mirror)
    task = families.autoencoding(made.data.family).task(vae, made.data, made.vae.loss, p.vae.mirror, schedule, device)
    return Training(task.module, (), task.load, task.loss, (Ema(vae, schedule.ema),), schedule)


def _train_ldm(p: Sections, made: StandIns, vae: Vae, denoiser: Denoiser, device: torch.device) -> Training:
    data, schedule = made.data, p.ldm.schedule
    data.require_mirror("ldm", p.ldm.mirror)
    regression.set_prior(denoiser.regression, data)
    given = families.conditioning(data.family).conditions(data, made.latents, p.ldm.architecture.condition.by)
    load = batches.load_latents(made.latents, given, p.ldm.mirror, "train_ldm", schedule.seed)
    loss = objectives.denoising(denoiser, p.ldm, denoisers.whitening(made.latents.header), device)
    flips = batches.flips(p.ldm.mirror, "train_ldm", schedule.seed)
    load, loss = regression.joined(denoiser.regression, data, p.ldm.loss.regression, load, loss, flips)
    return Training(denoiser, (vae,), load, loss, (Ema(denoiser, schedule.ema),), schedule)


def _distill_cd(p: Sections, made: StandIns, vae: Vae, denoiser: Denoiser, device: torch.device) -> Training:
    data, schedule, teacher = made.data, p.cd.schedule, denoiser.eval().requires_grad_(False)
    data.require_mirror("cd", p.cd.mirror)
    student = distilling.student_of(teacher, p.cd.sigmas.low)
    target, average = Ema(student, p.cd.target_ema), Ema(student, schedule.ema)
    given = families.conditioning(data.family).conditions(data, made.latents, p.ldm.architecture.condition.by)
    load = batches.load_latents(made.latents, given, p.cd.mirror, "distill_cd", schedule.seed)
    whitening = denoisers.whitening(made.latents.header)
    loss = distilling.distillation(student, target.model, teacher, p.cd, whitening, device)
    return Training(student, (teacher, vae), load, loss, (target, average), schedule)
