"""How the autoencoder of radar clouds is trained."""

from functools import partial
from pathlib import Path

import torch

from echoes.augmentation.clouds import CloudAugmentation
from echoes.autoencoder import augmenting, coarsening, fitting, perceptual
from echoes.autoencoder.architecture import Autoencoder
from echoes.autoencoder.fitting import Features, Task, VaeParams
from echoes.autoencoder.loss import require_weights
from echoes.autoencoder.loss_weights import LossWeights
from echoes.autoencoder.patches import Patches
from echoes.autoencoder.vae import Vae
from echoes.dataset.grids import Grids
from echoes.errors import InputError
from echoes.models import autoencoders
from echoes.tasks import KINDS, OCCUPANCY


def task(vae: Autoencoder, grids: Grids, p: VaeParams, device: torch.device) -> Task:
    """Targets of clouds. Before the first average is taken: the untrained head gives the share of occupied cells, or,
    without a network, the masks are told.

    Raises InputError for the loss or the augmentation of another family, for weights of other channels, and for a grid
    that the autoencoder cannot divide or that cannot be turned.
    """
    vae.latent_shape(grids.shape)
    loss, augmentation, schedule = p.loss, p.augmentation, p.schedule
    if not isinstance(loss, LossWeights):
        raise InputError(f"loss.kind: expected occupancy, for grids of radar, got {loss.kind}")
    if not isinstance(augmentation, CloudAugmentation):
        raise InputError(f"augmentation.of: expected clouds, for grids of radar, got {augmentation.of}")
    augmenting.require_turnable(grids, augmentation)
    channels = grids.task.target
    require_weights(loss, channels, "vae.loss")
    if isinstance(vae, Patches):
        vae.set_masks([i for i, name in enumerate(channels) if KINDS[name] == "mask"])
    elif isinstance(vae, Vae):
        vae.set_prior(channels.index(OCCUPANCY), grids.occupied_share)
    load = fitting.load_targets(grids, p.mirror, schedule.seed, schedule.steps)
    load = augmenting.of_clouds(load, grids, augmentation, schedule.seed)
    load = coarsening.of_clouds(load, channels, p.resolution, vae.compression, schedule.seed)
    features = _features(Path(loss.perceptual.vae), grids, device) if loss.perceptual.weight else None
    return Task(vae, load, fitting.objective(vae, channels, grids.occupied_share, loss, features, device))


def _features(path: Path, grids: Grids, device: torch.device) -> Features:
    """What a trained autoencoder sees; raises InputError unless it is of the same channels in the same units."""
    vae, header = autoencoders.load(path, device)
    if not isinstance(vae, Vae):
        raise InputError(f"{path}: expected an autoencoder that was trained, got one of the variant identity")
    for name in ("task", "scaling"):
        if header.content.get(name) != grids.header.content[name]:
            told = f"expected an autoencoder of the {name} {grids.header.content[name]}"
            raise InputError(f"{path}: {told}, got {header.content.get(name)}")
    return partial(perceptual.depths, vae)
