"""What conditions the frames of a track of clouds: the cells of what goes in, or their latents."""

import numpy as np
import torch
from torch import Tensor

from echoes.dataset.grids import Grids
from echoes.grids import Y_AXIS
from echoes.latentstore import LatentStore
from echoes.models.conditions import Conditions, rows_or_mirrored


def conditions(grids: Grids, store: LatentStore, by: str) -> Conditions:
    """by: `encoder` for the cells of what goes in, `vae` for their latents."""
    if by == "vae":
        return lambda frames, flipped: torch.from_numpy(rows_or_mirrored(store, "cond", frames, flipped))
    return lambda frames, flipped: _cells(grids, frames, flipped)


def _cells(grids: Grids, frames: np.ndarray, flipped: np.ndarray) -> Tensor:
    cells = grids.input_batch(frames)
    cells[flipped] = np.flip(cells[flipped], Y_AXIS)
    return torch.from_numpy(cells)
