"""Reconstruction of sparse occupancy with masked regressions + penalty of the bottleneck, per sample.

Occupancy is a logit under cross-entropy, scaled to the share of occupied cells, plus a soft Dice
term; what occupied cells measured is regressed on those cells alone.
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

# In network range, where the loss turns from square to linear: below it lies the noise of what is measured,
# which is not worth latent capacity; the Doppler of what moves lies above.
HUBER = 0.1
VALIDITY = 0.3  # weight of whether Doppler and power are known: it is evidence of no surface


class MeasurementWeights(Protocol):
    """Weights of what occupied cells measured, and of the cells that no ray reached."""

    @property
    def reflectivity(self) -> float: ...
    @property
    def doppler(self) -> float: ...
    @property
    def power(self) -> float: ...
    @property
    def unobserved(self) -> float: ...


def occupancy_loss(logit: Tensor, occupied: Tensor, weight: Tensor, rate: float) -> Tensor:
    """(B,) cross-entropy / (2 rate) + soft Dice (Milletari et al. 2016, Eq. 1 without squares), over weighted cells.

    logit, occupied, weight  (B, *S); rate: share of occupied cells in the training set.
    """
    entropy = F.binary_cross_entropy_with_logits(logit, occupied, reduction="none")
    entropy = (entropy * weight).flatten(1).mean(1) / (2 * rate)
    probability = logit.sigmoid() * weight
    shared = (probability * occupied).flatten(1).sum(1)
    total = probability.flatten(1).sum(1) + (occupied * weight).flatten(1).sum(1)
    return entropy + 1 - (2 * shared + 1) / (total + 1)


def masked_huber(value: Tensor, goal: Tensor, mask: Tensor) -> Tensor:
    """(B,) Huber loss averaged over the cells of `mask`; 0 where there are none. All (B, *S)."""
    error = F.smooth_l1_loss(value, goal, reduction="none", beta=HUBER)
    return (error * mask).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)


def target_loss(
    decoded: Tensor,
    target: Tensor,
    observed: Tensor,
    penalty: Tensor,
    rate: float,
    weights: MeasurementWeights,
    ramp: float,
) -> Tensor:
    """(B,) loss of a decoded target.

    decoded    (B, 5, *S) logits of occupancy and Doppler-valid, values of reflectivity, Doppler, power.
    target     (B, 5, *S) occupancy, reflectivity, Doppler, Doppler-valid, power, in network range.
    observed   (B, *S) 1 where a ray passed or ended.
    penalty    (B,) weighted penalty of the bottleneck.
    ramp       0..1, share of the regression weight in force: from the start on it steals latent capacity.
    """
    occupied, reflectivity, doppler, valid, power = target.unbind(1)
    weight = torch.where(observed > 0, 1.0, weights.unobserved)
    structure = occupancy_loss(decoded[:, 0], occupied, weight, rate)
    values = weights.reflectivity * masked_huber(decoded[:, 1], reflectivity, occupied)
    values = values + weights.doppler * masked_huber(decoded[:, 2], doppler, valid)
    values = values + weights.power * masked_huber(decoded[:, 4], power, valid)
    validity = F.binary_cross_entropy_with_logits(decoded[:, 3], valid, reduction="none") * occupied
    validity = validity.flatten(1).sum(1) / occupied.flatten(1).sum(1).clamp(min=1)
    return structure + ramp * (values + VALIDITY * validity) + penalty
