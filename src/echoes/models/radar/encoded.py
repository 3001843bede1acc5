"""Features of clouds by the encoder of a track's autoencoder, which was trained on real ones."""

from collections.abc import Sequence

import numpy as np
import torch

from echoes.autoencoder.architecture import Autoencoder
from echoes.compute.device import device_of
from echoes.compute.precision import autocast
from echoes.dataset.grids import Grids


@torch.no_grad()
def features(vae: Autoencoder, grids: Grids, clouds: Sequence[np.ndarray], batch: int) -> np.ndarray:
    """(N, 2 Z) float32 mean and deviation over space of each channel of the latents of N clouds.

    clouds  cells (M, 3), indices z, y, x of each: their occupancy alone is encoded, with nothing measured in them,
            because power and Doppler of a made cloud come without the mask that says where they are known.
    """
    found = []
    for start in range(0, len(clouds), batch):
        chosen = clouds[start : start + batch]
        x = torch.zeros(len(chosen), grids.channels, *grids.shape)
        for i, indices in enumerate(chosen):
            z, y, across = torch.from_numpy(indices.astype(np.int64)).T
            x[i, 0, z, y, across] = 1
        device = device_of(vae)
        with autocast(device):
            latents = vae.encode(x.to(device)).mean.flatten(2)
        found.append(torch.cat([latents.mean(2), latents.std(2, correction=0)], dim=1).float().cpu().numpy())
    return np.concatenate(found)
