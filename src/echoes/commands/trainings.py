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
from echoes.autoencoder.architecture import Autoencoder
from echoes.autoencoder.fitting import VaeParams
from echoes.autoencoder.loss_weights import SpectrogramLoss
from echoes.autoencoder.resolution import Full
from echoes.commands import sources, stand_ins
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.diffusion.denoiser import Denoiser
from echoes.latentstore import LatentStore
from echoes.models import batches, denoisers, distilling, families, objectives
from echoes.models.distilling import CdParams
from echoes.models.objectives import LdmParams
from echoes.models.radar import augmenting, regression
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
    """grids.zarr and latents of a track, and how its autoencoder is trained on them."""

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
    return StandIns(data, latents, _of_most_cells(p.vae))


def _of_most_cells(p: VaeParams) -> VaeParams:
    """With steps that all have the whole grid and the scale of most cells, and a teacher that is hardly trained."""
    p = replace(p, resolution=Full("full"))
    if not isinstance(p.loss, SpectrogramLoss):
        return p
    loss, alignment = p.loss, p.loss.alignment
    hardly = replace(alignment.trained, steps=1, batch=2, warmup=0)
    equivariance = replace(loss.equivariance, scales=(max(loss.equivariance.scales),))
    return replace(p, loss=replace(loss, alignment=replace(alignment, trained=hardly), equivariance=equivariance))


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


def _train_vae(p: Sections, made: StandIns, vae: Autoencoder, denoiser: Denoiser, device: torch.device) -> Training:
    schedule = p.vae.schedule
    made.data.require_mirror("vae", p.vae.mirror)
    task = families.autoencoding(made.data.family).task(vae, made.data, made.vae, device)
    return Training(task.module, (), task.load, task.loss, (Ema(vae, schedule.ema),), schedule)


def _train_ldm(p: Sections, made: StandIns, vae: Autoencoder, denoiser: Denoiser, device: torch.device) -> Training:
    data, schedule = made.data, p.ldm.schedule
    data.require_mirror("ldm", p.ldm.mirror)
    regression.set_prior(denoiser.regression, data)
    given = families.conditioning(data.family).conditions(data, made.latents, p.ldm.architecture.condition.by)
    load = batches.load_latents(made.latents, given, p.ldm.mirror, "train_ldm", schedule.seed)
    loss = objectives.denoising(denoiser, p.ldm, denoisers.whitening(made.latents.header), device)
    flips = batches.flips(p.ldm.mirror, "train_ldm", schedule.seed)
    load, loss = regression.joined(denoiser.regression, data, p.ldm.loss.regression, load, loss, flips)
    load = augmenting.inputs(load, data, p.ldm.augmentation, schedule.seed)
    return Training(denoiser, (vae,), load, loss, (Ema(denoiser, schedule.ema),), schedule)


def _distill_cd(p: Sections, made: StandIns, vae: Autoencoder, denoiser: Denoiser, device: torch.device) -> Training:
    data, schedule, teacher = made.data, p.cd.schedule, denoiser.eval().requires_grad_(False)
    data.require_mirror("cd", p.cd.mirror)
    student = distilling.student_of(teacher, p.cd)
    target, average = Ema(student, p.cd.target_ema), Ema(student, schedule.ema)
    given = families.conditioning(data.family).conditions(data, made.latents, p.ldm.architecture.condition.by)
    load = batches.load_latents(made.latents, given, p.cd.mirror, "distill_cd", schedule.seed)
    whitening = denoisers.whitening(made.latents.header)
    loss = distilling.distillation(student, target.model, teacher, p.cd, whitening, device)
    return Training(student, (teacher, vae), load, loss, (target, average), schedule)
