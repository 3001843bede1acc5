"""The autoencoder of a track: saved, and rebuilt from its file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch

from echoes import params, weights
from echoes.autoencoder import architecture
from echoes.autoencoder.architecture import Autoencoder, VaeArchitecture
from echoes.choices.autoencoder import ARCHITECTURE, STANDS
from echoes.choices.rules import in_force, settled
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.grids import Axis
from echoes.provenance import Header


class Section(Protocol):
    """The section `<track>.vae`, a dataclass, of which only the architecture is read again."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def architecture(self) -> VaeArchitecture: ...


def save(vae: Autoencoder, p: Section, data: Grids | Spectrograms, parents: Mapping[str, str], path: Path) -> None:
    """parents: kind -> identity of all that the weights were made from."""
    content = {**data.metadata, "channels": data.channels}
    told = asdict(architecture.told(p.architecture, vae))
    built = settled(told, ARCHITECTURE, STANDS)
    weights.save(vae.state_dict(), Header("vae", in_force(p), parents, content, built), path)


@dataclass(frozen=True)
class _Content:
    """What of its data an autoencoder is built for."""

    axes: tuple[Axis, ...]
    channels: int


def load(path: Path, device: torch.device) -> tuple[Autoencoder, Header]:
    """The autoencoder for inference, on `device`, and its header."""
    tensors, header = weights.load(path, "vae")
    vae = weights.rebuilt(lambda: from_header(header, path), tensors, path)
    return vae.to(device).eval().requires_grad_(False), header


def from_header(header: Header, path: Path) -> Autoencoder:
    """A new autoencoder of the architecture that the header of the file `path` tells of."""
    p: VaeArchitecture = params.build(VaeArchitecture, header.architecture, f"{path}: architecture")
    told: _Content = params.build_subset(_Content, header.content, f"{path}: header")
    return architecture.build(p, len(told.axes), told.channels)
