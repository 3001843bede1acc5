"""Pictures of spectrograms of the validation split, beside real ones, while a model trains."""

from pathlib import Path

import numpy as np
from torch import Tensor

from echoes.autoencoder.architecture import Autoencoder
from echoes.compute import distributed
from echoes.dataset.frames import evenly_spaced
from echoes.dataset.spectrograms import Spectrograms
from echoes.models.microdoppler import reconstruction
from echoes.reports import thumbnails
from echoes.reports.thumbnails import Row

FRAMES = 6


def reconstructed(data: Spectrograms, vae: Autoencoder, path: Path) -> None:
    """Spectrograms through the autoencoder, beside them."""
    frames = preview_frames(data)
    draw(reconstruction.reconstruct(vae, data, frames), "autoencoder", frames, data, path)


def preview_frames(data: Spectrograms) -> np.ndarray:
    """The spectrograms that are pictured."""
    return evenly_spaced(data.frames("val"), FRAMES)


def draw(made: Tensor, title: str, frames: np.ndarray, data: Spectrograms, path: Path) -> None:
    """(n, C, F, T) spectrograms beside the real ones of `frames` (n,); only the first process draws."""
    if not distributed.is_first():
        return
    names = list(data.label_names.values())
    rows = []
    for frame, one in zip(frames, made.clamp(-1, 1).float().cpu().numpy(), strict=True):
        labels = data.labels(np.array([frame]))[0]
        words = " ".join(of_kind[label] for of_kind, label in zip(names, labels, strict=True))
        both = data.powers(np.stack([data.target_batch(np.array([frame]))[0], one]))
        pictures = [thumbnails.spectrogram(values) for values in both]
        rows.append(Row(f"{frame}: {words}", pictures))
    thumbnails.sheet(["real", title], rows, path)
