"""A small trained-looking track: grids, autoencoder, latents, denoiser and consistency model on disk."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import artifacts
from echoes import latentstore, params
from echoes.distillation.consistency import ConsistencyModel
from echoes.models import autoencoders, denoisers
from echoes.models.extraction import Extraction

CPU = torch.device("cpu")
SCHEDULE = {
    "steps": 3,
    "batch": 2,
    "lr": 1e-3,
    "warmup": 0,
    "decay": "constant",
    "weight_decay": 0.0,
    "clip": 1.0,
    "precision": "float32",
    "seed": 0,
}
SIGMAS = {"steps": 6, "low": 0.004, "high": 160.0, "rho": 7.0}
VAE = {
    **SCHEDULE,
    "variant": "kl",
    "size": {"channels": [8, 16], "blocks": [1, 1], "latent_channels": 4},
    "loss": {"reflectivity": 3.0, "doppler": 3.0, "power": 3.0, "unobserved": 0.2, "kl": 1e-4},
    "mirror": True,
    "ema": 0.9,
}
LDM = {
    **SCHEDULE,
    "sigma_data": 1.0,
    "noise": {"mean": 0.3, "std": 1.2},
    "network": {"channels": [8], "blocks": 1, "heads": 2, "dropout": 0.0},
    "condition": "encoder",
    "encoder": {"width": 8, "blocks": 1, "features": 6},
    "drop": 0.5,
    "mirror": True,
    "ema": 0.9,
}
CD = {**SCHEDULE, "sigmas": SIGMAS, "mirror": True, "target_ema": 0.5, "ema": 0.9}


def shaken(module: nn.Module) -> nn.Module:
    """The module with random weights where a new one has zeros, so that it says something."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return module.eval().requires_grad_(False)


def build_track(data: Path, condition: str = "encoder") -> SimpleNamespace:
    """All artifacts of a track up to cd.safetensors, each naming its parents, and what was saved in them."""
    grids = artifacts.write_grids(data / "grids.zarr")
    vae_params = params.build(autoencoders.VaeParams, VAE, "radar.vae")
    ldm_params = params.build(denoisers.LdmParams, {**LDM, "condition": condition}, "radar.ldm")
    cd_params = params.build(denoisers.CdParams, CD, "radar.cd")
    torch.manual_seed(1)
    vae = shaken(autoencoders.build(vae_params, rank=3, channels=5))
    autoencoders.save(vae, vae_params, grids, data / "vae.safetensors")
    extraction = Extraction(vae, grids, autoencoders.load(data / "vae.safetensors", CPU)[1])
    latentstore.write(data / "latents", "safetensors", extraction.batches(4), extraction.header)
    latents = latentstore.read(data / "latents")
    denoiser = shaken(denoisers.build_for(latents.header, ldm_params))
    denoisers.save_ldm(denoiser, ldm_params, latents.header, data / "ldm.safetensors")
    model = ConsistencyModel(denoiser, cd_params.sigmas.low)
    teacher = denoisers.load_ldm(data / "ldm.safetensors", CPU)[1]
    denoisers.save_cd(model, cd_params, teacher, 0.4, 1.5, data / "cd.safetensors")
    return SimpleNamespace(
        data=data,
        grids=grids,
        vae=vae,
        latents=latents,
        denoiser=denoiser,
        model=model,
        vae_params=vae_params,
        ldm_params=ldm_params,
        cd_params=cd_params,
    )


@pytest.fixture(scope="session")
def track(tmp_path_factory) -> SimpleNamespace:
    return build_track(tmp_path_factory.mktemp("radar"))


@pytest.fixture(scope="session")
def track_vae(tmp_path_factory) -> SimpleNamespace:
    """The same with the radar through the autoencoder."""
    return build_track(tmp_path_factory.mktemp("radar"), condition="vae")
