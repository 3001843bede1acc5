"""A small track of labelled spectrograms with random weights, as its files lie on disk."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from echoes import params, weights
from echoes.distillation.consistency import ConsistencyModel
from echoes.models import autoencoders, denoisers, students
from echoes.models.autoencoders import VaeParams
from echoes.models.denoisers import LdmParams
from echoes.models.students import CdParams
from echoes.provenance import Header
from tracks import STAGE_SCHEDULE

CPU = torch.device("cpu")
LABELS = {"user": ["1", "3"], "activity": ["fall", "run", "walk"]}
PAIRS = [[user, activity] for user in LABELS["user"] for activity in LABELS["activity"]]
LATENT_SHAPE = (4, 4, 4)
VAE = {
    **STAGE_SCHEDULE,
    "vq": {"codes": 256, "decay": 0.9, "commitment": 0.25, "restart": 5},
    "fsq": {"levels": [5, 5, 5, 5]},
    "size": {"channels": [8, 16], "blocks": [1, 1], "latent_channels": 4},
    "loss": {"kind": "occupancy", "reflectivity": 1.0, "doppler": 1.0, "power": 1.0, "unobserved": 1.0, "kl": 1e-4},
    "mirror": False,
    "ema": 0.9,
}
LDM = {
    **STAGE_SCHEDULE,
    "edm": {"sigma_data": 1.0, "noise": {"mean": 0.3, "std": 1.2}},
    "flow": {"times": {"mean": 0.0, "std": 1.0}, "cosine": 1.0},
    "ddpm": {"steps": 1000, "schedule": "squaredcos_cap_v2", "prediction": "v", "min_snr": 5.0},
    "network": "dit",
    "unet": {"channels": [8], "blocks": 1, "heads": 2, "dropout": 0.0, "attention": "full", "window": 4},
    "dit": {"size": "tiny", "patch": 2, "dropout": 0.1},
    "regression": {"kind": "none"},
    "drop": 0.1,
    "mirror": False,
    "ema": 0.9,
}
CONDITIONS = {
    "labels": {"by": "labels", "features": 8},
    "vae": {"by": "vae", "width": 8, "blocks": 1, "features": 8},
}
SIGMAS = {"spacing": "karras", "steps": 6, "low": 0.004, "high": 160.0, "rho": 7.0, "shift": 1.0}
CD = {
    **STAGE_SCHEDULE,
    "sigmas": SIGMAS,
    "guidance": {"weight": 1.0, "low": 0.0, "high": 1000.0},
    "mirror": False,
    "target_ema": 0.9,
    "ema": 0.9,
}
SAMPLE = {
    "frames": 4,
    "batch": 2,
    "solver": "heun",
    "dopri5": {"rtol": 1e-3, "atol": 1e-3},
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
    p: VaeParams = params.build(VaeParams, {**VAE, "variant": variant}, "vae")
    vae = autoencoders.build(p, rank=2, channels=facts["channels"])
    for name, buffer in vae.named_buffers():
        if name.endswith("codebook"):  # empty until it has seen data
            buffer.normal_()
    weights.save(vae.state_dict(), Header("vae", asdict(p), {}, facts), data / "vae.safetensors")
    identity = weights.load(data / "vae.safetensors", "vae")[1].identity
    whitening = {"mean": [0.0, 0.1, -0.1, 0.2], "std": [1.0, 0.5, 2.0, 1.0]}
    latent_facts = {**facts, "latent_shape": list(LATENT_SHAPE), "compression": 4, "whitening": whitening}
    latents = Header("latents", {}, {"vae": identity}, latent_facts, identity="latents")
    ldm: LdmParams = params.build(
        LdmParams, {**LDM, "parameterization": parameterization, "condition": CONDITIONS[by]}, "ldm"
    )
    denoiser = denoisers.build(latents, ldm)
    for weight in denoiser.parameters():
        if not weight.any():  # layers that start at 0 would leave the labels without effect
            nn.init.normal_(weight, std=0.3)
    denoisers.save_ldm(denoiser, ldm, latents, {"latents": latents.identity}, data / "ldm.safetensors")
    teacher = denoisers.load_ldm(data / "ldm.safetensors", CPU)[1]
    cd: CdParams = params.build(CdParams, CD, "cd")
    student = ConsistencyModel(denoiser, cd.sigmas.low)
    students.save_cd(student, cd, teacher, {"middle": 1.2}, data / "cd.safetensors")
