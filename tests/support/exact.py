"""Denoisers, paths and consistency functions that are known exactly, for Gaussians and a mixture of them."""

import torch
from scipy.optimize import brentq
from scipy.stats import norm
from torch import Tensor, nn

from echoes.diffusion.edm import expand


class Gaussian:
    """Data N(mean, std^2) in every cell."""

    def __init__(self, mean: float, std: float) -> None:
        self.mean, self.std = mean, std

    def denoise(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """E[clean | noisy]: the two precisions weigh mean and observation."""
        variance = expand(sigma, noisy) ** 2
        return (self.std**2 * noisy + variance * self.mean) / (self.std**2 + variance)

    def path(self, x: float, start: float, sigma: float) -> float:
        """Where the probability-flow ODE takes `x` at noise level `start` when it reaches `sigma`."""
        shrink = ((self.std**2 + sigma**2) / (self.std**2 + start**2)) ** 0.5
        return self.mean + (x - self.mean) * shrink

    def consistency(self, sigma_min: float):
        """The exact consistency function f(x, sigma)."""

        def f(noisy: Tensor, sigma: Tensor) -> Tensor:
            shrink = ((self.std**2 + sigma_min**2) / (self.std**2 + sigma**2)).sqrt()
            return self.mean + (noisy - self.mean) * expand(shrink, noisy)

        return f


class Mixture:
    """Data from a mixture of Gaussians on the line; every cell is a sample of its own."""

    def __init__(self, weights: tuple[float, ...], means: tuple[float, ...], stds: tuple[float, ...]) -> None:
        self.weights, self.means, self.stds = weights, means, stds

    def denoise(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """E[clean | noisy]: the Gaussians' own answers, weighted with how likely each of them is."""
        variance = expand(sigma, noisy)[..., None] ** 2
        weights, means, stds = (torch.tensor(v, dtype=noisy.dtype) for v in (self.weights, self.means, self.stds))
        total, x = stds**2 + variance, noisy[..., None]
        likely = (weights.log() - 0.5 * total.log() - (x - means) ** 2 / (2 * total)).softmax(-1)
        return (likely * (stds**2 * x + variance * means) / total).sum(-1)

    def draw(self, shape: tuple[int, ...]) -> Tensor:
        which = torch.multinomial(torch.tensor(self.weights), shape.numel(), replacement=True).reshape(shape)
        return torch.tensor(self.means)[which] + torch.tensor(self.stds)[which] * torch.randn(shape)

    def quantile(self, share: float, sigma: float) -> float:
        """x with `share` of the data, blurred by `sigma`, below it."""

        def excess(x: float) -> float:
            parts = zip(self.weights, self.means, self.stds, strict=True)
            return sum(w * norm.cdf(x, m, (s**2 + sigma**2) ** 0.5) for w, m, s in parts) - share

        return float(brentq(excess, -1000.0, 1000.0, xtol=1e-14))

    def below(self, x: float, sigma: float) -> float:
        """Share of the data, blurred by `sigma`, below x."""
        parts = zip(self.weights, self.means, self.stds, strict=True)
        return sum(float(w * norm.cdf(x, m, (s**2 + sigma**2) ** 0.5)) for w, m, s in parts)


# The mixture of reference values: three modes of unequal weight.
MIXTURE = Mixture((0.3, 0.5, 0.2), (-1.0, 0.2, 1.4), (0.15, 0.3, 0.1))


class Zero(nn.Module):
    """The network that is optimal for Gaussian data of deviation sigma_data."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor, c_noise: Tensor, features: Tensor | None = None) -> Tensor:
        self.calls += 1
        return torch.zeros_like(x)
