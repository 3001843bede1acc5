"""How the autoencoder of spectrograms is trained."""

import torch
from torch import nn

from echoes.augmentation.spectrograms import SpectrogramAugmentation
from echoes.autoencoder import augmenting, coarsening, fitting, teachers
from echoes.autoencoder.architecture import Autoencoder
from echoes.autoencoder.fitting import Task, VaeParams
from echoes.autoencoder.loss_weights import SpectrogramLoss
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError


def task(vae: Autoencoder, data: Spectrograms, p: VaeParams, device: torch.device) -> Task:
    """Spectrograms; where latents are aligned, the map to the teacher's features is trained too. May train a teacher.
    Of an autoencoder that learns nothing the loss is that of its reconstruction.

    Raises InputError for the loss or the augmentation of another family, for mirrored spectrograms, for complex ones
    that are altered as powers are, and for a size that the autoencoder cannot divide.
    """
    vae.latent_shape(data.shape)
    loss, augmentation, schedule = p.loss, p.augmentation, p.schedule
    if not isinstance(loss, SpectrogramLoss):
        raise InputError(f"loss.kind: expected spectrogram, for grids of spectrograms, got {loss.kind}")
    if not isinstance(augmentation, SpectrogramAugmentation):
        raise InputError(f"augmentation.of: expected spectrograms, for grids of spectrograms, got {augmentation.of}")
    if data.stft is not None and (augmentation.alters or augmentation.disturbs):
        raise InputError("augmentation: expected lengths and powers of 0 for complex spectrograms, got others")
    if p.mirror:
        raise InputError("mirror: expected false for spectrograms, whose velocities have a sign, got true")
    if not fitting.learns(vae):
        loss = fitting.of_reconstruction(loss)
    aligned = loss.alignment.weight
    teacher = teachers.teacher(data, loss.alignment, device) if aligned or loss.perceptual else None
    aligner = fitting.align(vae, data, teacher, loss, schedule.seed, device) if teacher and aligned else None
    parts = nn.ModuleList([vae] if aligner is None else [vae, aligner])
    objective = fitting.spectrogram_objective(vae, loss, teacher, aligner, device)
    load = augmenting.of_spectrograms(fitting.load_spectrograms(data), data, augmentation, schedule.seed)
    load = coarsening.of_spectrograms(load, p.resolution, vae.compression, schedule.seed)
    return Task(parts, load, objective)
