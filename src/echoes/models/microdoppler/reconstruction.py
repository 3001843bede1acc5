"""How well an autoencoder repeats spectrograms."""

import numpy as np
import torch
from torch import Tensor

from echoes.autoencoder import codes, spectrogram_loss
from echoes.autoencoder.architecture import Autoencoder
from echoes.compute.device import device_of
from echoes.compute.precision import autocast
from echoes.dataset.frames import batches_of, evenly_spaced
from echoes.dataset.spectrograms import Spectrograms

BATCH = 32
FRAMES = 256  # of the split, evenly spread: enough for two digits


@torch.no_grad()
def scores(vae: Autoencoder, data: Spectrograms, split: str) -> dict[str, float]:
    """val_mae_db and val_ssim of encode-decode, means over crops of a split, and the use of a codebook there."""
    errors, alike, counts = [], [], []
    for chosen in batches_of(evenly_spaced(data.frames(split), FRAMES), BATCH):
        clean = torch.from_numpy(data.target_batch(chosen))
        raw_latents = _encoded(vae, clean)
        made = _decoded(vae, raw_latents).float().cpu()
        made, clean = (torch.from_numpy(data.powers(x.numpy())) for x in (made, clean))
        errors.append(spectrogram_loss.absolute(made, clean))
        alike.append(spectrogram_loss.similarity(made, clean))
        counts.append(vae.bottleneck.counts(raw_latents))
    db = (data.ceiling_db - data.floor_db) / 2  # of 1 in network range
    found = {"val_mae_db": db * float(torch.cat(errors).mean()), "val_ssim": float(torch.cat(alike).mean())}
    return found | {f"val_{name}": value for name, value in codes.usage(torch.stack(counts).sum(0)).items()}


def error(vae: Autoencoder, data: Spectrograms) -> float:
    """Mean absolute error [dB] on the validation split: what the best weights have least of."""
    return scores(vae, data, "val")["val_mae_db"]


@torch.no_grad()
def reconstruct(vae: Autoencoder, data: Spectrograms, frames: np.ndarray) -> Tensor:
    """(B, C, F, T) the spectrograms `frames` through encoder and decoder, by the mean of the posterior."""
    return _decoded(vae, _encoded(vae, torch.from_numpy(data.target_batch(frames))))


def _encoded(vae: Autoencoder, clean: Tensor) -> Tensor:
    """(B, Z, *S / factor) the mean of their posteriors."""
    device = device_of(vae)
    with autocast(device):
        return vae.encode(clean.to(device)).mean


def _decoded(vae: Autoencoder, raw_latents: Tensor) -> Tensor:
    with autocast(device_of(vae)):
        return vae.decode(raw_latents)
