"""Batches of whitened latents with what conditions them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from echoes import seeds
from echoes.autoencoder.latents import Whitening
from echoes.latentstore import LatentStore
from echoes.models.conditions import Conditions, either, straight


@dataclass(frozen=True)
class LatentBatch:
    """mean and std (B, Z, *S') of raw latents; cond: what the denoiser's conditioner takes."""

    mean: Tensor
    std: Tensor
    cond: Tensor

    def draw(self, whitening: Whitening, device: torch.device) -> Tensor:
        """Whitened latents drawn from their posteriors."""
        mean, std = self.mean.to(device), self.std.to(device)
        return whitening.whiten(mean + std * torch.randn_like(mean))


def load_latents(
    store: LatentStore, frames: np.ndarray, conditions: Conditions, mirror: bool, name: str, seed: int
) -> Callable[[np.ndarray, int], LatentBatch]:
    """(indices into `frames`, step) -> batch; with `mirror` half of the frames are left-right swapped."""

    def load(indices: np.ndarray, step: int) -> LatentBatch:
        chosen = frames[indices]
        flipped = straight(chosen)
        if mirror:
            flipped = seeds.rng(seed, name, "mirror", step).random(len(indices)) < 0.5
        mean, std = (torch.from_numpy(either(store, part, chosen, flipped)) for part in ("latents", "std"))
        return LatentBatch(mean, std, conditions(chosen, flipped))

    return load
