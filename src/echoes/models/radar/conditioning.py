"""What conditions the frames of a radar track: the cells of the radar, or their latents."""

import numpy as np
import torch
from torch import Tensor

from echoes.dataset.grids import Grids
from echoes.grids import Y_AXIS
from echoes.latentstore import LatentStore
from echoes.models.conditions import Conditions, either


def conditions(grids: Grids, store: LatentStore, by: str) -> Conditions:
    """by: `encoder` for the radar's cells, `vae` for their latents."""
    if by == "vae":
        return lambda frames, flipped: torch.from_numpy(either(store, "cond", frames, flipped))
    return lambda frames, flipped: _radar(grids, frames, flipped)


def _radar(grids: Grids, frames: np.ndarray, flipped: np.ndarray) -> Tensor:
    radar = grids.radar_batch(frames)
    radar[flipped] = np.flip(radar[flipped], Y_AXIS)
    return torch.from_numpy(radar)
