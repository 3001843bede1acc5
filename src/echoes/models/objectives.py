"""What the training loop minimises for the denoiser, batch by batch, and what validation measures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from echoes import batch_noise, seeds
from echoes.augmentation.clouds import InputAugmentation
from echoes.autoencoder.latents import Whitening
from echoes.choices import ldm
from echoes.dataset.frames import batches_of
from echoes.diffusion.ddpm import DdpmLoss
from echoes.diffusion.denoiser import Denoiser
from echoes.diffusion.edm import EdmLoss
from echoes.diffusion.flow import FlowLoss
from echoes.errors import InputError
from echoes.latentstore import LatentStore
from echoes.models.batches import LatentBatch
from echoes.models.conditions import Conditions, unmirrored
from echoes.models.denoisers import LdmArchitecture
from echoes.models.radar.regression import RegressionLoss
from echoes.models.radar.regressor import BirdseyeRegression
from echoes.training.schedule import StageSchedule

BATCH = 16


@dataclass(frozen=True)
class LdmLoss:
    """The section `<track>.ldm.loss`.

    edm, flow, ddpm  at which noise each parameterization is trained, and what it weighs.
    regression       of the regression beside the denoiser; null where there is none.
    drop             share of each part of the condition dropped in training, for the unconditional model.
    """

    edm: EdmLoss
    flow: FlowLoss
    ddpm: DdpmLoss
    regression: RegressionLoss | None
    drop: float

    def __post_init__(self) -> None:
        if not 0 <= self.drop <= 1:
            raise InputError(f"drop: expected 0 to 1, got {self.drop}")


@dataclass(frozen=True)
class LdmParams:
    """The section `<track>.ldm`. augmentation: of the cells that are the condition; null where it is none."""

    CHOICES: ClassVar = ldm.CHOICES

    architecture: LdmArchitecture
    loss: LdmLoss
    mirror: bool
    augmentation: InputAugmentation | None
    schedule: StageSchedule

    def __post_init__(self) -> None:
        by = self.architecture.condition.by
        if by != "encoder" and self.augmentation is not None and self.augmentation.disturbs:
            told = "expected null or 0 everywhere, as the condition is no cloud of cells"
            raise InputError(f"augmentation: {told} with architecture.condition.by: {by}, got others")
        if isinstance(self.architecture.regression, BirdseyeRegression) and self.loss.regression is None:
            raise InputError("loss.regression: expected its weights, as architecture.regression asks for one, got null")

    @property
    def of_noise(self) -> EdmLoss | FlowLoss | DdpmLoss:
        """The part of the loss that is of the parameterization in use."""
        match self.architecture.parameterization:
            case "edm":
                return self.loss.edm
            case "flow":
                return self.loss.flow
        return self.loss.ddpm


def denoising(
    denoiser: Denoiser, p: LdmParams, whitening: Whitening, device: torch.device
) -> Callable[[LatentBatch], Tensor]:
    """batch -> (B,) loss of the parameterization, with a share of each part of the conditions dropped."""

    def loss(batch: LatentBatch) -> Tensor:
        clean = batch.draw(whitening, device)
        drop = batch_noise.uniform(len(clean), denoiser.parts, device=device) < p.loss.drop
        condition = denoiser.condition(batch.cond.to(device), drop)
        return denoiser.parameterization.loss(denoiser, clean, condition, p.of_noise)

    return loss


def validation(
    p: LdmParams,
    store: LatentStore,
    frames: np.ndarray,
    conditions: Conditions,
    whitening: Whitening,
    device: torch.device,
) -> Callable[[Denoiser], dict[str, float]]:
    """denoiser -> val_loss, the error of its parameterization on the validation split under the whole condition.

    At the same noise each time, so that one training's measurements can be compared.
    """

    @torch.no_grad()
    def error(denoiser: Denoiser) -> dict[str, float]:
        torch.manual_seed(seeds.number(p.schedule.seed, "train_ldm", "validation"))
        losses = []
        for chosen in batches_of(frames, BATCH):
            condition = denoiser.condition(conditions(chosen, unmirrored(chosen)).to(device))
            clean = whitening.whiten(torch.from_numpy(store.rows("latents", chosen)).to(device))
            losses.append(denoiser.parameterization.error(denoiser, clean, condition, p.of_noise))
        return {"val_loss": float(torch.cat(losses).mean())}

    return error
