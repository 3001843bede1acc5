"""Vector quantization with a codebook of running averages (van den Oord et al. 2017, Appendix A.1)."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from echoes.autoencoder import codes
from echoes.autoencoder.posteriors import Point, Posterior
from echoes.compute import distributed
from echoes.errors import InputError

SMOOTHING = 1e-5  # pseudo-count of each code


@dataclass(frozen=True)
class VqConfig:
    """Number of codes."""

    codes: int

    def __post_init__(self) -> None:
        if self.codes < 2:
            raise InputError(f"codes: expected at least 2, got {self.codes}")


@dataclass(frozen=True)
class CodebookTraining:
    """decay of the running averages, weight of the commitment, steps unused until a code is restarted."""

    decay: float
    commitment: float
    restart: int

    def __post_init__(self) -> None:
        if self.restart < 1:
            raise InputError(f"restart: expected at least 1, got {self.restart}")
        if not 0 <= self.decay < 1:
            raise InputError(f"decay: expected at least 0 and less than 1, got {self.decay}")
        if self.commitment < 0:
            raise InputError(f"commitment: expected 0 or more, got {self.commitment}")


class BottleneckWeights(Protocol):
    """What the loss of an autoencoder says of its bottleneck: kl weighs a Gaussian one, vq is of a codebook."""

    @property
    def kl(self) -> float: ...
    @property
    def vq(self) -> CodebookTraining: ...


class VectorQuantizer(nn.Module):
    """Each latent vector becomes its nearest code; codes follow the running mean of the vectors they stand for.

    The codebook starts from vectors of the first batch. A code that no vector chose for `restart` steps
    moves to a vector of the batch (Dhariwal et al. 2020). `idle` counts the steps since a code was
    chosen and a restart leaves it as it is, so that a moved code does not pass for a used one.
    """

    codebook: Tensor  # (K, Z)
    size: Tensor  # (K,) running number of vectors of each code
    total: Tensor  # (K, Z) running sum of the vectors of each code
    idle: Tensor  # (K,) steps since a vector chose the code
    last: Tensor  # (K,) vectors of each code in the last batch
    started: Tensor  # whether the codebook has seen data

    def __init__(self, channels: int, config: VqConfig) -> None:
        super().__init__()
        self.moments, self.codes = channels, config.codes
        self.register_buffer("codebook", torch.zeros(config.codes, channels))
        self.register_buffer("size", torch.ones(config.codes))
        self.register_buffer("total", torch.zeros(config.codes, channels))
        self.register_buffer("idle", torch.zeros(config.codes, dtype=torch.int64))
        self.register_buffer("last", torch.zeros(config.codes, dtype=torch.int64))
        self.register_buffer("started", torch.tensor(False))

    def posterior(self, moments: Tensor) -> Point:
        """(B, Z, *S) -> the same, as latents before they are quantized."""
        return Point(moments)

    def quantize(self, raw_latents: Tensor) -> Tensor:
        """(B, Z, *S) -> their nearest codes, with the gradient of `raw_latents`."""
        return codes.straight_through(raw_latents, self._chosen(raw_latents))

    def penalty(self, posterior: Posterior | Point, weights: BottleneckWeights) -> Tensor:
        """(B,) commitment: mean squared distance of the latents to their codes (van den Oord et al. 2017, Eq. 3)."""
        gap = posterior.mean - self._chosen(posterior.mean.detach())
        return weights.vq.commitment * gap.square().flatten(1).mean(1)

    def counts(self, raw_latents: Tensor) -> Tensor:
        """(K,) how often each code occurs."""
        return torch.bincount(codes.nearest(codes.flat(raw_latents), self.codebook), minlength=self.codes)

    def usage(self) -> dict[str, float]:
        return codes.usage(self.last)

    @torch.no_grad()
    def update(self, raw_latents: Tensor, weights: BottleneckWeights) -> None:
        """Move the codes towards the means of their vectors in a batch (B, Z, *S), and restart dead ones."""
        vectors = distributed.all_rows(codes.flat(raw_latents.detach()).float())
        if not self.started:
            self._place(torch.arange(self.codes, device=vectors.device), vectors)
            self.started.fill_(True)
        index = codes.nearest(vectors, self.codebook)
        self.last.copy_(torch.bincount(index, minlength=self.codes))
        self.size.lerp_(self.last.float(), 1 - weights.vq.decay)
        self.total.lerp_(codes.sums(vectors, index, self.codes), 1 - weights.vq.decay)
        mass = self.size.sum()
        smooth = (self.size + SMOOTHING) / (mass + self.codes * SMOOTHING) * mass
        self.codebook.copy_(self.total / smooth[:, None])
        self.idle.copy_(torch.where(self.last > 0, 0, self.idle + 1))
        dead = (self.idle > 0) & (self.idle % weights.vq.restart == 0)
        self._place(dead.nonzero()[:, 0], vectors)

    def _chosen(self, latents: Tensor) -> Tensor:
        return codes.unflat(self.codebook[codes.nearest(codes.flat(latents), self.codebook)], latents)

    def _place(self, which: Tensor, vectors: Tensor) -> None:
        """Put codes (M,) on vectors drawn from (N, Z), each as if it had stood for one vector."""
        drawn = vectors[torch.randint(len(vectors), (len(which),), device=vectors.device)]
        self.codebook[which], self.total[which], self.size[which] = drawn, drawn, 1.0
