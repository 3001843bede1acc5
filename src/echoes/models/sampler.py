"""How a track makes decoded samples: a model, its steps from noise to latents, its guidance, its decoder, its seed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from echoes import seeds
from echoes.autoencoder.architecture import Autoencoder
from echoes.autoencoder.latents import Whitening
from echoes.compute.device import device_of
from echoes.compute.precision import autocast
from echoes.diffusion.denoiser import Denoise, Denoiser, Model
from echoes.diffusion.guidance import Guidance
from echoes.diffusion.paths import Path
from echoes.diffusion.schedules import SigmaRange, schedule
from echoes.models.conditions import conditioned

FreshNoise = Callable[[str], Tensor]  # purpose -> (B, Z, *S') noise of deviation 1, each sample's its own
# A model under a condition, (B, Z, *S') noise of deviation 1, and more noise where it is needed -> whitened latents.
Steps = Callable[[Denoise, Tensor, FreshNoise], Tensor]
# The same down given noise levels along a path.
Solve = Callable[[Denoise, Tensor, Tensor, Path, FreshNoise], Tensor]
UNGUIDED = Guidance(1.0, 0.0, float("inf"))


@dataclass(frozen=True)
class Decoder:
    """Whitened latents -> what the autoencoder says of them."""

    vae: Autoencoder
    whitening: Whitening

    def __call__(self, latents: Tensor) -> Tensor:
        return self.vae.decode(self.whitening.unwhiten(latents))


@dataclass(frozen=True)
class Sampler:
    """Conditions and the numbers of samples -> decoded grids; a sample is the same in any batch.

    model         a denoiser or a consistency model, with its own encoder of the condition.
    steps         how the model is called, from noise to latents.
    latent_shape  (Z, *S') of one sample.
    seed          of all noise.
    """

    model: Model
    steps: Steps
    guidance: Guidance
    decoder: Decoder
    latent_shape: tuple[int, ...]
    seed: int

    @property
    def device(self) -> torch.device:
        """Of the model: where conditions must be."""
        return device_of(self.model)

    def __call__(self, cond: Tensor, sample_ids: Sequence[int]) -> Tensor:
        """(B, C, *S) decoded samples.

        cond        (B, ...) what the model's conditioner takes, on the device of the model.
        sample_ids  (B,) name the noise.
        """
        return self.decoded(cond, self.noise(sample_ids, "sample"), sample_ids)

    def noise(self, sample_ids: Sequence[int], purpose: str) -> Tensor:
        """(B, Z, *S') noise of deviation 1 on the device of the model; a sample has the same in any batch."""
        return noise_of(sample_ids, self.latent_shape, self.seed, purpose).to(self.device)

    @torch.no_grad()
    def decoded(self, cond: Tensor, noise: Tensor, sample_ids: Sequence[int]) -> Tensor:
        """(B, C, *S) from noise (B, Z, *S') of deviation 1, in half precision where the device is faster in it."""
        with autocast(noise.device):
            return self.decoder(self.latents(cond, noise, sample_ids))

    def latents(self, cond: Tensor, noise: Tensor, sample_ids: Sequence[int]) -> Tensor:
        """(B, Z, *S') whitened latents from noise of deviation 1, in the precision of the caller."""

        def fresh(purpose: str) -> Tensor:
            return noise_of(sample_ids, noise.shape[1:], self.seed, purpose).to(noise)

        return self.steps(conditioned(self.model, cond, self.guidance), noise, fresh)


def regressing(sigma_max: float) -> Steps:
    """One call of the denoiser at the highest noise, its posterior mean: what a regression network would give."""

    def steps(denoise: Denoise, noise: Tensor, _: FreshNoise) -> Tensor:
        return denoise(sigma_max * noise, noise.new_full((len(noise),), sigma_max))

    return steps


def solving(denoiser: Denoiser, solve: Solve, levels: SigmaRange) -> Steps:
    """From the highest noise of a denoiser down to 0 by a solver, which may add fresh noise on the way."""
    sigmas = schedule(levels, denoiser.parameterization)

    def steps(denoise: Denoise, noise: Tensor, fresh: FreshNoise) -> Tensor:
        return solve(denoise, noise, sigmas, denoiser.path, fresh)

    return steps


def seed_of(seed: int, sample: int) -> int:
    """The seed of the k-th sample of the same frames; the first has the seed itself."""
    return seed if sample == 0 else seeds.number(seed, "samples", sample)


def noise_of(sample_ids: Sequence[int], shape: Sequence[int], seed: int, purpose: str) -> Tensor:
    """(B, *shape) noise of deviation 1; a sample has the same one in any batch."""
    return torch.stack(
        [
            torch.randn(*shape, generator=torch.Generator().manual_seed(seeds.number(seed, purpose, int(sample_id))))
            for sample_id in sample_ids
        ]
    )


def timed(sampler: Sampler, cond: Tensor, sample_ids: Sequence[int]) -> tuple[Tensor, float]:
    """Decoded samples, and the seconds from condition and noise to decoded grids."""
    noise = sampler.noise(sample_ids, "sample")
    start = clock(sampler.device)
    made = sampler.decoded(cond, noise, sample_ids)
    return made, clock(sampler.device) - start


def calls(sampler: Sampler, cond: Tensor) -> int:
    """How often a sampler calls its network, counted; a guided call of twice the batch counts as two."""
    count = 0

    def count_call(_: object, inputs: tuple[Tensor, ...], __: object) -> None:
        nonlocal count
        count += len(inputs[0]) // len(cond)

    hook = sampler.model.network.register_forward_hook(count_call)
    with torch.no_grad():
        noise = torch.zeros(len(cond), *sampler.latent_shape, device=cond.device)
        sampler.latents(cond, noise, [0] * len(cond))
    hook.remove()
    return count


def clock(device: torch.device) -> float:
    """Seconds, once all that was started on the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
