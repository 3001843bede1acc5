"""grids.zarr of either family of tracks."""

from pathlib import Path

from echoes.arrays import Reader
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError

FAMILIES: dict[str, type[Grids] | type[Spectrograms]] = {kind.family: kind for kind in (Grids, Spectrograms)}


def read(path: Path) -> Grids | Spectrograms:
    """Raises InputError where `path` is no whole grids artifact of a known family."""
    family = Reader(path, "grids").header.content.get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        raise InputError(f"{path}: expected grids of the family {' or '.join(FAMILIES)}, got {family}")
    return FAMILIES[family](path)
