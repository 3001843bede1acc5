"""One training step of the default models: precision and memory layout, side by side.

python bench/training_step.py
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from statistics import median
from time import perf_counter

import torch
from torch import nn

from echoes import params
from echoes.autoencoder.fitting import objective
from echoes.autoencoder.latents import Whitening
from echoes.autoencoder.loss import LossWeights
from echoes.models import autoencoders, denoisers, objectives
from echoes.models.batches import LatentBatch
from echoes.provenance import Header

RUNS = 5
CPU = torch.device("cpu")
SHAPE, LATENTS = (16, 64, 64), (4, 4, 16, 16)  # of the default grid of radar
SPECTROGRAM_LATENTS = (4, 16, 16)
LABELS = {"user": ["1", "2", "3", "4", "5", "6", "drone"], "activity": ["fall", "fly", "run", "sit", "walk", "wave"]}

Step = tuple[nn.Module, Callable[[], torch.Tensor]]


def autoencoder_step(p: autoencoders.VaeParams) -> Step:
    vae = autoencoders.build(p, rank=3, channels=5)
    target = (torch.rand(p.batch, 5, *SHAPE) < 0.02).float()
    assert isinstance(p.loss, LossWeights)
    loss = objective(vae, 0.02, p.loss, CPU)
    return vae, lambda: loss((target, torch.ones(p.batch, *SHAPE), 1.0)).mean()


def radar_step(p: denoisers.LdmParams) -> Step:
    return denoiser_step(p, LATENTS, {}, torch.zeros(p.batch, 4, *SHAPE))


def spectrogram_step(p: denoisers.LdmParams) -> Step:
    known = {"kinds": list(LABELS), "labels": LABELS}
    return denoiser_step(p, SPECTROGRAM_LATENTS, known, torch.zeros(p.batch, len(LABELS), dtype=torch.int64))


def denoiser_step(
    p: denoisers.LdmParams, shape: tuple[int, ...], known: Mapping[str, object], cond: torch.Tensor
) -> Step:
    """known: what the header of the latents tells of labels."""
    content = {"latent_shape": list(shape), "compression": 4, **known}
    denoiser = denoisers.build(Header("latents", {}, {}, content), p)
    mean = torch.randn(p.batch, *shape)
    batch = LatentBatch(mean, torch.zeros_like(mean), cond)
    loss = objectives.denoising(denoiser, p, Whitening((0.0,) * shape[0], (1.0,) * shape[0]), CPU)
    return denoiser, lambda: loss(batch).mean()


def milliseconds(step: Callable[[], torch.Tensor], half: bool) -> float:
    """Median of a forward and backward pass."""
    times = []
    for _ in range(RUNS + 1):
        start = perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            value = step()
        value.backward()
        times.append(1000 * (perf_counter() - start))
    return median(times[1:])


def main() -> None:
    vae = params.load(autoencoders.VaeParams, "radar.vae")
    ldm = params.load(denoisers.LdmParams, "radar.ldm")
    people = params.load(denoisers.LdmParams, "microdoppler.ldm")
    print(f"{torch.get_num_threads()} threads; batch {vae.batch}, {ldm.batch} and {people.batch}; ms per step")
    steps: dict[str, tuple[Callable[[], Step], torch.memory_format]] = {
        "radar autoencoder": (lambda: autoencoder_step(vae), torch.channels_last_3d),
        f"radar {ldm.network}": (lambda: radar_step(ldm), torch.channels_last_3d),
        "microdoppler unet": (lambda: spectrogram_step(replace(people, network="unet")), torch.channels_last),
        "microdoppler dit": (lambda: spectrogram_step(replace(people, network="dit")), torch.channels_last),
    }
    for (name, (make, layout)), half, last in product(steps.items(), (False, True), (False, True)):
        module, step = make()
        if last:
            module.to(memory_format=layout)
        told = ("bfloat16" if half else "float32", "channels last" if last else "contiguous")
        print(f"{name:18} {told[0]:9} {told[1]:14} {milliseconds(step, half):8.0f}")


if __name__ == "__main__":
    main()
