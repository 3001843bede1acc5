"""Latents aligned to the features of a frozen network: the two losses of VA-VAE (Yao et al. 2025)."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes.autoencoder.equivariance import rescale
from echoes.autoencoder.loss_weights import AlignmentConfig
from echoes.compute import distributed

STABILITY = 1e-4  # added to the norm of the gradient that divides
MAX_WEIGHT = 1e8


class Teacher(Protocol):
    """A frozen network that knows what spectrograms (B, C, F, T) show."""

    def maps(self, x: Tensor, /) -> Tensor:
        """(B, K, *S) features of each place."""
        ...

    def depths(self, x: Tensor, /) -> Sequence[Tensor]:
        """The same of several depths."""
        ...


def cosine_loss(projected: Tensor, features: Tensor, margin: float) -> Tensor:
    """(B,) marginal cosine similarity: mean over places of relu(1 - margin - cos).

    projected, features  (B, K, *S).
    """
    cosine = F.cosine_similarity(projected.flatten(2), features.flatten(2), dim=1)
    return F.relu(1 - margin - cosine).mean(1)


def distance_loss(latents: Tensor, features: Tensor, margin: float) -> Tensor:
    """(B,) marginal distance matrix similarity: mean over pairs of places of relu(|cos z - cos f| - margin).

    latents (B, Z, *S), features (B, K, *S).
    """
    return F.relu((_cosines(latents) - _cosines(features)).abs() - margin).flatten(1).mean(1)


def adaptive_weight(reconstruction: Tensor, alignment: Tensor, last: Tensor) -> Tensor:
    """() what makes the gradient of `alignment` in the encoder's last weights as long as that of `reconstruction`.

    Both losses are (n,), one number per sample of the part of the batch; the gradients are those of their means over
    the whole batch. The weight carries no gradient of its own.
    """
    size = distributed.total(torch.tensor(float(len(reconstruction)), device=last.device))
    gradients = (torch.autograd.grad(loss.sum(), last, retain_graph=True)[0] for loss in (reconstruction, alignment))
    lengths = [(distributed.total(gradient) / size).norm() for gradient in gradients]
    return (lengths[0] / (lengths[1] + STABILITY)).clamp(0, MAX_WEIGHT).detach()


class Aligner(nn.Module):
    """A linear map of latents to features, learned beside the autoencoder, and the losses against a teacher."""

    def __init__(
        self, maps: Callable[[Tensor], Tensor], latent_channels: int, features: int, config: AlignmentConfig
    ) -> None:
        """maps: (B, C, *S) -> (B, K, *S') of the teacher, as a function: no part of what is trained."""
        super().__init__()
        self._maps, self.config = maps, config
        self.projection = nn.Linear(latent_channels, features, bias=False)

    def forward(self, raw_latents: Tensor, clean: Tensor) -> Tensor:
        """(B,) both losses of latents (B, Z, *S / factor) against the teacher's features of clean (B, C, *S)."""
        with torch.no_grad():
            features = rescale(self._maps(clean).float(), list(raw_latents.shape[2:]))
        with torch.autocast(clean.device.type, enabled=False):
            projected = self.projection(raw_latents.float().movedim(1, -1)).movedim(-1, 1)
            angles = cosine_loss(projected, features, self.config.cosine_margin)
            return angles + distance_loss(raw_latents.float(), features, self.config.distance_margin)


def _cosines(x: Tensor) -> Tensor:
    """(B, C, *S) -> (B, P, P) cosine between every two of the P places."""
    unit = F.normalize(x.flatten(2), dim=1)
    return unit.transpose(1, 2) @ unit
