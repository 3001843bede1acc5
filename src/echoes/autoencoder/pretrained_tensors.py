"""The tensors of an autoencoder of latent diffusion that others have written -> those of our network.

Each tensor of ours has one name in a layout. All of them have to be in the file, in the right shape, and nothing else:
what is nearly the network that was trained is another one.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from echoes.autoencoder.autoencoder_kl import AutoencoderKl, KlShape
from echoes.errors import InputError

Names = tuple[tuple[str, str], ...]  # pattern in names -> what stands there in others, one after the other
# Pattern in our names -> what stands there in diffusers, and in CompVis; None where it stays.
LAYOUTS: tuple[tuple[str, str | None, str | None], ...] = (
    (r"^(\w+)\.enter\.", r"\1.conv_in.", r"\1.conv_in."),
    (r"^(\w+)\.norm\.", r"\1.conv_norm_out.", r"\1.norm_out."),
    (r"^(\w+)\.leave\.", r"\1.conv_out.", r"\1.conv_out."),
    (r"\.middle\.0\.", ".mid_block.resnets.0.", ".mid.block_1."),
    (r"\.middle\.1\.", ".mid_block.attentions.0.", ".mid.attn_1."),
    (r"\.middle\.2\.", ".mid_block.resnets.1.", ".mid.block_2."),
    (r"^(encoder\..*)\.resample\.", r"\1.downsamplers.0.", r"\1.downsample."),
    (r"^(decoder\..*)\.resample\.", r"\1.upsamplers.0.", r"\1.upsample."),
    (r"^encoder\.levels\.", "encoder.down_blocks.", "encoder.down."),
    (r"^decoder\.levels\.", "decoder.up_blocks.", "decoder.up."),
    (r"\.blocks\.", ".resnets.", ".block."),
    (r"\.attention\.", None, ".attn."),
    (r"\.skip\.", ".conv_shortcut.", ".nin_shortcut."),
    (r"(\.attentions\.\d+)\.norm\.", r"\1.group_norm.", None),
    (r"\.query\.", ".to_q.", ".q."),
    (r"\.key\.", ".to_k.", ".k."),
    (r"\.value\.", ".to_v.", ".v."),
    (r"\.out\.", ".to_out.0.", ".proj_out."),
    (r"^quant\.", "quant_conv.", "quant_conv."),
    (r"^unquant\.", "post_quant_conv.", "post_quant_conv."),
)
IN_DIFFUSERS: Names = tuple((ours, there) for ours, there, _ in LAYOUTS if there is not None)
IN_COMPVIS: Names = tuple((ours, there) for ours, _, there in LAYOUTS if there is not None)


def named(name: str, names: Names) -> str:
    """What a tensor of ours, or of an older file, is called in a layout."""
    for pattern, there in names:
        name = re.sub(pattern, there, name)
    return name


def read(path: Path) -> dict[str, Tensor]:
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


def empty(shape: KlShape) -> AutoencoderKl:
    """Without memory for its weights, as a file may tell any number of blocks."""
    with torch.device("meta"):
        return AutoencoderKl(shape)


def filled(vae: AutoencoderKl, names: Mapping[str, str], found: Mapping[str, Tensor], path: Path) -> AutoencoderKl:
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
