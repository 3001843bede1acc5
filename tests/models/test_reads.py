"""Every value of every track is read by what its stages do, or a rule says why it has no effect, and never both."""

import copy
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import tracks
from echoes import imports, params, track_code
from echoes.augmentation.spectrograms import SpectrogramAugmentation
from echoes.autoencoder import architecture, teachers
from echoes.autoencoder.architecture import VaeArchitecture
from echoes.autoencoder.fitting import VaeParams
from echoes.autoencoder.vae import SIZES, VaeConfig
from echoes.choices import autoencoder, denoiser
from echoes.choices import track as choices
from echoes.choices.rules import leaves, settled
from echoes.diffusion.denoiser import Denoiser
from echoes.models import (
    batches,
    conditions,
    denoisers,
    distilling,
    evaluation_classifiers,
    families,
    objectives,
    tiling,
)
from echoes.models import trained as models
from echoes.models.denoisers import LdmArchitecture
from echoes.models.distilling import CdParams
from echoes.models.microdoppler import curves
from echoes.models.objectives import LdmParams
from echoes.models.radar import augmenting, regression
from echoes.models.trained import SampleParams
from echoes.nets import unet_config
from echoes.readers.catalog import family_of
from echoes.training.ema import Ema
from echoes.training.loop import train
from echoes.training.microbatches import MicroBatch
from echoes.training.schedule import Schedule
from echoes.training.selection import Selection
from reads import Reads, attributes, chains
from test_pipeline import AUGMENT, NUMBERS, SPECTROGRAMS, STAGES, TRACKS, built, script

CPU = torch.device("cpu")
SMALL = VaeConfig(channels=(8, 16), blocks=(1, 1), latent_channels=4, patch=2)
CASES = {"radar": "track", "microdoppler": "people"}  # family -> fixture
# Handed on, whatever is chosen, to who does not look at them.
HANDED_ON = (
    *("unet.least", "unet.window", "unet.keep", "norm.groups", "dit.window", "dit.keep"),
    *("loss.regression", "loss.drop"),
)


def one_step(*args: Any) -> Iterator[Any]:
    return itertools.islice(train(*args), 1)


def schedule(p: Any, module: nn.Module, load: Any, loss: Any, frames: np.ndarray) -> None:
    """The first step of a training, and its last measurement where there are any."""
    list(one_step("reads", module, load, loss, frames, p.schedule))
    selection = Selection(module, p.schedule.validation, p.schedule.steps, lambda: 0.0)
    if selection.after(p.schedule.steps - 1):
        assert not selection.exhausted


def vae(p: VaeParams, case: SimpleNamespace) -> None:
    with torch.device("meta"):
        architecture.build(p.architecture, case.grids.rank, case.grids.channels)
    small = architecture.build(replace(p.architecture, size=SMALL), case.grids.rank, case.grids.channels)
    of = families.autoencoding(case.grids.family)
    task = of.task(small, case.grids, p, CPU)
    schedule(p, task.module, task.load, task.loss, case.grids.frames("train"))


def of_full_size(p: LdmArchitecture, case: SimpleNamespace, track: str) -> Denoiser:
    """A denoiser of the latents of the track, without a number in memory."""
    of_vae: VaeArchitecture = params.build(VaeArchitecture, NUMBERS[track]["vae"]["architecture"], "vae")
    config = of_vae.size if isinstance(of_vae.size, VaeConfig) else SIZES[of_vae.size]
    grid = NUMBERS[track]["grid"]
    sizes = [grid[axis]["size"] // config.factor for axis in ("z", "y", "x", "velocity", "time") if axis in grid]
    told = {"latent_shape": [config.latent_channels, *sizes], "compression": config.factor}
    header = case.latents.header
    with torch.device("meta"):
        return denoisers.build(replace(header, content={**header.content, **told}), p)


def small(case: SimpleNamespace, parameterization: str) -> Denoiser:
    """One of the latents of the case."""
    section = tracks.LDM if case.grids.family == "radar" else tracks.PEOPLE_LDM
    told = {**section["architecture"], "parameterization": parameterization}
    return denoisers.build(case.latents.header, params.build(LdmArchitecture, told, "ldm.architecture"))


def ldm(p: LdmParams, case: SimpleNamespace, track: str) -> Denoiser:
    of_full_size(p.architecture, case, track)
    network, whitening = small(case, p.architecture.parameterization), denoisers.whitening(case.latents.header)
    load = batches.load_latents(case.latents, case.conditions, p.mirror, "reads", p.schedule.seed)
    loss = objectives.denoising(network, p, whitening, CPU)
    flips = batches.flips(p.mirror, "reads", p.schedule.seed)
    load, loss = regression.joined(network.regression, case.grids, p.loss.regression, load, loss, flips)
    load = augmenting.inputs(load, case.grids, p.augmentation, p.schedule.seed)
    schedule(p, network, load, loss, case.grids.frames("train"))
    return network


def cd(p: CdParams, case: SimpleNamespace, teacher: Denoiser) -> None:
    student = distilling.student_of(teacher, p)
    target, whitening = Ema(student, p.target_ema), denoisers.whitening(case.latents.header)
    load = batches.load_latents(case.latents, case.conditions, p.mirror, "reads", p.schedule.seed)
    loss = distilling.distillation(student, target.model, teacher, p, whitening, CPU)
    schedule(p, student, load, loss, case.grids.frames("train"))


def sample(p: SampleParams, case: SimpleNamespace, network: Denoiser) -> None:
    cond = case.conditions(case.grids.frames("test")[:2], np.zeros(2, bool))
    noise = torch.zeros(2, *case.latents.header.content["latent_shape"])
    tiling.tile(network.network, p.tiles, 1, tuple(noise.shape[2:]), "sample.tiles")
    denoise = conditions.conditioned(network, cond, p.guidance)
    with torch.no_grad():
        denoise(noise, torch.full((2,), 1.0))
    p.steps(network)(lambda noisy, sigma: 0 * noisy, noise, lambda purpose: noise)


def judge(p: Schedule) -> None:
    x, labels = np.zeros((4, 1, 8, 8), np.float32), np.zeros((4, 1), np.int64)
    evaluation_classifiers.fit(x, labels, (1,), "conv", p, "reads", CPU)


def rival(p: SpectrogramAugmentation, case: SimpleNamespace) -> None:
    curves.classical(case.grids, p, 0, 0)(case.grids.target_batch([0, 1]), MicroBatch(0, np.arange(2), 0, 2))


def by_name(track: str, reads: Reads) -> set[str]:
    """Keys of source, inspect, grid and split whose name occurs as an attribute in what the stage voxelize imports."""
    files = imports.closure(script("voxelize")) | track_code.used(NUMBERS[track]["source"]["reader"])["voxelize"]
    names = set().union(*map(attributes, files))
    told = {section: NUMBERS[track][section] for section in ("source", "inspect", "grid", "split")}
    return {key for key in map(reads.named, leaves(told)) if key.rpartition(".")[2] in names}


def in_source(family: str) -> set[str]:
    """Keys of the other sections that the source of a stage, of its family or of what these compare takes from `p`."""
    found = set()
    for stage, key in zip(STAGES[1:], ("vae", "latents", "ldm", "cd", "sample", "evaluate"), strict=True):
        of_family = [imports.file_of(module) for module in families.modules(stage, family)]
        above = {file for file in imports.closure(of_family[0]) if file.name == "comparison.py"}
        found |= chains(key, script(stage), *of_family, *above, Path(models.__file__))
    return found | chains(AUGMENT, script(AUGMENT), Path(curves.__file__))


def followed(track: str, case: SimpleNamespace, patch: pytest.MonkeyPatch) -> Reads:
    """What is read while all networks of a track are built, small ones are trained for a step and one is sampled."""
    reads = Reads(patch)
    patch.setattr(teachers, "train", one_step)
    patch.setattr(evaluation_classifiers, "train", one_step)
    patch.setattr(unet_config, "replace", lambda own, **to: reads.copied(own, replace(own, **to)))
    stages = [*STAGES, AUGMENT] if track in SPECTROGRAMS else STAGES
    sections = {key: section for stage in stages for key, section in built(stage, track).items()}
    for key, section in sections.items():
        reads.follow(section, key)
    vae(sections["vae"], case)
    network = ldm(sections["ldm"], case, track)
    cd(sections["cd"], case, copy.deepcopy(network))
    sample(sections["sample"], case, network)
    if case.grids.family == "microdoppler":
        judge(sections["evaluate"].judge)
        judge(sections[AUGMENT].judge)
        rival(sections[AUGMENT].classical, case)
    return reads


@pytest.mark.parametrize("name", TRACKS)
def test_every_value_is_read_or_has_no_effect_and_a_rule_says_why(name, request, monkeypatch):
    family = family_of(NUMBERS[name]["source"]["reader"], "reader")
    case = "lidar_track" if NUMBERS[name]["grid"].get("task") == "radar_from_lidar" else CASES[family]
    reads = followed(name, request.getfixturevalue(case), monkeypatch)
    told = set(choices.idle(NUMBERS[name]))
    assert {key for key in told if reads.has(key) and not key.endswith(HANDED_ON)} == set()
    read_off = reads.tags | by_name(name, reads) | in_source(family)
    unread = {key for key in leaves(NUMBERS[name]) if not reads.has(key) and reads.named(key) not in read_off}
    assert unread - told == set()


@pytest.mark.parametrize("section", [tracks.LDM, tracks.PEOPLE_LDM], ids=["clouds", "spectrograms"])
@pytest.mark.parametrize("chosen", [{}, {"network": "dit", "parameterization": "ddpm"}], ids=["unet", "dit"])
def test_a_denoiser_is_the_same_whatever_stands_where_it_has_no_effect(section, chosen, track, people):
    case = track if section is tracks.LDM else people
    told = {**section["architecture"], **chosen}
    other = settled(told, denoiser.ARCHITECTURE, denoiser.STANDS)
    assert other != told
    made = []
    for numbers in (told, other):
        torch.manual_seed(0)
        architecture_of = params.build(LdmArchitecture, numbers, "ldm.architecture")
        made.append(tracks.shaken(denoisers.build(case.latents.header, architecture_of)))
    first, second = (network.state_dict() for network in made)
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)
    noisy, sigma = torch.ones(2, *case.latents.header.content["latent_shape"]), torch.full((2,), 0.7)
    cond = case.conditions(np.arange(2), np.zeros(2, bool))
    assert torch.equal(*(network(noisy, sigma, network.condition(cond)) for network in made))


@pytest.mark.parametrize("variant", ["kl", "vq", "fsq"])
def test_an_autoencoder_is_the_same_whatever_stands_where_it_has_no_effect(variant):
    told = {**tracks.VAE["architecture"], "variant": variant}
    other = settled(told, autoencoder.ARCHITECTURE, autoencoder.STANDS)
    assert other != told
    made = []
    for numbers in (told, other):
        torch.manual_seed(0)
        made.append(tracks.shaken(architecture.build(params.build(VaeArchitecture, numbers, "vae"), 2, 1)))
    x = torch.linspace(-1, 1, 256).reshape(1, 1, 16, 16)
    assert torch.equal(*(one.decode(one.encode(x).mean) for one in made))
