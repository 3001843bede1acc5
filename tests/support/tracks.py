"""Small tracks of both families with random weights, as their files lie on disk."""

import copy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

import artifacts
import vits
from echoes import initial, latentstore, params
from echoes.autoencoder import architecture
from echoes.autoencoder.fitting import VaeParams
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.diffusion.denoiser import Model
from echoes.diffusion.guidance import Guidance
from echoes.distillation.consistency import ConsistencyModel
from echoes.evaluation.bands import BANDS_M
from echoes.evaluation.gate import Band, Gate
from echoes.models import autoencoders, denoisers, families, students
from echoes.models.distilling import CdParams, student_of
from echoes.models.extraction import Extraction
from echoes.models.objectives import LdmParams
from echoes.models.radar import familiarity
from echoes.models.radar.readout import Readout
from echoes.models.radar.returns import Returns
from echoes.models.sampler import UNGUIDED as ALONE
from echoes.models.sampler import Decoder, Sampler, Steps
from echoes.tasks import RADAR_FROM_LIDAR

CPU = torch.device("cpu")
STFT = {
    "raster": "stft",
    "velocity": {"start": -6.0, "stop": 6.0, "size": 32},
    "time": {"start": 0.0, "stop": 0.8, "size": 16},
    "hop_s": 0.4,
    "window": "hann",
    "window_s": 0.1,
    "overlap": 0.75,
    "notch_mps": 0.5,
    "quiet_db": None,
    "floor_db": -40.0,
    "ceiling_db": 0.0,
}
STEM = {"convolution": "none", "channels": 4, "layers": 2}
SCHEDULE = {
    "steps": 3,
    "batch": 2,
    "lr": 1e-3,
    "warmup": 0,
    "decay": {"kind": "constant"},
    "weight_decay": 0.0,
    "clip": 1.0,
    "precision": "float32",
    "seed": 0,
}
STAGE_SCHEDULE = {
    **SCHEDULE,
    "ema": 0.9,
    "accumulate": 1,
    "gradient_checkpointing": False,
    "validation": {"every": 0, "patience": 0, "keep": "last"},
}
SIGMAS = {"spacing": "karras", "steps": 6, "low": 0.004, "high": 160.0, "rho": 7.0, "shift": 1.0}
UNGUIDED = {"weight": 1.0, "low": 0.0, "high": 1000.0}
CODEBOOK = {"decay": 0.9, "commitment": 0.25, "restart": 5}
MEASURED = {"measured": {"reflectivity": 3.0, "doppler": 3.0, "power": 3.0}, "unobserved": 0.2}
PLAIN = {"focal": 0.0, "occupied": 1.0, "border": 1.0, "coarse": 0.0, "factors": [2, 4], "structure": 0.0}
OCCUPANCY = {
    "kind": "occupancy",
    **MEASURED,
    "kl": 1e-4,
    "vq": CODEBOOK,
    "occupancy": PLAIN,
    "perceptual": {"weight": 0.0, "vae": ""},
}
ALIGNMENT = {
    "weight": 0.0,
    "distance_margin": 0.0,
    "cosine_margin": 0.0,
    "teacher": "trained",
    "trained": {**SCHEDULE, "width": 8},
    "file": vits.FILE,
}
SPECTROGRAM = {
    "kind": "spectrogram",
    "l1": 1.0,
    "ssim": 0.2,
    "structure": 0.0,
    "perceptual": 0.0,
    "kl": 1e-3,
    "vq": CODEBOOK,
    "equivariance": {"weight": 0.0, "scales": [0.5]},
    "alignment": ALIGNMENT,
}
UNDISTURBED = {"dropout": 0.0, "doppler_mps": 0.0, "power_db": 0.0, "clutter": 0.0, "noise": 0.0, "cutout": 0.0}
UNMOVED = {"flip_x": 0.0, "flip_z": 0.0, "quarter_turn": 0.0}
UNALTERED = {
    "of": "spectrograms",
    "shift_s": 0.0,
    "shift": "circular",
    "gain_db": 0.0,
    "noise_db": 0.0,
    "time_mask_s": 0.0,
    "velocity_mask_mps": 0.0,
}
VAE = {
    "architecture": {
        "variant": "kl",
        "vq": {"codes": 16},
        "fsq": {"levels": [5, 5, 5, 5]},
        "identity": {"patch": [4, 4, 4]},
        "pretrained": {"layout": "diffusers", "path": ""},
        "size": {"channels": [8, 16], "blocks": [1, 1], "latent_channels": 4, "patch": 2},
        "attention": {"kind": "none", "heads": 2},
        "stem": STEM,
        "tiles": {"cells": [], "overlap": 0},
    },
    "loss": OCCUPANCY,
    "mirror": True,
    "augmentation": {"of": "clouds", **UNDISTURBED, "mixup": 0.0, "unphysical": UNMOVED},
    "resolution": {"kind": "full"},
    "schedule": STAGE_SCHEDULE,
}
UNET = {
    "size": {
        "channels": [8],
        "blocks": 1,
        "attention": ["full"],
        "norm": {"kind": "group", "groups": 8},
        "convolution": "dense",
    },
    "strides": "full",
    "least": 2,
    "heads": 2,
    "window": 4,
    "keep": 2,
    "dropout": 0.0,
}
REGRESSION = {"kind": "birdseye", "unet": UNET}
CONDITION = {"by": "encoder", "width": 8, "blocks": 1, "features": 6, "stem": STEM}
LDM = {
    "architecture": {
        "parameterization": "edm",
        "edm": {"sigma_data": 1.0},
        "ddpm": {"steps": 1000, "schedule": "squaredcos_cap_v2", "prediction": "v"},
        "network": "unet",
        "unet": UNET,
        "dit": {"size": "tiny", "patch": 2, "attention": "full", "window": 2, "keep": 2, "dropout": 0.0},
        "condition": CONDITION,
        "regression": REGRESSION,
    },
    "loss": {
        "edm": {"mean": 0.3, "std": 1.2, "weighting": "karras"},
        "flow": {"times": {"mean": 0.0, "std": 1.0}, "cosine": 1.0},
        "ddpm": {"min_snr": 5.0},
        "regression": {
            "measured": {"reflectivity": 0.5, "doppler": 2.0, "power": 0.5},
            "offset": 0.5,
            "unobserved": 1.0,
            "every": 1,
            "occupancy": PLAIN,
        },
        "drop": 0.5,
    },
    "mirror": True,
    "augmentation": UNDISTURBED,
    "schedule": STAGE_SCHEDULE,
}
LATENTS = {"format": "safetensors", "batch": 4, "precision": "auto"}
CD = {
    "sigmas": SIGMAS,
    "guidance": UNGUIDED,
    "mirror": True,
    "student": {"kind": "consistency"},
    "target_ema": 0.5,
    "schedule": STAGE_SCHEDULE,
}
BOTH_ENDS = {**CD, "student": {"kind": "trajectory", "denoising": 0.25}}
SAMPLE = {
    "frames": 3,
    "batch": 2,
    "precision": "auto",
    "tiles": {"cells": [], "overlap": 0},
    "solver": "heun",
    "dopri5": {"rtol": 1e-3, "atol": 1e-3},
    "euler_ancestral": {"eta": 0.5},
    "stochastic_heun": {"churn": 2.0, "churn_low": 0.1, "churn_high": 10.0, "churn_noise": 1.003},
    "sigmas": {**SIGMAS, "steps": 4},
    "guidance": UNGUIDED,
    "seed": 0,
}
LABELS = {"by": "labels", "features": 8}
# Of spectrograms, which no mirror is of.
PEOPLE_VAE = {
    **VAE,
    "architecture": {**VAE["architecture"], "identity": {"patch": [4, 4]}},
    "loss": SPECTROGRAM,
    "mirror": False,
    "augmentation": UNALTERED,
}
PEOPLE_LDM = {
    "architecture": {
        **LDM["architecture"],
        "parameterization": "flow",
        "condition": LABELS,
        "regression": {"kind": "none"},
    },
    "loss": {**LDM["loss"], "regression": None},
    "mirror": False,
    "augmentation": None,
    "schedule": STAGE_SCHEDULE,
}
PEOPLE_CD = {**CD, "guidance": {"weight": 1.5, "low": 0.2, "high": 10.0}, "mirror": False}
PEOPLE_SAMPLE = {**SAMPLE, "frames": 40, "batch": 16, "guidance": {"weight": 1.5, "low": 0.2, "high": 10.0}}


# Every input has a say in every band, and nothing of a readout is at the end of its range.
WEIGHTS = (0.6, 0.4, 1.0, 0.5)  # of the regression, the latent model, returns in the cell and near it
GATE = Gate(("regression", "latent", "here", "near"), tuple(Band(name, WEIGHTS, -0.5) for name in BANDS_M))
READOUT = Readout(GATE, decide=0.45, keep=0.65, near=0.6, far=0.7, outside=0.3, bands=(True, True, True), blend=0.35)


# One to three returns in a cell, whatever its range.
RETURNS = Returns(0.45, ((4, 2, 1),) * len(BANDS_M))


def shaken(module: nn.Module, std: float = 0.1) -> nn.Module:
    """The module with random weights where a new one has zeros, so that it says something."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=std)
    return module.eval().requires_grad_(False)


def both_ends(data: Path) -> SimpleNamespace:
    """A track of radar clouds whose student has two times."""
    grids = artifacts.write_grids(data / "grids.zarr")
    return built(data, grids, VAE, LDM, BOTH_ENDS, {**settled(grids), "mean_threshold": 0.3})


def radar(data: Path, by: str = "encoder", raw: str = "r", latents: dict = LATENTS) -> SimpleNamespace:
    """A track of radar clouds, conditioned by an `encoder` of its own or through the `vae`; raw: its parent."""
    grids = artifacts.write_grids(data / "grids.zarr", raw=raw)
    ldm = changed(LDM, {"architecture.condition.by": by})
    return built(data, grids, VAE, ldm, CD, settled(grids), latents)


def radar_from_lidar(data: Path) -> SimpleNamespace:
    """The same frames the other way round: the cells of a LiDAR go in, those of a radar are to come out."""
    weights = {"power": 0.5, "doppler": 2.0, "doppler_variance": 0.5}
    grids = artifacts.write_grids(data / "grids.zarr", task=RADAR_FROM_LIDAR)
    vae = changed(VAE, {"loss.measured": weights})
    ldm = changed(LDM, {"loss.regression.measured": weights})
    chosen = {"threshold": 0.4, "second_sigma": 1.5, "returns": asdict(RETURNS)}
    return built(data, grids, vae, ldm, CD, chosen)


def changed(section: dict, values: dict[str, Any]) -> dict[str, Any]:
    """A copy of a section in which other values stand at dotted keys that it has."""
    made = copy.deepcopy(section)
    for key, value in values.items():
        *above, last = key.split(".")
        inner = made
        for name in above:
            inner = inner[name]
        assert last in inner, key
        inner[last] = value
    return made


def settled(grids: Grids, threshold: float = 0.4, second_sigma: float = 1.5) -> dict[str, Any]:
    """What travels with the consistency model of a track of radar clouds."""
    seen = asdict(familiarity.of_training(grids))
    return {"threshold": threshold, "second_sigma": second_sigma, "readout": asdict(READOUT), "seen": seen}


def people(data: Path, variant: str = "kl", raw: str = "r", latents: dict = LATENTS, **ldm: Any) -> SimpleNamespace:
    """A track of labelled spectrograms; ldm: other values of the architecture of its denoiser."""
    grids = artifacts.write_spectrograms(data / "grids.zarr", raw=raw)
    vae, chosen = changed(PEOPLE_VAE, {"architecture.variant": variant}), {"second_sigma": 1.2}
    other = changed(PEOPLE_LDM, {f"architecture.{key}": value for key, value in ldm.items()})
    return built(data, grids, vae, other, PEOPLE_CD, chosen, latents)


def built(
    data: Path,
    grids: Grids | Spectrograms,
    vae: dict,
    ldm: dict,
    cd: dict,
    chosen: dict[str, Any],
    stored: dict = LATENTS,
) -> SimpleNamespace:
    """All artifacts up to cd.safetensors, each naming its parents, and what was saved in them."""
    vae_params = params.build(VaeParams, vae, "vae")
    ldm_params = params.build(LdmParams, ldm, "ldm")
    cd_params = params.build(CdParams, cd, "cd")
    torch.manual_seed(1)
    encoder = shaken(architecture.build(vae_params.architecture, grids.rank, grids.channels))
    with torch.no_grad():  # a codebook is empty until it has seen data
        seen = torch.from_numpy(grids.target_batch(grids.frames("train")))
        encoder.bottleneck.update(encoder.encode(seen).mean, vae_params.loss)
    initial.write(initial.SCRATCH, data, data / "init")
    init = {"init": initial.read(data / "init").identity}
    made_from = {"grids": grids.header.identity, **init}
    autoencoders.save(encoder, vae_params, grids, made_from, data / "vae.safetensors")
    extraction = Extraction(encoder, grids, autoencoders.load(data / "vae.safetensors", CPU)[1])
    header_of = partial(extraction.header, stored)
    latentstore.write(data / "latents", stored["format"], extraction.batches(stored["batch"]), header_of)
    latents = latentstore.read(data / "latents")
    denoiser = shaken(denoisers.build(latents.header, ldm_params.architecture))
    made_from = {"latents": latents.header.identity, **init}
    denoisers.save_ldm(denoiser, ldm_params, latents.header, made_from, data / "ldm.safetensors")
    model = ConsistencyModel(denoiser, cd_params.sigmas.low)
    if cd_params.student.kind == "trajectory":
        model = shaken(student_of(denoiser, cd_params))
    teacher = denoisers.load_ldm(data / "ldm.safetensors", CPU)[1]
    students.save_cd(model, cd_params, teacher, chosen, data / "cd.safetensors")
    return SimpleNamespace(
        data=data,
        grids=grids,
        vae=encoder,
        latents=latents,
        denoiser=denoiser,
        model=model,
        conditions=families.conditioning(grids.family).conditions(grids, latents, ldm_params.architecture.condition.by),
        vae_params=vae_params,
        ldm_params=ldm_params,
        cd_params=cd_params,
    )


def sampler(track: SimpleNamespace, model: Model, steps: Steps, guidance: Guidance = ALONE) -> Sampler:
    """A model of the latents of a track, by steps of any kind, decoded as the track does."""
    decoder = Decoder(track.vae, denoisers.whitening(track.latents.header))
    return Sampler(model, steps, guidance, decoder, latentstore.shape(track.latents.header), 0)


def consistent(track: SimpleNamespace, *between: float) -> Sampler:
    """The consistency model of a track in one call, and one more from each level in `between`."""
    return sampler(track, track.model, students.steps(track.cd_params.sigmas, between))
