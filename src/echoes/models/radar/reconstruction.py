"""How well an autoencoder repeats what it is given."""

import numpy as np
import torch

from echoes.autoencoder.architecture import Autoencoder
from echoes.compute.device import device_of
from echoes.compute.precision import autocast
from echoes.dataset.frames import batches_of, evenly_spaced
from echoes.dataset.grids import Grids
from echoes.evaluation.cells import agreement
from echoes.models.radar import clouds

BATCH = 16
FRAMES = 64  # of the split, evenly spread: enough for two digits


def scores(vae: Autoencoder, grids: Grids, split: str) -> dict[str, float]:
    """iou_3d and count_ratio of encode-decode at probability 0.5, mean over frames of a split."""
    found = []
    for chosen in batches_of(evenly_spaced(grids.frames(split), FRAMES), BATCH):
        for frame, cloud in zip(chosen, reconstruct(vae, grids, chosen, 0.5), strict=True):
            found.append(agreement(cloud.predicted(), clouds.target(grids, int(frame)), grids.grid))
    return {f"val_{key}": float(np.nanmean([f[key] for f in found])) for key in ("iou_3d", "count_ratio")}


def error(vae: Autoencoder, grids: Grids) -> float:
    """1 - iou_3d on the validation split: what the best weights have least of."""
    return 1 - scores(vae, grids, "val")["val_iou_3d"]


@torch.no_grad()
def reconstruct(vae: Autoencoder, grids: Grids, frames: np.ndarray, threshold: float) -> list[clouds.Cloud]:
    """The targets of `frames` through encoder and decoder, by the mean of the posterior."""
    device = device_of(vae)
    with autocast(device):
        decoded = vae.decode(vae.encode(torch.from_numpy(grids.target_batch(frames)).to(device)).mean)
    return clouds.from_decoded(decoded, threshold, grids)
