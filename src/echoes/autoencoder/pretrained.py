"""Autoencoders of latent diffusion from files that others have written: a folder of diffusers, a checkpoint of CompVis.

Each tensor of our network has one name in a layout. All of them have to be in the file, in the right shape, and
nothing else: what is nearly the network that was trained is another one.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from echoes import files, params
from echoes.autoencoder.autoencoder_kl import RANK, AutoencoderKl, KlShape
from echoes.errors import InputError

KEY = "vae.architecture.pretrained"
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
# What lies beside an autoencoder in its own checkpoint: discriminator, the teacher of VA-VAE and its map, averages.
BESIDE = ("loss.", "linear_proj.", "foundation_model.", "model_ema.")
WITHIN = "first_stage_model."  # of a whole latent diffusion model
Names = tuple[tuple[str, str], ...]  # pattern in our names -> what stands there in a layout, one after the other
IN_DIFFUSERS: Names = (
    (r"^(\w+)\.enter\.", r"\1.conv_in."),
    (r"^(\w+)\.norm\.", r"\1.conv_norm_out."),
    (r"^(\w+)\.leave\.", r"\1.conv_out."),
    (r"\.middle\.0\.", ".mid_block.resnets.0."),
    (r"\.middle\.1\.", ".mid_block.attentions.0."),
    (r"\.middle\.2\.", ".mid_block.resnets.1."),
    (r"^(encoder\..*)\.resample\.", r"\1.downsamplers.0."),
    (r"^(decoder\..*)\.resample\.", r"\1.upsamplers.0."),
    (r"^encoder\.levels\.", "encoder.down_blocks."),
    (r"^decoder\.levels\.", "decoder.up_blocks."),
    (r"\.blocks\.", ".resnets."),
    (r"\.skip\.", ".conv_shortcut."),
    (r"(\.attentions\.\d+)\.norm\.", r"\1.group_norm."),
    (r"\.query\.", ".to_q."),
    (r"\.key\.", ".to_k."),
    (r"\.value\.", ".to_v."),
    (r"\.out\.", ".to_out.0."),
    (r"^quant\.", "quant_conv."),
    (r"^unquant\.", "post_quant_conv."),
)
# diffusers' own older names of the attention in the middle.
RENAMED: Names = (
    (r"(mid_block\.attentions\.0)\.query\.", r"\1.to_q."),
    (r"(mid_block\.attentions\.0)\.key\.", r"\1.to_k."),
    (r"(mid_block\.attentions\.0)\.value\.", r"\1.to_v."),
    (r"(mid_block\.attentions\.0)\.proj_attn\.", r"\1.to_out.0."),
)
IN_COMPVIS: Names = (
    (r"^(\w+)\.enter\.", r"\1.conv_in."),
    (r"^(\w+)\.norm\.", r"\1.norm_out."),
    (r"^(\w+)\.leave\.", r"\1.conv_out."),
    (r"\.middle\.0\.", ".mid.block_1."),
    (r"\.middle\.1\.", ".mid.attn_1."),
    (r"\.middle\.2\.", ".mid.block_2."),
    (r"^(encoder\..*)\.resample\.", r"\1.downsample."),
    (r"^(decoder\..*)\.resample\.", r"\1.upsample."),
    (r"^encoder\.levels\.", "encoder.down."),
    (r"^decoder\.levels\.", "decoder.up."),
    (r"\.blocks\.", ".block."),
    (r"\.attention\.", ".attn."),
    (r"\.skip\.", ".nin_shortcut."),
    (r"\.query\.", ".q."),
    (r"\.key\.", ".k."),
    (r"\.value\.", ".v."),
    (r"\.out\.", ".proj_out."),
    (r"^quant\.", "quant_conv."),
    (r"^unquant\.", "post_quant_conv."),
)


@dataclass(frozen=True)
class DiffusersFolder:
    """path of a folder with config.json and diffusion_pytorch_model.safetensors; empty where none is used."""

    layout: Literal["diffusers"]
    path: str

    @property
    def weights(self) -> Path:
        return Path(self.path, WEIGHTS)


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


Source = DiffusersFolder | CompVisFile | KlShape


def build(source: Source, rank: int, channels: int) -> AutoencoderKl:
    """The network of a source, with its weights where it is a file.

    Raises InputError unless it is of grids with so many axes and channels.
    """
    if rank != RANK:
        told = f"another one for a grid of {rank} axes"
        raise InputError(f"vae.architecture.variant: expected {told}, got pretrained, which is of {RANK}")
    if isinstance(source, KlShape):
        vae = AutoencoderKl(source)
    else:
        if not source.path:
            raise InputError(f"{KEY}.path: expected where the autoencoder lies, got nothing")
        vae = diffusers(source) if isinstance(source, DiffusersFolder) else compvis(source)
    if vae.shape.inputs != channels:
        raise InputError(f"{KEY}: expected an autoencoder of the grid's {channels} channels, got {vae.shape.inputs}")
    return vae


def origin(source: Source) -> dict[str, str]:
    """The digest of the weights that were read, as a parent of the artifact."""
    return {} if isinstance(source, KlShape) else {"pretrained": files.digest(source.weights)}


def diffusers(source: DiffusersFolder) -> AutoencoderKl:
    """Raises InputError for a folder that is none of an AutoencoderKL, or of one with other parts than ours."""
    path = Path(source.path, CONFIG)
    vae = _empty(_configured(path))
    found = {named(name, RENAMED): tensor for name, tensor in _tensors(source.weights).items()}
    return _filled(vae, {name: named(name, IN_DIFFUSERS) for name in vae.state_dict()}, found, source.weights)


def compvis(source: CompVisFile) -> AutoencoderKl:
    """Raises InputError for a file of other tensors."""
    path = source.weights
    found = _alone(_tensors(path))
    vae = _empty(_seen(found, source, path))
    levels = len(vae.shape.channels)

    def counted(name: str) -> str:
        """The decoder of this layout counts its levels from the finest one on, which is our last."""
        theirs = named(name, IN_COMPVIS)
        return re.sub(r"^decoder\.up\.(\d+)", lambda m: f"decoder.up.{levels - 1 - int(m[1])}", theirs)

    return _filled(vae, {name: counted(name) for name in vae.state_dict()}, found, path)


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


def named(name: str, names: Names) -> str:
    """What a tensor of ours, or of an older file, is called in a layout."""
    for pattern, there in names:
        name = re.sub(pattern, there, name)
    return name


def _tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file by name."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the weights of an autoencoder")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        told = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of files that are none, torch and safetensors raise what they like
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: expected tensors alone, as safetensors or of torch.save, got {what}") from error
    told = told.get("state_dict", told) if isinstance(told, dict) else told
    if not isinstance(told, dict) or not all(isinstance(tensor, Tensor) for tensor in told.values()):
        raise InputError(f"{path}: expected tensors by name, got {type(told).__name__}")
    return told


def _empty(shape: KlShape) -> AutoencoderKl:
    """Without memory for its weights, as a file may tell any number of blocks."""
    with torch.device("meta"):
        return AutoencoderKl(shape)


def _filled(vae: AutoencoderKl, names: Mapping[str, str], found: Mapping[str, Tensor], path: Path) -> AutoencoderKl:
    """The network with the tensors of a file. names: of ours -> what each is called there.

    Raises InputError for the first by name that is missing, too many, of another shape or not finite.
    """
    state = vae.state_dict()
    wanted = {theirs: state[ours] for ours, theirs in names.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            raise InputError(f"{path}: expected a tensor {name}, got none")
        if name not in wanted:
            raise InputError(f"{path}: expected no tensor {name} in this network, got one")
        # A matrix is a convolution of one cell, which some files have as the one and some as the other.
        here, there = ([*tensor.shape] for tensor in (wanted[name], found[name]))
        if there != here and [*there, 1, 1] != here:
            raise InputError(f"{path}: expected {name} to be {here}, got {there}")
        if not bool(found[name].isfinite().all()):
            raise InputError(f"{path}: expected finite weights, got others in {name}")
    filling = {ours: found[theirs].float().reshape(state[ours].shape) for ours, theirs in names.items()}
    vae.load_state_dict(filling, assign=True)
    return vae
