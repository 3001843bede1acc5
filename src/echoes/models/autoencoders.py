"""The autoencoder of a track: built from its params, saved, and rebuilt from its file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from echoes import params, weights
from echoes.autoencoder import quantizers
from echoes.autoencoder.codebook import VqConfig
from echoes.autoencoder.loss_weights import LossWeights, SpectrogramLoss
from echoes.autoencoder.scalars import FsqConfig
from echoes.autoencoder.vae import SIZES, Vae, VaeConfig
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.grids import Axis
from echoes.provenance import Header
from echoes.training.schedule import StageSchedule, check_share


@dataclass(frozen=True)
class VaeParams(StageSchedule):
    """The section `<track>.vae`.

    variant  what lies between encoder and decoder: a Gaussian, a learned codebook (vq), finite scalars (fsq).
    size     a name, or explicit numbers.
    """

    variant: Literal["kl", "vq", "fsq"]
    vq: VqConfig
    fsq: FsqConfig
    size: Literal["tiny", "ultra_lightweight", "lightweight", "standard", "f8d4", "f16d32"] | VaeConfig
    loss: LossWeights | SpectrogramLoss
    mirror: bool
    ema: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("ema", self.ema)
        # Both ask of a batch what does not add up over its parts.
        if self.accumulate > 1 and self.variant == "vq":
            raise InputError(f"accumulate: expected 1 for vq, whose codes move with each batch, got {self.accumulate}")
        if self.accumulate > 1 and isinstance(self.loss, SpectrogramLoss) and self.loss.alignment.weight:
            raise InputError(f"accumulate: expected 1 where latents are aligned, got {self.accumulate}")


def build(p: VaeParams, rank: int, channels: int) -> Vae:
    config = p.size if isinstance(p.size, VaeConfig) else SIZES[p.size]
    bottleneck = quantizers.build(p.variant, config.latent_channels, p.loss.kl, p.vq, p.fsq)
    return Vae(rank, channels, config, bottleneck)


def save(vae: Vae, p: VaeParams, data: Grids | Spectrograms, parents: Mapping[str, str], path: Path) -> None:
    """parents: kind -> identity of all that the weights were made from."""
    content = {**data.facts, "channels": data.channels}
    weights.save(vae.state_dict(), Header("vae", asdict(p), parents, content), path)


@dataclass(frozen=True)
class _Told:
    """What of its data an autoencoder is built for."""

    axes: tuple[Axis, ...]
    channels: int


def load(path: Path, device: torch.device) -> tuple[Vae, Header]:
    """The autoencoder for inference, on `device`, and its header."""
    tensors, header = weights.load(path, "vae")
    p: VaeParams = params.build(VaeParams, header.params, f"{path}: params")
    told: _Told = params.build_known(_Told, header.content, f"{path}: header")
    vae = weights.rebuilt(lambda: build(p, len(told.axes), told.channels), tensors, path)
    return vae.to(device).eval().requires_grad_(False), header
