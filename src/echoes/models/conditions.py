"""What conditions the frames of a track, and a model under it."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from echoes.diffusion.denoiser import Denoise, Model, bind
from echoes.diffusion.guidance import Guidance, guided
from echoes.latentstore import LatentStore

# Frames (B,) and which of them are mirrored (B,) -> (B, ...) what the denoiser's conditioner takes.
Conditions = Callable[[np.ndarray, np.ndarray], Tensor]


def conditioned(model: Model, cond: Tensor, guidance: Guidance) -> Denoise:
    """A model under a condition (B, ...), guided away from what it says without any."""
    condition = model.condition(cond)
    if guidance.weight == 1:
        return bind(model, condition)  # nothing to guide with: the null is not even encoded
    return guided(model, condition, model.unconditional(cond), guidance)


def unmirrored(frames: np.ndarray) -> np.ndarray:
    """(B,) False: none of `frames` is mirrored."""
    return np.zeros(len(frames), bool)


def rows_or_mirrored(store: LatentStore, name: str, frames: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """Rows of `name`, from the latents of the mirrored frame where `flipped`."""
    rows = store.rows(name, frames)
    if flipped.any():
        rows[flipped] = store.rows(f"{name}_mirrored", frames[flipped])
    return rows
