"""Batches of whitened latents with what conditions them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from echoes import batch_noise
from echoes.autoencoder.latents import Whitening
from echoes.latentstore import LatentStore
from echoes.models.conditions import Conditions, rows_or_mirrored, unmirrored
from echoes.training.microbatches import MicroBatch


@dataclass(frozen=True)
class LatentBatch:
    """mean and std (B, Z, *S') of raw latents; cond: what the denoiser's conditioner takes."""

    mean: Tensor
    std: Tensor
    cond: Tensor

    def draw(self, whitening: Whitening, device: torch.device) -> Tensor:
        """Whitened latents drawn from their posteriors."""
        mean, std = self.mean.to(device), self.std.to(device)
        return whitening.whiten(mean + std * batch_noise.normal_like(mean))


def load_latents(
    store: LatentStore, conditions: Conditions, mirror: bool, name: str, seed: int
) -> Callable[[MicroBatch], LatentBatch]:
    """part -> batch; with `mirror` half of the frames are left-right swapped."""
    flipped_of = flips(mirror, name, seed)

    def load(part: MicroBatch) -> LatentBatch:
        flipped = flipped_of(part)
        mean, std = (torch.from_numpy(rows_or_mirrored(store, of, part.frames, flipped)) for of in ("latents", "std"))
        return LatentBatch(mean, std, conditions(part.frames, flipped))

    return load


def flips(mirror: bool, name: str, seed: int) -> Callable[[MicroBatch], np.ndarray]:
    """part -> (n,) which of its frames are left-right swapped: half of a batch with `mirror`, else none."""
    return lambda part: part.flipped(seed, name, "mirror") if mirror else unmirrored(part.frames)
