"""How the autoencoder of radar clouds is trained."""

import torch

from echoes.autoencoder import fitting
from echoes.autoencoder.fitting import Task
from echoes.autoencoder.loss import require_weights
from echoes.autoencoder.loss_weights import LossWeights, SpectrogramLoss
from echoes.autoencoder.vae import Vae
from echoes.dataset.grids import Grids
from echoes.errors import InputError
from echoes.tasks import OCCUPANCY
from echoes.training.schedule import StageSchedule


def task(
    vae: Vae,
    grids: Grids,
    loss: LossWeights | SpectrogramLoss,
    mirror: bool,
    schedule: StageSchedule,
    device: torch.device,
) -> Task:
    """Targets of clouds. Before the first average is taken: the untrained head gives the share of occupied cells.

    Raises InputError for the loss of another family or of other channels, and for a grid that the autoencoder cannot
    divide.
    """
    vae.latent_shape(grids.shape)
    if not isinstance(loss, LossWeights):
        raise InputError(f"loss.kind: expected occupancy, for grids of radar, got {loss.kind}")
    channels = grids.task.target
    require_weights(loss, channels, "vae.loss")
    vae.set_prior(channels.index(OCCUPANCY), grids.occupied_share)
    load = fitting.load_targets(grids, mirror, schedule.seed, schedule.steps)
    return Task(vae, load, fitting.objective(vae, channels, grids.occupied_share, loss, device))
