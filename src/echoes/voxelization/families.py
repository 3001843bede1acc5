"""How the recordings of a family become grids: a module for each family, which is found by the family's name."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from echoes.arrays import Writer
    from echoes.compute.workers import Workers

FAMILIES = {"radar": "echoes.voxelization.clouds", "microdoppler": "echoes.voxelization.recordings"}


class Voxelizer(Protocol):
    """Layout, Split: the classes of the sections `grid` and `split` of such a track.

    FINDINGS  what may be found of its recordings, by name.
    """

    @property
    def Layout(self) -> Any: ...  # noqa: N802 (a class)
    @property
    def Split(self) -> Any: ...  # noqa: N802 (a class)
    @property
    def FINDINGS(self) -> Mapping[str, str]: ...  # noqa: N802 (a constant)

    def require(self, track: str, reader: str, layout: Any, split: Any, /) -> None:
        """Raises InputError where the sections of a track do not go together."""
        ...

    def write(
        self, root: Path, source: Any, layout: Any, split: Any, workers: "Workers", writer: "Writer", table: Path, /
    ) -> Mapping[str, Any]:
        """Write the grids of the recordings in `root`, and a table of what was listed; gives statistics.

        Under `findings`, where there are such, what was found: name -> text.
        """
        ...


def voxelizer(family: str) -> Voxelizer:
    """The module of a family; below, those of ours are held to the protocol."""
    module: Any = import_module(FAMILIES[family])
    return cast(Voxelizer, module)


if TYPE_CHECKING:
    from echoes.voxelization import clouds, recordings

    _VOXELIZERS: tuple[Voxelizer, ...] = (clouds, recordings)
