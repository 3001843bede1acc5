"""A network that is trained from the weights of another track's."""

from pathlib import Path

from torch import nn

from echoes import initial, weights
from echoes.provenance import Header


def start(network: nn.Module, folder: Path, kind: str) -> Header:
    """Give a fresh network the weights that the stage initialize left in `folder`, if it did; the header of these.

    kind  of the network's artifact. Raises InputError where they are not those of this very network.
    """
    header = initial.read(folder)
    if (name := f"{kind}.safetensors") in header.parts:
        weights.fill(network, folder / name, kind)
    return header
