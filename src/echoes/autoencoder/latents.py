"""Posterior mean and std <-> whitened latents, per channel, with statistics of the train split."""

from dataclasses import dataclass

import torch
from torch import Tensor

from echoes.errors import InputError


@dataclass(frozen=True)
class Whitening:
    """Mean and standard deviation of each latent channel, (Z,) each."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not all(std > 0 for std in self.std):
            raise InputError(f"std: expected {len(self.mean)} deviations of more than 0, got {list(self.std)}")

    def whiten(self, raw_latents: Tensor) -> Tensor:
        """(B, Z, *S) latents of the autoencoder -> mean 0 and deviation 1 per channel."""
        mean, std = self._spread(raw_latents)
        return (raw_latents - mean) / std

    def unwhiten(self, latents: Tensor) -> Tensor:
        """The inverse of `whiten`."""
        mean, std = self._spread(latents)
        return latents * std + mean

    def _spread(self, like: Tensor) -> tuple[Tensor, Tensor]:
        shape = (1, -1, *[1] * (like.ndim - 2))
        mean, std = (
            torch.tensor(v, device=like.device, dtype=like.dtype).reshape(shape) for v in (self.mean, self.std)
        )
        return mean, std


class Moments:
    """Sums over samples that arrive batch by batch, for the statistics of latents drawn from their posteriors."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = torch.zeros(1, dtype=torch.float64)
        self._squares = torch.zeros(1, dtype=torch.float64)
        self._noise = torch.zeros(1, dtype=torch.float64)

    def add(self, mean: Tensor, std: Tensor) -> None:
        """Take posterior means and deviations (B, Z, *S) in (Chan et al. 1983, Eq. 1.5)."""
        values = mean.double().transpose(0, 1).flatten(1)
        count, centre = values.shape[1], values.mean(1)
        total = self._count + count
        shift = centre - self._mean
        self._squares = (
            self._squares + ((values - centre[:, None]) ** 2).sum(1) + shift**2 * self._count * count / total
        )
        self._mean = self._mean + shift * count / total
        self._noise = self._noise + (std.double().transpose(0, 1).flatten(1) ** 2).sum(1)
        self._count = total

    def whitening(self) -> Whitening:
        """Raises InputError for a channel that never changes: an autoencoder that does not use it."""
        std = ((self._squares + self._noise) / self._count).sqrt()
        if not bool((std > 1e-6).all()):
            raise InputError(f"latents: expected every channel to vary, got standard deviations {std.tolist()}")
        return Whitening(tuple(self._mean.tolist()), tuple(std.tolist()))
