"""An AutoencoderKL of diffusers: its folder of a config and of weights -> the network."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from echoes import params
from echoes.autoencoder import pretrained_tensors
from echoes.autoencoder.autoencoder_kl import AutoencoderKl, KlShape
from echoes.autoencoder.pretrained_tensors import IN_DIFFUSERS, Names, named
from echoes.errors import InputError

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"
# What config.json does not tell where it was written before diffusers had a choice.
OLDER = {
    "norm_num_groups": 32,
    "scaling_factor": 0.18215,
    "shift_factor": None,
    "use_quant_conv": True,
    "use_post_quant_conv": True,
    "mid_block_add_attention": True,
}
# diffusers' own older names of the attention in the middle.
RENAMED: Names = (
    (r"(mid_block\.attentions\.0)\.query\.", r"\1.to_q."),
    (r"(mid_block\.attentions\.0)\.key\.", r"\1.to_k."),
    (r"(mid_block\.attentions\.0)\.value\.", r"\1.to_v."),
    (r"(mid_block\.attentions\.0)\.proj_attn\.", r"\1.to_out.0."),
)


@dataclass(frozen=True)
class DiffusersFolder:
    """path of a folder with config.json and diffusion_pytorch_model.safetensors; empty where none is used."""

    layout: Literal["diffusers"]
    path: str

    @property
    def weights(self) -> Path:
        return Path(self.path, WEIGHTS)


def read(source: DiffusersFolder) -> AutoencoderKl:
    """Raises InputError for a folder that is none of an AutoencoderKL, or of one with other parts than ours."""
    path = Path(source.path, CONFIG)
    vae = pretrained_tensors.empty(_configured(path))
    found = {named(name, RENAMED): tensor for name, tensor in pretrained_tensors.read(source.weights).items()}
    return pretrained_tensors.filled(
        vae, {name: named(name, IN_DIFFUSERS) for name in vae.state_dict()}, found, source.weights
    )


@dataclass(frozen=True)
class _Config:
    """What config.json has to tell."""

    in_channels: int
    out_channels: int
    down_block_types: tuple[str, ...]
    up_block_types: tuple[str, ...]
    block_out_channels: tuple[int, ...]
    layers_per_block: int
    act_fn: Literal["silu"]
    latent_channels: int
    norm_num_groups: int
    scaling_factor: float
    shift_factor: float | None
    use_quant_conv: bool
    use_post_quant_conv: bool
    mid_block_add_attention: bool

    def __post_init__(self) -> None:
        for name, only in (("down_block_types", "DownEncoderBlock2D"), ("up_block_types", "UpDecoderBlock2D")):
            kinds = getattr(self, name)
            if kinds != (only,) * len(self.block_out_channels):
                told = f"{only} for each of {len(self.block_out_channels)} levels"
                raise InputError(f"{name}: expected {told}, got {', '.join(kinds) or 'none'}")
        if self.in_channels != self.out_channels:
            raise InputError(f"out_channels: expected the {self.in_channels} of in_channels, got {self.out_channels}")


def _configured(path: Path) -> KlShape:
    """The shape that a config.json tells."""
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected the config of an AutoencoderKL, got {error}") from error
    if not isinstance(told, dict) or told.get("_class_name") != "AutoencoderKL":
        found = told.get("_class_name") if isinstance(told, dict) else told
        raise InputError(f"{path}: expected the config of an AutoencoderKL, got {str(found)[:60]}")
    p: _Config = params.build_subset(_Config, {**OLDER, **told}, str(path))
    shape: dict[str, Any] = {
        "layout": "shape",
        "inputs": p.in_channels,
        "channels": p.block_out_channels,
        "blocks": p.layers_per_block,
        "attention": (False,) * len(p.block_out_channels),
        "middle": p.mid_block_add_attention,
        "groups": p.norm_num_groups,
        "encoded": p.latent_channels,
        "latent_channels": p.latent_channels,
        "quantizing": p.use_quant_conv,
        "unquantizing": p.use_post_quant_conv,
        "scale": p.scaling_factor,
        "shift": p.shift_factor or 0.0,
    }
    built: KlShape = params.build(KlShape, shape, str(path))
    return built
