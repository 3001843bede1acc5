"""What the training loop minimises for the denoiser, batch by batch, and what validation measures."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from echoes import draws, seeds
from echoes.autoencoder.latents import Whitening
from echoes.dataset.frames import batches_of
from echoes.diffusion.denoiser import Denoiser
from echoes.latentstore import LatentStore
from echoes.models.batches import LatentBatch
from echoes.models.conditions import Conditions, straight
from echoes.models.denoisers import LdmParams

BATCH = 16


def denoising(
    denoiser: Denoiser, p: LdmParams, spread: Whitening, device: torch.device
) -> Callable[[LatentBatch], Tensor]:
    """batch -> (B,) loss of the parameterization, with a share of each part of the conditions dropped."""

    def loss(batch: LatentBatch) -> Tensor:
        clean = batch.draw(spread, device)
        drop = draws.uniform(len(clean), denoiser.parts, device=device) < p.drop
        return denoiser.parameterization.loss(denoiser, clean, denoiser.condition(batch.cond.to(device), drop))

    return loss


def validation(
    p: LdmParams,
    store: LatentStore,
    frames: np.ndarray,
    conditions: Conditions,
    spread: Whitening,
    device: torch.device,
) -> Callable[[Denoiser], dict[str, float]]:
    """denoiser -> val_loss, the error of its parameterization on the validation split under the whole condition.

    At the same noise each time, so that one training's measurements can be compared.
    """

    @torch.no_grad()
    def error(denoiser: Denoiser) -> dict[str, float]:
        torch.manual_seed(seeds.number(p.seed, "train_ldm", "validation"))
        losses = []
        for chosen in batches_of(frames, BATCH):
            condition = denoiser.condition(conditions(chosen, straight(chosen)).to(device))
            clean = spread.whiten(torch.from_numpy(store.rows("latents", chosen)).to(device))
            losses.append(denoiser.parameterization.error(denoiser, clean, condition))
        return {"val_loss": float(torch.cat(losses).mean())}

    return error
