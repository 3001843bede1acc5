"""A vision transformer that others have trained on pictures, as a teacher: read from a file, frozen."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from echoes import params
from echoes.autoencoder.loss_weights import TeacherFile
from echoes.errors import InputError
from echoes.nets.vit import Vit, VitShape

COLOURS = 3  # of what it was trained on
# What a file may hold beside it: how masked patches were told in training, and the head of a classifier.
BESIDE = ("mask_token", "head.")
REGISTERS = "register_tokens"  # DINOv2's own name of what timm calls reg_token


class Backbone(nn.Module):
    """Spectrograms (B, C, F, T) in -1..1, as the pictures that the network knows -> features of their patches."""

    mean: Tensor
    std: Tensor

    def __init__(self, vit: Vit, config: TeacherFile) -> None:
        super().__init__()
        self.vit, self.sizes = vit, tuple(places * vit.shape.patch for places in config.places)
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(config, name)).reshape(1, -1, 1, 1), persistent=False)

    def maps(self, x: Tensor) -> Tensor:
        """x (B, C, F, T) -> (B, width, *places), those behind the last block."""
        return self._seen(x)[-1]

    def depths(self, x: Tensor) -> list[Tensor]:
        """x (B, C, F, T) -> features behind each quarter of the blocks, from the first one on."""
        found = self._seen(x)
        return [found[i] for i in sorted({(quarter * len(found) + 3) // 4 - 1 for quarter in (1, 2, 3, 4)})]

    def _seen(self, x: Tensor) -> list[Tensor]:
        """A single channel is grey: all colours have its values."""
        coloured = (x.expand(-1, COLOURS, -1, -1) + 1) / 2
        scaled = F.interpolate(coloured, self.sizes, mode="bilinear", antialias=True)
        found: list[Tensor] = self.vit((scaled - self.mean) / self.std)
        return found


def load(config: TeacherFile, channels: int, device: torch.device) -> Backbone:
    """The frozen backbone of a file, for spectrograms of so many channels.

    Raises InputError unless the file holds all tensors of a vision transformer in this layout, and no others.
    """
    path = Path(config.path)
    if channels not in (1, COLOURS):
        raise InputError(f"{path}: expected 1 or {COLOURS} channels for a teacher of pictures, got {channels}")
    tensors = _tensors(path)
    with torch.device("meta"):  # a file may tell any number of blocks
        vit = Vit(_shape(tensors, config, path))
    state = vit.state_dict()
    for name in sorted(state.keys() | tensors.keys()):
        wanted, found = ([*some[name].shape] if name in some else None for some in (state, tensors))
        if wanted != found:
            raise InputError(f"{path}: expected {name} to be {wanted or 'missing'}, got {found or 'none'}")
        if not bool(tensors[name].isfinite().all()):
            raise InputError(f"{path}: expected finite weights, got others in {name}")
    vit.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    return Backbone(vit, config).to(device).eval().requires_grad_(False)


def _tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by timm's names."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a vision transformer as safetensors")
    try:
        found = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: expected a safetensors file, got {error}") from error
    return {
        "reg_token" if name == REGISTERS else name: tensor
        for name, tensor in found.items()
        if not name.startswith(BESIDE)
    }


def _axes(name: str, tensors: Mapping[str, Tensor]) -> str:
    return str([*tensors[name].shape]) if name in tensors else "none"


def _shape(tensors: Mapping[str, Tensor], config: TeacherFile, path: Path) -> VitShape:
    """What the tensors tell of the network, and the heads, which they do not."""

    def size(name: str, axis: int) -> int:
        if name not in tensors or tensors[name].ndim <= axis:
            raise InputError(f"{path}: expected {name} of a vision transformer, got {_axes(name, tensors)}")
        return int(tensors[name].shape[axis])

    width, positions = size("cls_token", 2), size("pos_embed", 1)
    blocks = [int(found[1]) for name in tensors if (found := re.match(r"blocks\.(\d{1,4})\.", name))]
    shape: dict[str, Any] = {
        "inputs": size("patch_embed.proj.weight", 1),
        "patch": size("patch_embed.proj.weight", 2),
        "width": width,
        "depth": max(blocks, default=-1) + 1,
        "hidden": size("blocks.0.mlp.fc1.weight", 0),
        "heads": config.heads,
        "registers": size("reg_token", 1) if "reg_token" in tensors else 0,
        "positions": positions,
        "placed": round(max(positions - 1, 0) ** 0.5) ** 2 == positions - 1,
        "scaled": "blocks.0.ls1.gamma" in tensors,
    }
    built: VitShape = params.build(VitShape, shape, str(path))
    if built.inputs != COLOURS:
        raise InputError(f"{path}: expected patch_embed.proj of {COLOURS} colours, got {built.inputs}")
    return built
