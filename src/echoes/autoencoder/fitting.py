"""What the training loop needs to fit the autoencoder of either family: what is trained, its batches, its loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from echoes import files, seeds, terms
from echoes.augmentation.clouds import CloudAugmentation
from echoes.augmentation.spectrograms import SpectrogramAugmentation
from echoes.autoencoder import architecture, equivariance, perceptual, spectrogram_loss
from echoes.autoencoder.alignment import Aligner, Teacher, adaptive_weight
from echoes.autoencoder.architecture import Autoencoder, VaeArchitecture
from echoes.autoencoder.autoencoder_kl import KlShape
from echoes.autoencoder.loss import target_loss
from echoes.autoencoder.loss_weights import LossWeights, SpectrogramLoss
from echoes.autoencoder.resolution import Resolution
from echoes.autoencoder.structure import gradient_error
from echoes.autoencoder.vae import Vae
from echoes.choices import vae as vae_choices
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.grids import Y_AXIS
from echoes.training.microbatches import MicroBatch
from echoes.training.schedule import StageSchedule


@dataclass(frozen=True)
class VaeParams:
    """The section `<track>.vae`."""

    CHOICES: ClassVar = vae_choices.CHOICES

    architecture: VaeArchitecture
    loss: LossWeights | SpectrogramLoss
    mirror: bool
    augmentation: CloudAugmentation | SpectrogramAugmentation
    resolution: Resolution
    schedule: StageSchedule

    def __post_init__(self) -> None:
        if self.architecture.variant == "pretrained" and isinstance(self.architecture.pretrained, KlShape):
            raise InputError("architecture.pretrained.layout: expected diffusers or compvis, got shape")
        # Both ask of a batch what does not add up over its parts.
        parts = self.schedule.accumulate
        if parts > 1 and self.architecture.variant == "vq":
            raise InputError(f"schedule.accumulate: expected 1 for vq, whose codes move with each batch, got {parts}")
        if parts > 1 and isinstance(self.loss, SpectrogramLoss) and self.loss.alignment.weight:
            raise InputError(f"schedule.accumulate: expected 1 where latents are aligned, got {parts}")


@dataclass(frozen=True)
class CloudBatch:
    """given (B, C, D, H, W) what is encoded, target (B, C, D, H, W) what is to be decoded, observed (B, D, H, W).

    done  share of the training that is done.
    """

    given: Tensor
    target: Tensor
    observed: Tensor
    done: float


@dataclass(frozen=True)
class SpectrogramBatch:
    """given (B, C, F, T) what is encoded, clean (B, C, F, T) what is to be decoded."""

    given: Tensor
    clean: Tensor


Features = Callable[[Tensor], list[Tensor]]  # (B, C, *S) -> (B, K, *S') of each depth of a frozen network


@dataclass(frozen=True)
class Task:
    """module  what is trained: the autoencoder and what its loss learns beside it.
    load    part of the train split -> batch.
    loss    batch -> (B,).
    """

    module: nn.Module
    load: Callable[[MicroBatch], Any]
    loss: Callable[[Any], Tensor]


def require_shardable(loss: LossWeights | SpectrogramLoss) -> None:
    """Raises InputError for a loss that asks for the gradient of a single layer, which sharded weights do not have."""
    if isinstance(loss, SpectrogramLoss) and loss.alignment.weight:
        raise InputError(
            f"loss.alignment.weight: expected 0 where runtime.sharding is full, got {loss.alignment.weight}"
        )


def origins(p: VaeParams) -> dict[str, str]:
    """Digests of the files of others that an autoencoder is made from, which are parents of its artifact."""
    found, loss = architecture.origin(p.architecture), p.loss
    if p.architecture.variant in architecture.FROZEN or not isinstance(loss, SpectrogramLoss):
        return found
    if loss.alignment.teacher == "file" and (loss.alignment.weight or loss.perceptual):
        found |= {"teacher": files.digest(Path(loss.alignment.file.path))}
    return found


def learns(vae: Autoencoder) -> bool:
    """Whether there is anything to train."""
    return any(parameter.requires_grad for parameter in vae.parameters())


def of_reconstruction(loss: SpectrogramLoss) -> SpectrogramLoss:
    """The loss without what compares with a teacher or shapes latents: it tells of one that learns nothing."""
    equivariance, alignment = replace(loss.equivariance, weight=0.0), replace(loss.alignment, weight=0.0)
    return replace(loss, perceptual=0.0, equivariance=equivariance, alignment=alignment)


def load_targets(grids: Grids, mirror: bool, seed: int, steps: int) -> Callable[[MicroBatch], CloudBatch]:
    """part -> batch; with `mirror` half of the frames swap left and right.

    The mirror is the one flip that is physical for a forward-looking radar: Doppler stays as it is.
    """

    def load(part: MicroBatch) -> CloudBatch:
        target, observed = grids.target_batch(part.frames), grids.observed_batch(part.frames)
        if mirror:
            flipped = part.flipped(seed, "train_vae", "mirror")
            target[flipped] = np.flip(target[flipped], Y_AXIS)
            observed[flipped] = np.flip(observed[flipped], Y_AXIS)
        whole = torch.from_numpy(target)
        return CloudBatch(whole, whole, torch.from_numpy(observed), part.step / steps)

    return load


def objective(
    vae: Autoencoder,
    channels: Sequence[str],
    rate: float,
    weights: LossWeights,
    features: Features | None,
    device: torch.device,
) -> Callable[[CloudBatch], Tensor]:
    """batch -> (B,) loss; the regressions come in over the first half of the training.

    channels  of the target; rate: share of occupied cells in the train split.
    features  of a trained network, for the perceptual term, None where it has no weight.
    """

    def loss(batch: CloudBatch) -> Tensor:
        target, observed = batch.target.to(device), batch.observed.to(device)
        posterior = vae.encode(target if batch.given is batch.target else batch.given.to(device))
        raw_latents = posterior.sample()
        vae.bottleneck.update(raw_latents, weights)
        decoded, penalty = vae.decode(raw_latents), vae.bottleneck.penalty(posterior, weights)
        terms.note(bottleneck=penalty)
        error = target_loss(decoded, target, channels, observed, rate, weights, min(1.0, 2 * batch.done)) + penalty
        if features is None:
            return error
        with torch.no_grad():
            meant = features(target)
        distance = weights.perceptual.weight * perceptual.distance(
            features(perceptual.expected(decoded, channels)), meant
        )
        terms.note(perceptual=distance)
        return error + distance

    return loss


def load_spectrograms(data: Spectrograms) -> Callable[[MicroBatch], SpectrogramBatch]:
    """part -> batch, as it was recorded."""

    def load(part: MicroBatch) -> SpectrogramBatch:
        clean = torch.from_numpy(data.target_batch(part.frames))
        return SpectrogramBatch(clean, clean)

    return load


def spectrogram_objective(
    vae: Autoencoder,
    weights: SpectrogramLoss,
    teacher: Teacher | None,
    aligner: Aligner | None,
    device: torch.device,
) -> Callable[[SpectrogramBatch], Tensor]:
    """batch -> (B,) loss; a term of weight 0 is not computed.

    teacher  frozen; for the perceptual term, None where it has no weight.
    """

    def loss(batch: SpectrogramBatch) -> Tensor:
        clean = batch.clean.to(device)
        posterior = vae.encode(clean if batch.given is batch.clean else batch.given.to(device))
        raw_latents = posterior.sample()
        vae.bottleneck.update(raw_latents, weights)
        decoded = vae.decode(raw_latents)
        error = spectrogram_loss.reconstruction(decoded, clean, weights.l1, weights.ssim)
        if weights.structure:
            edges = weights.structure * gradient_error(decoded - clean)
            terms.note(structure=edges)
            error = error + edges
        if teacher is not None and weights.perceptual:
            with torch.no_grad():
                meant = teacher.depths(clean)
            distance = weights.perceptual * perceptual.distance(teacher.depths(decoded), meant)
            terms.note(perceptual=distance)
            error = error + distance
        penalty = vae.bottleneck.penalty(posterior, weights)
        terms.note(bottleneck=penalty)
        total = error + penalty
        if weights.equivariance.weight:
            scale = equivariance.draw(weights.equivariance.scales)
            gap = equivariance.equivariance_loss(vae.decode, raw_latents, clean, vae.compression, scale)
            terms.note(equivariance=weights.equivariance.weight * gap)
            total = total + weights.equivariance.weight * gap
        if aligner is not None:
            apart = aligner(raw_latents, clean)
            aligned = weights.alignment.weight * adaptive_weight(error, apart, _last(vae)) * apart
            terms.note(alignment=aligned)
            total = total + aligned
        return total

    return loss


def _last(vae: Autoencoder) -> Tensor:
    """The weights with which an encoder says its latents."""
    assert isinstance(vae, Vae)
    weight = vae.encoder[-1].weight
    assert isinstance(weight, Tensor)
    return weight


def align(
    vae: Autoencoder,
    data: Spectrograms,
    teacher: Teacher,
    weights: SpectrogramLoss,
    seed: int,
    device: torch.device,
) -> Aligner:
    """A fresh map from latents to the features of the teacher."""
    example = torch.from_numpy(data.target_batch(data.frames("train")[:1])).to(device)
    torch.manual_seed(seeds.number(seed, "train_vae", "projection"))
    return Aligner(teacher.maps, vae.latent_channels, teacher.maps(example).shape[1], weights.alignment).to(device)
