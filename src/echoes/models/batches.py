"""Batches of whitened latents with the radar they belong to."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from echoes import seeds
from echoes.autoencoder.fitting import Y_AXIS
from echoes.autoencoder.latents import Whitening
from echoes.dataset.grids import Grids
from echoes.latentstore import LatentStore


@dataclass(frozen=True)
class LatentBatch:
    """mean and std (B, Z, *S / 4) of raw latents; cond: what the denoiser's encoder takes."""

    mean: Tensor
    std: Tensor
    cond: Tensor

    def draw(self, whitening: Whitening, device: torch.device) -> Tensor:
        """Whitened latents drawn from their posteriors."""
        mean, std = self.mean.to(device), self.std.to(device)
        return whitening.whiten(mean + std * torch.randn_like(mean))


def load_latents(
    grids: Grids, store: LatentStore, condition: str, mirror: bool, name: str, seed: int
) -> Callable[[np.ndarray, int], LatentBatch]:
    """(indices into the train split, step) -> batch; with `mirror` half of the frames are left-right swapped."""
    frames = grids.frames("train")

    def load(indices: np.ndarray, step: int) -> LatentBatch:
        flipped = np.zeros(len(indices), bool)
        if mirror:
            flipped = seeds.rng(seed, name, "mirror", step).random(len(indices)) < 0.5
        chosen = frames[indices]
        mean, std = (either(store, part, chosen, flipped) for part in ("mean", "std"))
        cond = condition_batch(grids, store, condition, chosen, flipped)
        return LatentBatch(torch.from_numpy(mean), torch.from_numpy(std), cond)

    return load


def condition_batch(
    grids: Grids, store: LatentStore, condition: str, frames: np.ndarray, flipped: np.ndarray
) -> Tensor:
    """(B, ...) what the denoiser's encoder takes: the radar's cells, or their latents."""
    if condition == "vae":
        return torch.from_numpy(either(store, "cond", frames, flipped))
    radar = grids.radar_batch(frames)
    radar[flipped] = np.flip(radar[flipped], Y_AXIS)
    return torch.from_numpy(radar)


def either(store: LatentStore, name: str, frames: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """Rows of `name`, from the latents of the mirrored frame where `flipped`."""
    rows = store.rows(name, frames)
    if flipped.any():
        rows[flipped] = store.rows(f"{name}_mirrored", frames[flipped])
    return rows
