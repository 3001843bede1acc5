"""Whole steps of the trainings of a track, as its stages take them: precision, layout and compilation, side by side.

python bench/training_step.py [TRACK ...]

On the GPU where there is one. What is trained on is noise: the time does not depend on it.
"""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import product
from statistics import median
from time import perf_counter
from typing import Any, Literal

import machine
import numpy as np
import torch
from torch import Tensor, nn

from echoes import params
from echoes.autoencoder import architecture
from echoes.autoencoder.architecture import VaeArchitecture
from echoes.autoencoder.fitting import CloudBatch, SpectrogramBatch, VaeParams, objective, spectrogram_objective
from echoes.autoencoder.latents import Whitening
from echoes.autoencoder.loss_weights import LossWeights
from echoes.commands import sources
from echoes.compute.device import best_device
from echoes.models import denoisers, distilling, objectives
from echoes.models.batches import LatentBatch
from echoes.models.denoisers import LdmArchitecture
from echoes.models.distilling import CdParams
from echoes.models.objectives import LdmParams
from echoes.provenance import Header
from echoes.tasks import Task
from echoes.training.ema import Ema
from echoes.training.loop import train
from echoes.training.schedule import StageSchedule
from echoes.voxelization.cloud_params import GridParams
from echoes.voxelization.sections import Layout

WARM, RUNS = 3, 7
LABELS = {"user": ["1", "2", "3", "4", "5", "6", "drone"], "activity": ["fall", "fly", "run", "sit", "walk", "wave"]}
LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}  # by the axes of a grid


@dataclass(frozen=True)
class Variant:
    """One way to compute; compiled: by torch.compile."""

    precision: Literal["float32", "bfloat16"]
    channels_last: bool
    compiled: bool


ON_CPU = [Variant(precision, last, False) for precision in ("float32", "bfloat16") for last in (False, True)]
ON_GPU = [
    Variant("float32", False, False),
    Variant("bfloat16", False, False),
    Variant("bfloat16", True, False),
    Variant("bfloat16", False, True),
]


@dataclass(frozen=True)
class Training:
    """networks  of `module`, that compilation and layout are for; averages: of its weights, moved after each step."""

    module: nn.Module
    networks: list[nn.Module]
    averages: list[Ema[Any]]
    loss: Callable[[Any], Tensor]
    batch: Any
    schedule: StageSchedule


def sizes(track: str) -> tuple[int, ...]:
    """Cells of the grid along each axis."""
    layout = params.load(Layout, f"{track}.grid")
    axes = (layout.z, layout.y, layout.x) if isinstance(layout, GridParams) else (layout.velocity, layout.time)
    return tuple(axis.size for axis in axes)


def channels(track: str) -> int:
    """Of what the autoencoder sees."""
    source = sources.load(track)
    if source.reader == "images":
        return 3 if source.colour == "rgb" else 1
    return len(task(track).target) if len(sizes(track)) == 3 else 1


def task(track: str) -> Task:
    """Of a track of clouds."""
    layout: GridParams = params.load(GridParams, f"{track}.grid")
    return layout.roles()


def autoencoder(track: str, device: torch.device) -> Training:
    p, shape = params.load(VaeParams, f"{track}.vae"), sizes(track)
    batch_size = p.schedule.batch
    vae = architecture.build(p.architecture, len(shape), channels(track)).to(device)
    batch: Any
    if isinstance(p.loss, LossWeights):
        target = (torch.rand(batch_size, channels(track), *shape) < 0.02).float()
        batch, loss = (
            CloudBatch(target, target, torch.ones(batch_size, *shape), 1.0),
            objective(vae, task(track).target, 0.02, p.loss, None, device),
        )
    else:  # without a teacher, which learns from recordings
        plain = replace(p.loss, perceptual=0.0)
        clean = torch.rand(batch_size, channels(track), *shape) * 2 - 1
        batch = SpectrogramBatch(clean, clean)
        loss = spectrogram_objective(vae, plain, None, None, device)
    return Training(vae, [vae.encoder, vae.decoder], [Ema(vae, p.schedule.ema)], loss, batch, p.schedule)


def denoiser(track: str, device: torch.device) -> Training:
    return denoiser_of(track, params.load(LdmParams, f"{track}.ldm"), device)


def denoiser_of(track: str, p: LdmParams, device: torch.device) -> Training:
    built, batch = latents_for(track, p.architecture, p.schedule.batch)
    loss = objectives.denoising(built.to(device), p, whitening(batch), device)
    return Training(built, [built.network], [Ema(built, p.schedule.ema)], loss, batch, p.schedule)


def consistency(track: str, device: torch.device) -> Training:
    p, of = params.load(CdParams, f"{track}.cd"), params.load(LdmArchitecture, f"{track}.ldm.architecture")
    teacher, batch = latents_for(track, of, p.schedule.batch)
    teacher.to(device).eval().requires_grad_(False)
    student = distilling.student_of(teacher, p)
    target, ema = Ema(student, p.target_ema), Ema(student, p.schedule.ema)
    loss = distilling.distillation(student, target.model, teacher, p, whitening(batch), device)
    networks = [student.denoiser.network, target.model.denoiser.network, teacher.network]
    return Training(student, networks, [target, ema], loss, batch, p.schedule)


def latents_for(track: str, p: LdmArchitecture, count: int) -> tuple[denoisers.Denoiser, LatentBatch]:
    """A denoiser and a batch of `count` samples for it."""
    shape = sizes(track)
    of = params.load(VaeArchitecture, f"{track}.vae.architecture")
    vae = architecture.build(of, len(shape), channels(track))
    latent, known = vae.latent_shape(shape), dict[str, Any]()
    if p.condition.by == "labels":
        known, cond = {"kinds": list(LABELS), "labels": LABELS}, torch.zeros(count, len(LABELS), dtype=torch.int64)
    else:
        of_track = task(track)
        known, cond = {"task": asdict(of_track)}, torch.zeros(count, len(of_track.input), *shape)
    content = {"latent_shape": list(latent), "compression": vae.compression, **known}
    mean = torch.randn(count, *latent)
    return denoisers.build(Header("latents", {}, {}, content), p), LatentBatch(mean, torch.zeros_like(mean), cond)


def whitening(batch: LatentBatch) -> Whitening:
    z = batch.mean.shape[1]
    return Whitening((0.0,) * z, (1.0,) * z)


STAGES = {"train_vae": autoencoder, "train_ldm": denoiser, "distill_cd": consistency}


def step_s(training: Training, precision: str) -> float:
    """Median time of a step, its loading on to the device and the averages of the weights included [s]."""
    p = replace(training.schedule, steps=WARM + RUNS, precision=precision)
    ends = []
    for step, _ in train("bench", training.module, lambda part: training.batch, training.loss, np.arange(p.batch), p):
        for average in training.averages:
            average.update(step)
        ends.append(perf_counter())
    return median(np.diff(ends)[WARM - 1 :])


def measure(track: str, stage: str, device: torch.device, variant: Variant) -> None:
    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    training = STAGES[stage](track, device)
    for network in training.networks:
        if variant.channels_last:
            network.to(memory_format=LAYOUT[len(sizes(track))])
        if variant.compiled:
            network.compile()
    found = step_s(training, variant.precision)
    count = sum(p.numel() for p in training.module.parameters()) / 1e6
    memory = f"{torch.cuda.max_memory_allocated() / 1e9:10.1f}" if gpu else ""
    layout, how = "channels last" if variant.channels_last else "contiguous", "compiled" if variant.compiled else ""
    network = f"{track:13}{stage:11}{count:9.1f}{training.schedule.batch:6}"
    print(f"{network} {variant.precision:10}{layout:15}{how:9}{1000 * found:9.0f}{memory}", flush=True)


def main(tracks: list[str]) -> None:
    device = best_device()
    gpu = device.type == "cuda"
    machine.tell()
    memory = f"{'peak, GB':>10}" if gpu else ""
    print(f"{'track':13}{'stage':11}{'params, M':>9}{'batch':>6} {'precision':10}{'layout':24}{'step, ms':>9}{memory}")
    for track, stage, variant in product(tracks, STAGES, ON_GPU if gpu else ON_CPU):
        measure(track, stage, device, variant)


if __name__ == "__main__":
    main(sys.argv[1:] or ["radar", "microdoppler"])
