"""The model in a folder as the function that it is, whatever its track makes."""

from pathlib import Path
from typing import Literal

import torch

from echoes import params, weights
from echoes.dataset.metadata import CloudMetadata
from echoes.errors import InputError
from echoes.inference.enhancer import Enhancer
from echoes.inference.generator import SpectrogramGenerator
from echoes.inference.radar_generator import RadarGenerator
from echoes.models.trained import require_files
from echoes.provenance import Header

Makes = Literal["clouds", "spectrograms", "radar"]


def load(
    folder: str | Path, *, steps: int = 1, device: torch.device | None = None
) -> Enhancer | SpectrogramGenerator | RadarGenerator:
    """The model of a folder that `echoes pack` wrote, or of a trained track such as `data/radar`.

    steps   network calls for a sample, 1 or 2; device: None for a GPU where there is one. For other options than
            these call `load` of the class that it is.

    Raises InputError where there is no trained model, or its two files do not belong together.
    """
    path = Path(folder, "vae.safetensors")
    require_files(path)
    match makes(weights.header(path, "vae"), path):
        case "clouds":
            return Enhancer.load(folder, steps=steps, device=device)
        case "spectrograms":
            return SpectrogramGenerator.load(folder, steps=steps, device=device)
    return RadarGenerator.load(folder, steps=steps, device=device)


def makes(vae: Header, path: Path) -> Makes:
    """What comes out of the models beside an autoencoder: clouds of a radar's, spectrograms of labels, or a radar."""
    if "labels" in vae.content:
        return "spectrograms"
    told: CloudMetadata = params.build_subset(CloudMetadata, vae.content, f"{path}: header")
    if told.task.enhances:
        return "clouds"
    if not told.task.makes_radar:
        raise InputError(f"{path}: expected a track that enhances clouds or makes a radar, got one to {told.task}")
    return "radar"
