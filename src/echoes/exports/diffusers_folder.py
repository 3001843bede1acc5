"""The artifacts of a trained track -> a pipeline of the diffusers library, with the weights filled in."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch

from echoes.errors import InputError
from echoes.exports.diffusers_models import Autoencoder, LatentDenoiser
from echoes.exports.diffusers_pipeline import SpectrogramPipeline
from echoes.exports.diffusers_schedulers import ConsistencyScheduler, Scheduler, SolverScheduler
from echoes.models import autoencoders, denoisers, students
from echoes.models.trained import SampleParams, require_files
from echoes.provenance import require_parent

Model = Literal["ldm", "cd"]
CPU = torch.device("cpu")


def pipeline(data: Path, model: Model, p: SampleParams) -> SpectrogramPipeline:
    """The models in the folder `data` of a track; p: how its `ldm` is sampled.

    Raises InputError where one is missing, was not made from the other, or knows no labels.
    """
    vae_path, path = data / "vae.safetensors", data / f"{model}.safetensors"
    require_files(vae_path, path)
    vae, vae_header = autoencoders.load(vae_path, CPU)
    scheduler: Scheduler
    if model == "ldm":
        denoiser, header = denoisers.load_ldm(path, CPU)
        weights, scheduler = denoiser.state_dict(), SolverScheduler(sample=asdict(p))
    else:
        student, of, header = students.load_cd(path, CPU)
        weights = student.state_dict()
        scheduler = ConsistencyScheduler(cd=asdict(of), middle=float(header.content["second_sigma"]))
    require_parent(path, header, vae_path, vae_header)
    if "labels" not in header.content:
        raise InputError(f"{path}: expected a model of labelled spectrograms, got one of radar frames")
    autoencoder, latent_denoiser = Autoencoder(header=vars(vae_header)), LatentDenoiser(header=vars(header))
    autoencoder.model.load_state_dict(vae.state_dict())
    latent_denoiser.model.load_state_dict(weights)
    return SpectrogramPipeline(autoencoder.eval(), latent_denoiser.eval(), scheduler)
