"""An autoencoder of waves learns by their mean absolute error."""

import torch

from echoes.autoencoder.fitting import Task


def task(vae, data, p, device):
    def error(clean):
        posterior = vae.encode(clean.to(device))
        decoded = vae.decode(posterior.sample())
        return p.loss.l1 * (decoded - clean.to(device)).abs().flatten(1).mean(1) + vae.bottleneck.penalty(
            posterior, p.loss
        )

    return Task(vae, lambda part: torch.from_numpy(data.target_batch(part.frames)), error)
