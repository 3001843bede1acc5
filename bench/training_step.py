"""One training step of the default autoencoder and denoiser: precision and memory layout, side by side.

python bench/training_step.py
"""

from collections.abc import Callable
from itertools import product
from statistics import median
from time import perf_counter

import torch
from torch import nn

from echoes import params
from echoes.autoencoder.fitting import objective
from echoes.diffusion import edm
from echoes.models import autoencoders, denoisers

RUNS = 5
SHAPE = (16, 64, 64)  # of the default grid


def autoencoder_step(p: autoencoders.VaeParams) -> tuple[nn.Module, Callable[[], torch.Tensor]]:
    vae = autoencoders.build(p, rank=3, channels=5)
    target = (torch.rand(p.batch, 5, *SHAPE) < 0.02).float()
    loss = objective(vae, 0.02, p.loss, torch.device("cpu"))
    return vae, lambda: loss((target, torch.ones(p.batch, *SHAPE), 1.0)).mean()


def denoiser_step(p: denoisers.LdmParams) -> tuple[nn.Module, Callable[[], torch.Tensor]]:
    denoiser = denoisers.build(p, 3, 4, 4)
    clean, radar = torch.randn(p.batch, 4, *(s // 4 for s in SHAPE)), torch.zeros(p.batch, 4, *SHAPE)
    return denoiser, lambda: edm.loss(denoiser, clean, p.noise, denoiser.features(radar)).mean()


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
    print(f"{torch.get_num_threads()} threads; batch {vae.batch} and {ldm.batch}; ms per step")
    for name, make in (("autoencoder", lambda: autoencoder_step(vae)), ("denoiser", lambda: denoiser_step(ldm))):
        for half, last in product((False, True), (False, True)):
            module, step = make()
            if last:
                module.to(memory_format=torch.channels_last_3d)
            layout = "channels_last_3d" if last else "contiguous"
            precision = "bfloat16" if half else "float32"
            print(f"{name:12} {precision:9} {layout:17} {milliseconds(step, half):8.0f}")


if __name__ == "__main__":
    main()
