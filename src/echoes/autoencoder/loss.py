"""Reconstruction of sparse occupancy with masked regressions, per sample.

Occupancy is a logit under cross-entropy, scaled to the share of occupied cells, plus a soft Dice
term; what occupied cells measured is regressed on those cells alone.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from echoes import tasks, terms
from echoes.autoencoder import occupancy
from echoes.autoencoder.occupancy import OccupancyTerms
from echoes.autoencoder.structure import gradient_error
from echoes.errors import InputError
from echoes.tasks import OCCUPANCY

# In network range, where the loss turns from square to linear: below it lies the noise of what is measured,
# which is not worth latent capacity; the Doppler of what moves lies above.
HUBER = 0.1
MASKS = 0.3  # weight of whether a measurement is known: it is evidence of no surface


class TargetWeights(Protocol):
    """Weights of what occupied cells measured, by channel, and of the cells that no ray reached; terms of occupancy."""

    @property
    def measured(self) -> Mapping[str, float]: ...
    @property
    def unobserved(self) -> float: ...
    @property
    def occupancy(self) -> OccupancyTerms: ...


def occupancy_loss(logit: Tensor, occupied: Tensor, weight: Tensor, counted: Tensor, rate: float) -> Tensor:
    """(B,) cross-entropy / (2 rate) + soft Dice (Milletari et al. 2016, Eq. 1 without squares), over weighted cells.

    logit, occupied  (B, *S).
    weight, counted  (B, *S) of each cell in the Dice term, and in the cross-entropy.
    rate             share of occupied cells in the training set.
    """
    entropy = F.binary_cross_entropy_with_logits(logit, occupied, reduction="none")
    entropy = (entropy * counted).flatten(1).mean(1) / (2 * rate)
    probability = logit.sigmoid() * weight
    shared = (probability * occupied).flatten(1).sum(1)
    total = probability.flatten(1).sum(1) + (occupied * weight).flatten(1).sum(1)
    return entropy + 1 - (2 * shared + 1) / (total + 1)


def occupancy_terms(
    logit: Tensor, occupied: Tensor, weight: Tensor, rate: float, p: OccupancyTerms
) -> dict[str, Tensor]:
    """Name -> (B,) terms of the occupancy; one of weight 0 is not computed.

    logit, occupied, weight  (B, *S); rate: share of occupied cells in the training set.
    """
    counted = weight * occupancy.emphasis(logit, occupied, p) if p.emphasises else weight
    found = {"occupancy": occupancy_loss(logit, occupied, weight, counted, rate)}
    if p.coarse:
        found["coarse"] = p.coarse * coarse_loss(logit, occupied, weight, rate, p.factors)
    if p.structure:
        error = ((logit.sigmoid() - occupied) * weight)[:, None]
        found["structure"] = p.structure * gradient_error(error) / (2 * rate)
    return found


def coarse_loss(logit: Tensor, occupied: Tensor, weight: Tensor, rate: float, factors: Sequence[int]) -> Tensor:
    """(B,) mean of `occupancy_loss` in grids of longer cells, which are occupied, or observed, where any within is.

    A cell that is missed by less than a block costs nothing there.
    """
    losses = []
    for factor in factors:
        said, true, seen = (occupancy.pooled(x, factor) for x in (logit, occupied, weight))
        share = occupancy.coarse_rate(rate, factor ** (logit.ndim - 1))
        losses.append(occupancy_loss(said, true, seen, seen, share))
    return torch.stack(losses).mean(0)


def masked_huber(value: Tensor, goal: Tensor, mask: Tensor) -> Tensor:
    """(B,) Huber loss averaged over the cells of `mask`; 0 where there are none. All (B, *S)."""
    error = F.smooth_l1_loss(value, goal, reduction="none", beta=HUBER)
    return (error * mask).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)


def masked_entropy(logit: Tensor, goal: Tensor, mask: Tensor) -> Tensor:
    """(B,) cross-entropy averaged over the cells of `mask`; 0 where there are none. All (B, *S)."""
    entropy = F.binary_cross_entropy_with_logits(logit, goal, reduction="none") * mask
    return entropy.flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)


def require_weights(weights: TargetWeights, channels: Sequence[str], key: str) -> None:
    """Raises InputError, naming the section `key`, unless there is a weight for each measurement of the channels."""
    if set(weights.measured) != set(wanted := tasks.measured(channels)):
        found = ", ".join(weights.measured) or "none"
        raise InputError(f"{key}.measured: expected weights of {', '.join(wanted)}, as the target has, got {found}")


def target_loss(
    decoded: Tensor,
    target: Tensor,
    channels: Sequence[str],
    observed: Tensor,
    rate: float,
    weights: TargetWeights,
    ramp: float,
) -> Tensor:
    """(B,) loss of a decoded target.

    decoded    (B, C, *S) logits of masks, values of what is measured.
    target     (B, C, *S) the same in network range; channels: their names.
    observed   (B, *S) 1 where a ray passed or ended.
    ramp       0..1, share of the weights of measurements in force: from the start on they steal latent capacity.
    """
    said, true = (dict(zip(channels, of.unbind(1), strict=True)) for of in (decoded, target))
    occupied, weight = true[OCCUPANCY], torch.where(observed > 0, 1.0, weights.unobserved)
    of_occupancy = occupancy_terms(said[OCCUPANCY], occupied, weight, rate, weights.occupancy)
    first, *further = of_occupancy.values()
    others = {
        name: weights.measured[name] * masked_huber(said[name], true[name], true[tasks.mask_of(name, channels)])
        for name in tasks.measured(channels)
    }
    others |= {name: MASKS * masked_entropy(said[name], true[name], occupied) for name in tasks.masks(channels)}
    terms.note(**of_occupancy, **{name: ramp * value for name, value in others.items()})
    return sum(further, first + ramp * sum(others.values(), torch.zeros_like(first)))
