"""What the training loop needs to fit the autoencoder: batches of targets, and their loss."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from echoes import seeds
from echoes.autoencoder.loss import LossWeights, target_loss
from echoes.autoencoder.vae import Vae
from echoes.dataset.grids import Grids

Batch = tuple[Tensor, Tensor, float]  # target, observed, share of the training that is done
Y_AXIS = -2  # of (..., D, H, W): left and right of the sensor


def load_targets(grids: Grids, mirror: bool, seed: int, steps: int) -> Callable[[np.ndarray, int], Batch]:
    """(indices into the train split, step) -> batch; with `mirror` half of the frames swap left and right.

    The mirror is the one flip that is physical for a forward-looking radar: Doppler stays as it is.
    """
    frames = grids.frames("train")

    def load(indices: np.ndarray, step: int) -> Batch:
        target, observed = grids.target_batch(frames[indices]), grids.observed_batch(frames[indices])
        if mirror:
            flipped = seeds.rng(seed, "train_vae", "mirror", step).random(len(indices)) < 0.5
            target[flipped] = np.flip(target[flipped], Y_AXIS)
            observed[flipped] = np.flip(observed[flipped], Y_AXIS)
        return torch.from_numpy(target), torch.from_numpy(observed), step / steps

    return load


def objective(vae: Vae, rate: float, weights: LossWeights, device: torch.device) -> Callable[[Batch], Tensor]:
    """batch -> (B,) loss; the regressions come in over the first half of the training."""

    def loss(batch: Batch) -> Tensor:
        target, observed = batch[0].to(device), batch[1].to(device)
        posterior = vae.encode(target)
        decoded = vae.decode(posterior.sample())
        return target_loss(decoded, target, observed, posterior, rate, weights, min(1.0, 2 * batch[2]))

    return loss
