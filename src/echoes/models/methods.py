"""Every way to turn a radar frame into a cloud that evaluate compares, timed."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from echoes import seeds
from echoes.autoencoder.latents import Whitening
from echoes.autoencoder.vae import Vae
from echoes.diffusion import samplers
from echoes.diffusion.edm import Denoise, Denoiser, given
from echoes.diffusion.samplers import SigmaRange, karras_sigmas
from echoes.distillation.consistency import ConsistencyModel
from echoes.distillation.samplers import consistency
from echoes.models.clouds import Cloud, from_decoded
from echoes.models.denoisers import CdParams
from echoes.rasters.scaling import Scaling
from echoes.training.loop import half_precision

Solver = Literal["heun", "euler", "dpmpp_2m"]
SOLVERS = {"heun": samplers.heun, "euler": samplers.euler, "dpmpp_2m": samplers.dpmpp_2m}
# Noise and the frames it belongs to -> the latents a method gives for it.
Sample = Callable[[Denoise, Tensor, Sequence[int]], Tensor]


@dataclass(frozen=True)
class Generator:
    """A network with its own encoder of the condition, and how it is called."""

    model: Denoiser | ConsistencyModel
    sample: Sample


@dataclass(frozen=True)
class Decoder:
    """Latents -> clouds."""

    vae: Vae
    whitening: Whitening
    scaling: Scaling
    threshold: float


def posterior_mean(denoiser: Denoiser, sigma_max: float) -> Generator:
    """One call of the denoiser at the highest noise: what a regression network would give."""

    def sample(denoise: Denoise, noise: Tensor, frames: Sequence[int]) -> Tensor:
        return denoise(sigma_max * noise, noise.new_full((len(noise),), sigma_max))

    return Generator(denoiser, sample)


def ldm(denoiser: Denoiser, solver: Solver, levels: SigmaRange) -> Generator:
    """The probability-flow ODE from the highest noise down to 0."""
    sigmas = karras_sigmas(levels)
    return Generator(denoiser, lambda denoise, noise, frames: SOLVERS[solver](denoise, noise, sigmas))


def cd(model: ConsistencyModel, p: CdParams, between: Sequence[float], seed: int) -> Generator:
    """The consistency model in one call, and one more from each noise level in `between`, with fresh noise."""

    def sample(denoise: Denoise, noise: Tensor, frames: Sequence[int]) -> Tensor:
        def renoise(k: int) -> Tensor:
            return noise_of(frames, noise.shape[1:], seed, f"renoise-{k}").to(noise.device)

        return consistency(denoise, noise, p.sigmas.high, p.sigmas.low, between, renoise)

    return Generator(model, sample)


def noise_of(frames: Sequence[int], shape: Sequence[int], seed: int, purpose: str) -> Tensor:
    """(B, *shape) noise of deviation 1; a frame has the same one in any batch."""
    return torch.stack(
        [
            torch.randn(*shape, generator=torch.Generator().manual_seed(seeds.number(seed, purpose, int(frame))))
            for frame in frames
        ]
    )


@torch.no_grad()
def clouds(
    generator: Generator, decoder: Decoder, cond: Tensor, frames: Sequence[int], latent_shape: Sequence[int], seed: int
) -> tuple[list[Cloud], float]:
    """The clouds of a batch, and the seconds it took from condition to decoded grid.

    cond (B, ...) on the device of the model; frames (B,) name the noise.
    """
    place = cond.device
    noise = noise_of(frames, latent_shape, seed, "sample").to(place)
    start = _clock(place)
    with torch.autocast(place.type, torch.bfloat16, enabled=half_precision("auto", place)):
        features = generator.model.features(cond)
        latents = generator.sample(given(generator.model, features), noise, frames)
        decoded = decoder.vae.decode(decoder.whitening.unwhiten(latents))
    seconds = _clock(place) - start
    return from_decoded(decoded, decoder.threshold, decoder.scaling), seconds


def calls(generator: Generator, cond: Tensor, latent_shape: Sequence[int]) -> int:
    """How often a method calls its network, counted."""
    count = 0

    def count_call(*_: object) -> None:
        nonlocal count
        count += 1

    network = (
        generator.model.denoiser.network if isinstance(generator.model, ConsistencyModel) else generator.model.network
    )
    hook = network.register_forward_hook(count_call)
    with torch.no_grad():
        noise = torch.zeros(len(cond), *latent_shape, device=cond.device)
        generator.sample(given(generator.model, generator.model.features(cond)), noise, [0] * len(cond))
    hook.remove()
    return count


def _clock(place: torch.device) -> float:
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    return time.perf_counter()


def nearest_train(descriptors: Iterator[tuple[int, np.ndarray]], wanted: np.ndarray) -> np.ndarray:
    """(T,) the training frame whose radar is most like each of `wanted` (T, K), by cosine of their descriptors."""
    best, found = np.full(len(wanted), -np.inf), np.zeros(len(wanted), np.int64)
    for frame, descriptor in descriptors:
        likeness = wanted @ descriptor
        closer = likeness > best
        best[closer], found[closer] = likeness[closer], frame
    return found


def descriptor(indices: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(K,) of length 1: square roots of the radar's cells counted in columns of 4 x 4 cells, smoothed over neighbours.

    indices (M, 3) of the occupied cells; shape (D, H, W) of the grid.
    """
    height, width = shape[1] // 4, shape[2] // 4
    counts = np.zeros((height + 2, width + 2))
    np.add.at(counts, (indices[:, 1] // 4 + 1, indices[:, 2] // 4 + 1), 1.0)
    counts = np.sqrt(counts)
    smooth = counts[:-2] + 2 * counts[1:-1] + counts[2:]
    smooth = (smooth[:, :-2] + 2 * smooth[:, 1:-1] + smooth[:, 2:]).ravel()
    return smooth / max(float(np.linalg.norm(smooth)), 1e-12)
