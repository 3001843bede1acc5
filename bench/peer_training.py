"""Steps of autoencoder and denoiser beside those of MONAI and diffusers: the same loss and optimiser."""

from collections.abc import Callable
from functools import partial

import torch
from peer_autoencoders import KL, Reconstruct, diffusers_autoencoder, monai_autoencoder, our_autoencoder
from peer_denoisers import (
    CLASSES,
    LATENT,
    Predict,
    diffusers_dit,
    diffusers_unet,
    million,
    monai_unet,
    our_dit,
    our_unet,
)
from torch import Tensor, nn
from training_step import channels, sizes
from turns import Work, optional, table

from echoes.compute.precision import autocast

CPU = torch.device("cpu")
BATCHES = {"radar": (8, 16), "microdoppler": (16, 16)}  # of the autoencoder and of the denoiser, as shipped
ROUNDS = 7


def stepping(name: str, network: nn.Module, loss: Callable[[], Tensor], note: str) -> Work:
    """Forward and backward in what the processor is fastest in, the norm clipped, AdamW."""
    optimiser = torch.optim.AdamW(network.train().parameters(), lr=1e-4)

    def run() -> None:
        optimiser.zero_grad()
        with autocast(CPU):
            value = loss()
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()

    return Work(name, run, ", ".join(part for part in (million(network), note) if part))


def autoencoding(name: str, track: str, build: Callable[[str], tuple[nn.Module, Reconstruct]]) -> Work:
    network, reconstruct = build(track)
    x = torch.rand(BATCHES[track][0], channels(track), *sizes(track)) * 2 - 1

    def loss() -> Tensor:
        found, mean, std = reconstruct(x)
        kl = (mean.square() + std.square() - 1).float() / 2 - std.float().log()
        return (found - x).float().square().mean() + KL * kl.mean()

    return stepping(name, network, loss, "")


def denoising(name: str, rank: int, batch: int, build: Callable[[int], tuple[nn.Module, Predict]], note: str) -> Work:
    network, predict = build(batch)
    clean = torch.randn(batch, *LATENT[rank])

    def loss() -> Tensor:
        time, noise = torch.rand(batch), torch.randn_like(clean)
        share = time.reshape(-1, *[1] * rank, 1)
        found = predict((1 - share) * clean + share * noise, time)
        return (found.float() - (noise - clean)).square().mean()

    return stepping(name, network, loss, note)


def of_classes(make: Callable[[], nn.Module], batch: int) -> tuple[nn.Module, Predict]:
    """A network of diffusers that takes a class in place of our labels."""
    network, classes = make(), torch.randint(CLASSES, (batch,))
    return network, lambda x, time: network(x, (1000 * time).long(), class_labels=classes).sample


def told(title: str, rows: list[tuple[str, Callable[[str], Work]]]) -> None:
    print(f"\n{table(title, [optional(name, partial(make, name)) for name, make in rows], ROUNDS)}", flush=True)


def main() -> None:
    torch.manual_seed(0)
    threads = f"{torch.get_num_threads()} threads"
    told(
        f"A step of the autoencoder of clouds, batch 8 of (5, 16, 64, 64), {threads}",
        [
            ("autoencoder of radar", lambda name: autoencoding(name, "radar", our_autoencoder)),
            ("MONAI, AutoencoderKL", lambda name: autoencoding(name, "radar", monai_autoencoder)),
        ],
    )
    told(
        f"A step of the autoencoder of spectrograms, batch 16 of (1, 64, 64), {threads}",
        [
            ("autoencoder of microdoppler", lambda name: autoencoding(name, "microdoppler", our_autoencoder)),
            ("MONAI, AutoencoderKL", lambda name: autoencoding(name, "microdoppler", monai_autoencoder)),
            ("diffusers, AutoencoderKL", lambda name: autoencoding(name, "microdoppler", diffusers_autoencoder)),
        ],
    )
    told(
        f"A step of the denoiser of clouds, batch 16 of (4, 4, 16, 16) and 32 channels of condition, {threads}",
        [
            ("U-Net of radar", lambda name: denoising(name, 3, 16, partial(our_unet, "radar"), "")),
            ("MONAI, DiffusionModelUNet", lambda name: denoising(name, 3, 16, partial(monai_unet, 3), "")),
        ],
    )
    spectrograms = f"batch 16 of (4, 16, 16), {threads}"
    unet = partial(of_classes, partial(diffusers_unet, num_class_embeds=CLASSES))
    told(
        f"A step of the denoiser of spectrograms, {spectrograms}",
        [
            ("U-Net of microdoppler", lambda name: denoising(name, 2, 16, partial(our_unet, "microdoppler"), "")),
            ("MONAI, DiffusionModelUNet", lambda name: denoising(name, 2, 16, partial(monai_unet, 2), "")),
            ("diffusers, UNet2DModel", lambda name: denoising(name, 2, 16, unet, "")),
        ],
    )
    dit = partial(of_classes, diffusers_dit)
    told(
        f"A step of a transformer of spectrograms, {spectrograms}",
        [
            ("DiT, tiny", lambda name: denoising(name, 2, 16, partial(our_dit, "microdoppler"), "6 blocks")),
            ("diffusers, DiTTransformer2DModel", lambda name: denoising(name, 2, 16, dit, "4 blocks")),
        ],
    )
