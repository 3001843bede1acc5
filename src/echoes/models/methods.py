"""The ways to draw latents from the models of a track, decoded and timed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from echoes import seeds
from echoes.autoencoder.latents import Whitening
from echoes.autoencoder.vae import Vae
from echoes.compute.precision import half_precision
from echoes.diffusion.denoiser import Denoise, Denoiser, Model
from echoes.diffusion.guidance import Guidance
from echoes.diffusion.paths import Path
from echoes.diffusion.schedules import SigmaRange, schedule
from echoes.models.conditions import under

# Noise and the numbers of the samples it belongs to -> the latents a method gives for it.
Sample = Callable[[Denoise, Tensor, Sequence[int]], Tensor]
# Under a condition: noise of deviation 1, noise levels, path, and the noise of each step -> latents.
Solve = Callable[[Denoise, Tensor, Tensor, Path, Callable[[int], Tensor]], Tensor]
UNGUIDED = Guidance(1.0, 0.0, float("inf"))


@dataclass(frozen=True)
class Generator:
    """A network with its own encoder of the condition, how it is guided, and how it is called."""

    model: Model
    sample: Sample
    guidance: Guidance

    def latents(self, cond: Tensor, noise: Tensor, numbers: Sequence[int]) -> Tensor:
        """(B, Z, *S') whitened latents for conditions (B, ...) and noise of deviation 1."""
        return self.sample(under(self.model, cond, self.guidance), noise, numbers)


@dataclass(frozen=True)
class Decoder:
    """Whitened latents -> what the autoencoder says of them."""

    vae: Vae
    whitening: Whitening

    def __call__(self, latents: Tensor) -> Tensor:
        return self.vae.decode(self.whitening.unwhiten(latents))


def posterior_mean(denoiser: Denoiser, sigma_max: float) -> Generator:
    """One call of the denoiser at the highest noise: what a regression network would give."""

    def sample(denoise: Denoise, noise: Tensor, numbers: Sequence[int]) -> Tensor:
        return denoise(sigma_max * noise, noise.new_full((len(noise),), sigma_max))

    return Generator(denoiser, sample, UNGUIDED)


def ldm(denoiser: Denoiser, solve: Solve, levels: SigmaRange, guidance: Guidance, seed: int) -> Generator:
    """From the highest noise down to 0 by a solver, which may add fresh noise on the way."""
    sigmas = schedule(levels, denoiser.parameterization)

    def sample(denoise: Denoise, noise: Tensor, numbers: Sequence[int]) -> Tensor:
        return solve(denoise, noise, sigmas, denoiser.path, fresh(numbers, noise, seed, "ancestral"))

    return Generator(denoiser, sample, guidance)


def fresh(numbers: Sequence[int], like: Tensor, seed: int, purpose: str) -> Callable[[int], Tensor]:
    """k -> the noise of the k-th further step, in the shape of `like`."""
    return lambda k: noise_of(numbers, like.shape[1:], seed, f"{purpose}-{k}").to(like)


def seed_of(seed: int, sample: int) -> int:
    """The seed of the k-th sample of the same frames; the first has the seed itself."""
    return seed if sample == 0 else seeds.number(seed, "samples", sample)


def noise_of(numbers: Sequence[int], shape: Sequence[int], seed: int, purpose: str) -> Tensor:
    """(B, *shape) noise of deviation 1; a sample has the same one in any batch."""
    return torch.stack(
        [
            torch.randn(*shape, generator=torch.Generator().manual_seed(seeds.number(seed, purpose, int(number))))
            for number in numbers
        ]
    )


@torch.no_grad()
def decoded(
    generator: Generator,
    decoder: Decoder,
    cond: Tensor,
    numbers: Sequence[int],
    latent_shape: Sequence[int],
    seed: int,
) -> tuple[Tensor, float]:
    """(B, C, *S) decoded samples, and the seconds it took from condition to decoded grid.

    cond (B, ...) on the device of the model; numbers (B,) name the noise.
    """
    place = cond.device
    noise = noise_of(numbers, latent_shape, seed, "sample").to(place)
    start = clock(place)
    with torch.autocast(place.type, torch.bfloat16, enabled=half_precision("auto", place)):
        made = decoder(generator.latents(cond, noise, numbers))
    return made, clock(place) - start


def calls(generator: Generator, cond: Tensor, latent_shape: Sequence[int]) -> int:
    """How often a method calls its network, counted; a guided call of twice the batch counts as two."""
    count = 0

    def count_call(_: object, inputs: tuple[Tensor, ...], __: object) -> None:
        nonlocal count
        count += len(inputs[0]) // len(cond)

    hook = generator.model.network.register_forward_hook(count_call)
    with torch.no_grad():
        noise = torch.zeros(len(cond), *latent_shape, device=cond.device)
        generator.latents(cond, noise, [0] * len(cond))
    hook.remove()
    return count


def clock(place: torch.device) -> float:
    """Seconds, once all that was started on the device is done."""
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    return time.perf_counter()
