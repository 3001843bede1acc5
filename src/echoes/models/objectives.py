"""What the training loop minimises: denoising, and distillation of a denoiser, both under the radar."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from echoes import seeds
from echoes.autoencoder.latents import Whitening
from echoes.dataset.frames import batches_of
from echoes.dataset.grids import Grids
from echoes.diffusion import edm
from echoes.diffusion.edm import Denoiser, given
from echoes.diffusion.samplers import karras_sigmas
from echoes.distillation import consistency, curriculum
from echoes.distillation.consistency import ConsistencyModel
from echoes.latentstore import LatentStore
from echoes.models.batches import LatentBatch, condition_batch
from echoes.models.denoisers import CdParams, LdmParams, whitening

BATCH = 16


def denoising(
    denoiser: Denoiser, p: LdmParams, spread: Whitening, device: torch.device
) -> Callable[[LatentBatch], Tensor]:
    """batch -> (B,) EDM loss, with a share of the conditions dropped."""

    def loss(batch: LatentBatch) -> Tensor:
        clean = batch.draw(spread, device)
        drop = torch.rand(len(clean), device=device) < p.drop
        return edm.loss(denoiser, clean, p.noise, denoiser.features(batch.cond.to(device), drop))

    return loss


def distillation(
    student: ConsistencyModel,
    target: ConsistencyModel,
    teacher: Denoiser,
    p: CdParams,
    spread: Whitening,
    device: torch.device,
) -> Callable[[LatentBatch], Tensor]:
    """batch -> (B,) consistency loss; each network encodes the radar with its own encoder."""
    sigmas = karras_sigmas(p.sigmas)[:-1].float().to(device)

    def loss(batch: LatentBatch) -> Tensor:
        clean, cond = batch.draw(spread, device), batch.cond.to(device)
        high, low = curriculum.neighbours(sigmas, len(clean))
        with torch.no_grad():
            goal, guide = given(target, target.features(cond)), given(teacher, teacher.features(cond))
        return consistency.loss(given(student, student.features(cond)), goal, guide, clean, high, low)

    return loss


@torch.no_grad()
def validation(
    denoiser: Denoiser, p: LdmParams, grids: Grids, latents: LatentStore, device: torch.device
) -> dict[str, float]:
    """val_loss: the EDM loss on the validation split, without its uncertainty."""
    frames, spread = grids.frames("val"), whitening(latents.header)
    torch.manual_seed(seeds.number(p.seed, "train_ldm", "validation"))
    losses = []
    for chosen in batches_of(frames, BATCH):
        cond = condition_batch(grids, latents, p.condition, chosen, np.zeros(len(chosen), bool)).to(device)
        clean = spread.whiten(torch.from_numpy(latents.rows("mean", chosen)).to(device))
        sigma = p.noise.draw(len(clean), device)
        noisy = clean + torch.randn_like(clean) * edm.expand(sigma, clean)
        error = (denoiser(noisy, sigma, denoiser.features(cond)) - clean) ** 2
        losses.append(error.flatten(1).mean(1) * edm.weight(sigma, denoiser.sigma_data))
    return {"val_loss": float(torch.cat(losses).mean())}
