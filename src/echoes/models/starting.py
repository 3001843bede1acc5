"""A network that is trained from the weights of another track's."""

from pathlib import Path

from torch import nn

from echoes import initial, weights
from echoes.provenance import Header


def start(network: nn.Module, folder: Path, kind: str) -> Header:
    """Give a fresh network the weights that the stage initialize left in `folder`, if it did; the header of these.

    kind  of the network's artifact. Raises InputError where they are not those of this very network.

    A network of which nothing is trained stays what its params say.
    """
    header = initial.read(folder)
    trained = any(parameter.requires_grad for parameter in network.parameters())
    if trained and (name := f"{kind}.safetensors") in header.parts:
        weights.fill(network, folder / name, kind)
    return header
