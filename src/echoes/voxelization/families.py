"""How the recordings of a family become grids: a module for each family, which is found by the family's name."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from echoes.arrays import Writer
    from echoes.compute.workers import Workers

FAMILIES = {"radar": "echoes.voxelization.clouds", "microdoppler": "echoes.voxelization.recordings"}


class Voxelizer(Protocol):
    """Layout, Split: the classes of the sections `grid` and `split` of such a track."""

    @property
    def Layout(self) -> Any: ...  # noqa: N802 (a class)
    @property
    def Split(self) -> Any: ...  # noqa: N802 (a class)

    def require(self, track: str, reader: str, layout: Any, split: Any, /) -> None:
        """Raises InputError where the sections of a track do not go together."""
        ...

    def write(
        self, root: Path, source: Any, layout: Any, split: Any, workers: "Workers", writer: "Writer", table: Path, /
    ) -> dict[str, float]:
        """Write the grids of the recordings in `root`, and a table of what was listed; gives statistics."""
        ...


def voxelizer(family: str) -> Voxelizer:
    """The module of a family; below, those of ours are held to the protocol."""
    module: Any = import_module(FAMILIES[family])
    return cast(Voxelizer, module)


if TYPE_CHECKING:
    from echoes.voxelization import clouds, recordings

    _VOXELIZERS: tuple[Voxelizer, ...] = (clouds, recordings)
