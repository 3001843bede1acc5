"""What an encoder says of the latents: a Gaussian, or one point."""

from dataclasses import dataclass

import torch
from torch import Tensor

from echoes import batch_noise


@dataclass(frozen=True)
class Posterior:
    """Mean and logarithm of the variance of the latents, (B, Z, *S / factor) each."""

    mean: Tensor
    logvar: Tensor

    @property
    def std(self) -> Tensor:
        return torch.exp(0.5 * self.logvar)

    def sample(self) -> Tensor:
        return self.mean + batch_noise.normal_like(self.mean) * self.std

    def kl(self) -> Tensor:
        """(B,) divergence from N(0, 1), mean over latents (Kingma and Welling 2014, Appendix B)."""
        return 0.5 * (self.mean**2 + self.logvar.exp() - 1 - self.logvar).flatten(1).mean(1)


@dataclass(frozen=True)
class Point:
    """A posterior without spread: the values before they are quantized, (B, Z, *S / factor)."""

    mean: Tensor

    @property
    def std(self) -> Tensor:
        return torch.zeros_like(self.mean)

    def sample(self) -> Tensor:
        return self.mean
