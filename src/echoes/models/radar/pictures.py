"""Pictures of clouds of the validation split, from above, while a model trains."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from echoes.autoencoder.architecture import Autoencoder
from echoes.compute import distributed
from echoes.dataset.frames import evenly_spaced
from echoes.dataset.grids import Grids
from echoes.models.radar import reconstruction
from echoes.models.radar.clouds import Cloud
from echoes.reports import thumbnails
from echoes.reports.thumbnails import Row

FRAMES = 3
THRESHOLD = 0.5  # of occupancy: the one that is deployed is chosen later


def reconstructed(grids: Grids, vae: Autoencoder, path: Path) -> None:
    """Targets through the autoencoder, beside them."""
    frames = preview_frames(grids)
    draw(reconstruction.reconstruct(vae, grids, frames, THRESHOLD), "autoencoder", frames, grids, path)


def preview_frames(grids: Grids) -> np.ndarray:
    """The frames that are pictured."""
    return evenly_spaced(grids.frames("val"), FRAMES)


def draw(made: Sequence[Cloud], title: str, frames: np.ndarray, grids: Grids, path: Path) -> None:
    """Clouds between what goes in and the target of their frames; only the first process draws."""
    if not distributed.is_first():
        return

    rows = []
    for frame, cloud in zip(frames, made, strict=True):
        shown = (grids.cells("input", int(frame)), cloud, grids.cells("target", int(frame)))
        pictures = [thumbnails.from_above(one.indices, grids.shape) for one in shown]
        rows.append(Row(f"frame {frame}, colour: height", pictures))
    thumbnails.sheet([grids.task.given, title, "target"], rows, path)
