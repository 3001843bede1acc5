"""A small track of labelled spectrograms with random weights, as its files lie on disk."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

import tracks
from echoes import params, weights
from echoes.autoencoder import architecture
from echoes.autoencoder.fitting import VaeParams
from echoes.distillation.consistency import ConsistencyModel
from echoes.models import denoisers, students
from echoes.models.distilling import CdParams
from echoes.models.objectives import LdmParams
from echoes.provenance import Header

CPU = torch.device("cpu")
LABELS = {"user": ["1", "3"], "activity": ["fall", "run", "walk"]}
PAIRS = [[user, activity] for user in LABELS["user"] for activity in LABELS["activity"]]
LATENT_SHAPE = (4, 4, 4)
VAE = tracks.changed(tracks.VAE, {"architecture.vq.codes": 256, "mirror": False})
LDM = tracks.changed(
    tracks.PEOPLE_LDM, {"architecture.network": "dit", "architecture.dit.dropout": 0.1, "loss.drop": 0.1}
)
CONDITIONS = {
    "labels": {"by": "labels", "features": 8},
    "vae": {"by": "vae", "width": 8, "blocks": 1, "features": 8, "stem": tracks.STEM},
}
SIGMAS = {"spacing": "karras", "steps": 6, "low": 0.004, "high": 160.0, "rho": 7.0, "shift": 1.0}
CD = tracks.changed(tracks.CD, {"sigmas": SIGMAS, "mirror": False, "target_ema": 0.9})
SAMPLE = {
    "frames": 4,
    "batch": 2,
    "precision": "auto",
    "tiles": {"cells": [], "overlap": 0},
    "solver": "heun",
    "dopri5": {"rtol": 1e-3, "atol": 1e-3},
    "euler_ancestral": {"eta": 0.5},
    "stochastic_heun": {"churn": 2.0, "churn_low": 0.1, "churn_high": 10.0, "churn_noise": 1.003},
    "sigmas": SIGMAS,
    "guidance": {"weight": 2.0, "low": 0.1, "high": 10.0},
    "seed": 0,
}


def write(data: Path, variant: str = "vq", parameterization: str = "flow", by: str = "labels") -> None:
    """vae, ldm and cd in the folder `data`; by: what conditions them, `labels`, or `vae` as in a radar track."""
    torch.manual_seed(0)
    axes = [
        {"name": "velocity", "unit": "m/s", "start": -4.0, "stop": 4.0, "size": 16},
        {"name": "time", "unit": "s", "start": 0.0, "stop": 1.0, "size": 16},
    ]
    known: dict[str, Any] = {"kinds": list(LABELS), "labels": LABELS, "combinations": PAIRS} if by == "labels" else {}
    scaling = {"floor_db": -60.0, "ceiling_db": 0.0}
    facts = {"axes": axes, "channels": 1, "scaling": scaling, **known}
    p: VaeParams = params.build(VaeParams, tracks.changed(VAE, {"architecture.variant": variant}), "vae")
    vae = architecture.build(p.architecture, rank=2, channels=facts["channels"])
    for name, buffer in vae.named_buffers():
        if name.endswith("codebook"):  # empty until it has seen data
            buffer.normal_()
    header = Header("vae", asdict(p), {}, facts, asdict(p.architecture))
    weights.save(vae.state_dict(), header, data / "vae.safetensors")
    identity = weights.load(data / "vae.safetensors", "vae")[1].identity
    whitening = {"mean": [0.0, 0.1, -0.1, 0.2], "std": [1.0, 0.5, 2.0, 1.0]}
    latent_facts = {**facts, "latent_shape": list(LATENT_SHAPE), "compression": 4, "whitening": whitening}
    latents = Header("latents", {}, {"vae": identity}, latent_facts, identity="latents")
    other = {"architecture.parameterization": parameterization, "architecture.condition": CONDITIONS[by]}
    ldm: LdmParams = params.build(LdmParams, tracks.changed(LDM, other), "ldm")
    denoiser = denoisers.build(latents, ldm.architecture)
    for weight in denoiser.parameters():
        if not weight.any():  # layers that start at 0 would leave the labels without effect
            nn.init.normal_(weight, std=0.3)
    denoisers.save_ldm(denoiser, ldm, latents, {"latents": latents.identity}, data / "ldm.safetensors")
    teacher = denoisers.load_ldm(data / "ldm.safetensors", CPU)[1]
    cd: CdParams = params.build(CdParams, CD, "cd")
    student = ConsistencyModel(denoiser, cd.sigmas.low)
    students.save_cd(student, cd, teacher, {"second_sigma": 1.2}, data / "cd.safetensors")
