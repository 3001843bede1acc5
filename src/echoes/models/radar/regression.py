"""How the regression of the target's cells is trained beside a denoiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from echoes import params, terms
from echoes.autoencoder.loss import masked_huber, require_weights, target_loss
from echoes.autoencoder.occupancy import OccupancyTerms
from echoes.compute import shares
from echoes.compute.device import device_of
from echoes.dataset.frames import batches_of, evenly_spaced
from echoes.dataset.grids import Grids
from echoes.grids import Y_AXIS
from echoes.models.radar.regressor import OFFSETS
from echoes.nets.birdseye import BirdseyeUNet
from echoes.tasks import OCCUPANCY
from echoes.training.microbatches import MicroBatch

# Of the loss. AdamW does not care for the scale of a gradient, but its norm is clipped together with the denoiser's.
SHARE = 0.1
BATCH, FRAMES = 16, 64  # of the validation split, evenly spread


@dataclass(frozen=True)
class RegressionLoss:
    """The section `<track>.ldm.loss.regression`.

    measured     weights of what occupied cells measured, by channel of the target.
    offset       of where in the cell it lies.
    unobserved   of a cell that no ray reached: it counts as empty.
    every        steps of the denoiser from one of the regression to the next.
    occupancy    what the loss of the occupancy weighs and adds.
    """

    RENAMED: ClassVar = {name: f"measured.{name}" for name in ("reflectivity", "doppler", "power")}

    measured: dict[str, float]
    offset: float
    unobserved: float
    every: int
    occupancy: OccupancyTerms

    def __post_init__(self) -> None:
        params.require_counts(every=self.every)


@dataclass(frozen=True)
class RegressionBatch:
    """given (B, C', D, H, W), target (B, C, D, H, W), observed (B, D, H, W), offsets (B, 3, D, H, W)."""

    given: Tensor
    target: Tensor
    observed: Tensor
    offsets: Tensor


def set_prior(network: nn.Module | None, data: Any) -> None:
    """An untrained regression gives the share of occupied cells of the training frames; nothing without one."""
    if isinstance(network, BirdseyeUNet):
        network.set_prior(data.task.target.index(OCCUPANCY), data.occupied_share)


def load(grids: Grids, frames: np.ndarray, flipped: np.ndarray) -> RegressionBatch:
    """What is learned from `frames` (B,), those of `flipped` (B,) with left and right swapped."""
    dense = (grids.input_batch(frames), grids.target_batch(frames), grids.observed_batch(frames))
    offsets = grids.offsets_batch(frames)
    for array in (*dense, offsets):
        array[flipped] = np.flip(array[flipped], Y_AXIS)
    offsets[flipped, OFFSETS.index("offset_y")] *= -1
    return RegressionBatch(*(torch.from_numpy(array) for array in (*dense, offsets)))


def objective(
    channels: Sequence[str], rate: float, weights: RegressionLoss
) -> Callable[[nn.Module, RegressionBatch], Tensor]:
    """(network, batch) -> (B,) loss. channels: of the target; rate: share of occupied cells in the train split.

    Raises InputError for weights of other channels.
    """
    require_weights(weights, channels, "ldm.loss.regression")

    def loss(network: nn.Module, batch: RegressionBatch) -> Tensor:
        device = device_of(network)
        target, offsets = batch.target.to(device), batch.offsets.to(device)
        regressed = network(batch.given.to(device))
        values, places = regressed.split([len(channels), len(OFFSETS)], dim=1)
        error = target_loss(values, target, channels, batch.observed.to(device), rate, weights, 1.0)
        occupied = target[:, :1].expand_as(offsets)
        of_offset = weights.offset * masked_huber(places, offsets, occupied)
        terms.note(offset=of_offset)
        return error + of_offset

    return loss


def unchanged(network: nn.Module, count: int) -> Tensor:
    """(count,) zeros whose gradient is 0 for each weight: all processes sum gradients of the same weights."""
    nothing = sum((shares.own(weight).sum() for weight in network.parameters()), torch.zeros(())) * 0
    return torch.as_tensor(nothing).expand(count)


def joined(
    network: nn.Module | None,
    data: Any,
    p: RegressionLoss | None,
    load_others: Callable[[MicroBatch], Any],
    loss_of_others: Callable[[Any], Tensor],
    flips: Callable[[MicroBatch], np.ndarray],
) -> tuple[Callable[[MicroBatch], Any], Callable[[Any], Tensor]]:
    """What is loaded and minimised when the regression is trained beside a denoiser; without one, as it was.

    network   the denoiser's regression; p: its loss.
    flips     part -> (n,) which of its frames have left and right swapped.
    """
    if network is None or p is None:
        return load_others, loss_of_others
    error = objective(data.task.target, data.occupied_share, p)

    def load_both(part: MicroBatch) -> tuple[Any, RegressionBatch | None]:
        due = part.step % p.every == 0
        return load_others(part), load(data, part.frames, flips(part)) if due else None

    def loss_of_both(batch: tuple[Any, RegressionBatch | None]) -> Tensor:
        others, own = loss_of_others(batch[0]), batch[1]
        terms.note(denoising=others)
        if own is None:
            return others + unchanged(network, len(others))
        with terms.within("regression", SHARE):
            return others + SHARE * error(network, own)

    return load_both, loss_of_both


@torch.no_grad()
def error(network: nn.Module | None, data: Any, p: RegressionLoss | None) -> dict[str, float]:
    """`val_regression_loss`, the mean of what training minimises over frames of the validation split."""
    if network is None or p is None:
        return {}
    losses, of_batch = [], objective(data.task.target, data.occupied_share, p)
    for frames in batches_of(evenly_spaced(data.frames("val"), FRAMES), BATCH):
        losses.append(of_batch(network, load(data, frames, np.zeros(len(frames), bool))))
    return {"val_regression_loss": float(torch.cat(losses).mean())}
