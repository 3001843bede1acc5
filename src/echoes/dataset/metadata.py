"""What grids, and the models made from them, tell in their headers of axes, units and labels.

A file of a stranger may tell anything: `params.build_subset` builds these, strictly.
"""

from dataclasses import dataclass
from math import prod
from typing import Literal

from echoes.errors import InputError
from echoes.grids import Axis
from echoes.rasters.scaling import Scaling
from echoes.rasters.sweeps import Sweeps
from echoes.tasks import Task

MAX_CELLS = 1 << 28  # of one frame: 500 times the full scale


@dataclass(frozen=True)
class CloudMetadata:
    """axes (z, y, x); ego_motion: how Doppler was made; sweeps: earlier frames that go in, None for none."""

    family: Literal["radar"]
    axes: tuple[Axis, Axis, Axis]
    task: Task
    scaling: Scaling
    ego_motion: str
    sweeps: Sweeps | None

    def __post_init__(self) -> None:
        _check_axes(self.axes)


@dataclass(frozen=True)
class LabelNames:
    """The kinds of labels in their order, and the names of each kind."""

    kinds: tuple[str, ...]
    labels: dict[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if not self.kinds or sorted(self.kinds) != sorted(self.labels) or not all(self.labels.values()):
            raise InputError(f"labels: expected names of {', '.join(self.kinds)}, got {self.labels}")


@dataclass(frozen=True)
class Powers:
    """What becomes -1 and 1 in network range."""

    floor_db: float
    ceiling_db: float

    def __post_init__(self) -> None:
        if not self.ceiling_db > self.floor_db:
            raise InputError(f"ceiling_db: expected more than floor_db = {self.floor_db}, got {self.ceiling_db}")


@dataclass(frozen=True)
class SpectrogramMetadata(LabelNames):
    """axes (velocity, time); combinations: of labels, a name of each kind, that are trained."""

    axes: tuple[Axis, Axis]
    combinations: tuple[tuple[str, ...], ...]
    scaling: Powers

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_axes(self.axes)
        for found in self.combinations:
            if len(found) != len(self.kinds) or any(
                n not in self.labels[k] for k, n in zip(self.kinds, found, strict=True)
            ):
                raise InputError(f"combinations: expected a name of each of {', '.join(self.kinds)}, got {list(found)}")


def _check_axes(axes: tuple[Axis, ...]) -> None:
    for axis in axes:
        if axis.size < 1 or not axis.stop > axis.start:
            raise InputError(f"axes: expected cells from a start to a later stop, got {axis}")
    if prod(axis.size for axis in axes) > MAX_CELLS:
        raise InputError(f"axes: expected at most {MAX_CELLS} cells, got {[axis.size for axis in axes]}")
