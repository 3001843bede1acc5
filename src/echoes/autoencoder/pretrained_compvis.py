"""An autoencoder of latent diffusion (CompVis), or of VA-VAE: a checkpoint of tensors alone -> the network."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from echoes import params
from echoes.autoencoder import pretrained_tensors
from echoes.autoencoder.autoencoder_kl import AutoencoderKl, KlShape
from echoes.autoencoder.pretrained_tensors import IN_COMPVIS, named
from echoes.errors import InputError

# What lies beside an autoencoder in its own checkpoint: discriminator, the teacher of VA-VAE and its map, averages.
BESIDE = ("loss.", "linear_proj.", "foundation_model.", "model_ema.")
WITHIN = "first_stage_model."  # of a whole latent diffusion model


@dataclass(frozen=True)
class CompVisFile:
    """A checkpoint of latent diffusion or of VA-VAE (Yao et al. 2025), which tells nothing but tensors.

    path    .safetensors, or .pt or .ckpt, of which tensors alone are unpickled.
    groups  of its norms; scale, shift: latents are (z - shift) * scale.
    """

    layout: Literal["compvis"]
    path: str
    groups: int
    scale: float
    shift: float

    @property
    def weights(self) -> Path:
        return Path(self.path)


def read(source: CompVisFile) -> AutoencoderKl:
    """Raises InputError for a file of other tensors."""
    path = source.weights
    found = _alone(pretrained_tensors.read(path))
    vae = pretrained_tensors.empty(_seen(found, source, path))
    levels = len(vae.shape.channels)

    def counted(name: str) -> str:
        """The decoder of this layout counts its levels from the finest one on, which is our last."""
        theirs = named(name, IN_COMPVIS)
        return re.sub(r"^decoder\.up\.(\d+)", lambda m: f"decoder.up.{levels - 1 - int(m[1])}", theirs)

    return pretrained_tensors.filled(vae, {name: counted(name) for name in vae.state_dict()}, found, path)


def _seen(tensors: Mapping[str, Tensor], source: CompVisFile, path: Path) -> KlShape:
    """The shape that the tensors of a checkpoint have."""

    def size(name: str, axis: int) -> int:
        if name not in tensors or tensors[name].ndim <= axis:
            raise InputError(f"{path}: expected {name}, got none")
        return int(tensors[name].shape[axis])

    levels = _count(r"encoder\.down\.(\d+)\.", tensors)
    encoded, quantizing = size("encoder.conv_out.weight", 0) // 2, "quant_conv.weight" in tensors
    shape: dict[str, Any] = {
        "layout": "shape",
        "inputs": size("encoder.conv_in.weight", 1),
        "channels": [size(f"encoder.down.{i}.block.0.conv1.weight", 0) for i in range(levels)],
        "blocks": _count(r"encoder\.down\.0\.block\.(\d+)\.", tensors),
        "attention": [f"encoder.down.{i}.attn.0.q.weight" in tensors for i in range(levels)],
        "middle": "encoder.mid.attn_1.q.weight" in tensors,
        "groups": source.groups,
        "encoded": encoded,
        "latent_channels": size("quant_conv.weight", 0) // 2 if quantizing else encoded,
        "quantizing": quantizing,
        "unquantizing": "post_quant_conv.weight" in tensors,
        "scale": source.scale,
        "shift": source.shift,
    }
    built: KlShape = params.build(KlShape, shape, str(path))
    return built


def _count(pattern: str, names: Mapping[str, Tensor]) -> int:
    """One more than the highest number that a pattern finds; 0 where it finds none."""
    return max((int(found[1]) + 1 for name in names if (found := re.match(pattern, name))), default=0)


def _alone(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of the autoencoder, by their names in it."""
    within = {name.removeprefix(WITHIN): tensor for name, tensor in tensors.items() if name.startswith(WITHIN)}
    return {name: tensor for name, tensor in (within or tensors).items() if not name.startswith(BESIDE)}
