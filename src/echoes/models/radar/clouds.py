"""What the decoder says -> a cloud of cells in physical units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from echoes import tasks
from echoes.dataset.grids import Grids
from echoes.evaluation.cells import Cells as Predicted
from echoes.evaluation.cells import Target
from echoes.grids import Grid
from echoes.rasters.cells import Cells
from echoes.rasters.scaling import Scaling, to_physical
from echoes.tasks import KINDS, POINTS, VALID, Task

POINT_COLUMNS = ("x", "y", "z", "power", "doppler", "probability")


class Units(Protocol):
    """What tells which channels a target has and in which units, such as grids."""

    @property
    def task(self) -> Task: ...
    @property
    def scaling(self) -> Scaling: ...


@dataclass(frozen=True)
class Cloud:
    """Occupied cells of one frame.

    indices   (M, 3) integers (z, y, x).
    features  (M, K) float32, in `columns`: a probability, then what the task's target measures in physical units.
    """

    indices: np.ndarray
    features: np.ndarray
    columns: tuple[str, ...]

    def column(self, name: str) -> np.ndarray | None:
        """(M,) values of a column; None where the cloud has none of that name."""
        return self.features[:, self.columns.index(name)] if name in self.columns else None

    def predicted(self) -> Predicted:
        """The same cloud as evaluation takes it."""
        return Predicted(self.indices, self.column("doppler"), self.column("power"))


def columns(channels: Sequence[str]) -> tuple[str, ...]:
    """Those of clouds whose channels these are."""
    return ("probability", *tasks.measured(channels))


@dataclass(frozen=True)
class Made:
    """What a method makes of a frame: its cells, and its points (P, 6) float32 POINT_COLUMNS, which are written."""

    cells: Cloud
    points: np.ndarray

    @classmethod
    def of(cls, cloud: Cloud, positions: np.ndarray) -> "Made":
        """Each cell is one point, at `positions` (M, 3) x, y, z [m]."""
        return cls(cloud, _points(positions, dict(zip(cloud.columns, cloud.features.T, strict=True))))

    @classmethod
    def centred(cls, cloud: Cloud, grid: Grid) -> "Made":
        """Each cell is one point, in its middle."""
        return cls.of(cloud, grid.centres(cloud.indices))


def of_returns(points: np.ndarray, given: str, probability: np.ndarray) -> np.ndarray:
    """(N, K) returns as measured, in the columns of what is `given`, their probability (N,) -> (N, 6) POINT_COLUMNS."""
    return _points(points[:, :3], {**dict(zip(POINTS[given], points.T, strict=True)), "probability": probability})


def _points(positions: np.ndarray, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """(N, 6) float32 POINT_COLUMNS; 0 in what is not measured."""
    unknown = np.zeros(len(positions))
    return np.column_stack([positions, *(values.get(name, unknown) for name in POINT_COLUMNS[3:])]).astype(np.float32)


def physical(values: Mapping[str, np.ndarray], channels: Sequence[str], scaling: Scaling) -> list[np.ndarray]:
    """What is measured of the channels, in their order: values in network range -> in physical units."""
    found = {name: to_physical(name, values[name], scaling) for name in tasks.measured(channels)}
    return [of.clip(0, 1) if KINDS[name] == "fraction" else of for name, of in found.items()]


def from_decoded(decoded: Tensor, threshold: float, units: Units) -> list[Cloud]:
    """(B, C, D, H, W) logits of masks, values of the target's other channels -> the cells at or above `threshold`."""
    channels = units.task.target
    logits = decoded[:, 0]
    chosen = (logits >= torch.logit(torch.tensor(threshold, dtype=torch.float64)).to(logits)).nonzero().cpu()
    frames, cells = chosen[:, 0], chosen[:, 1:]
    values = decoded.cpu()[frames, :, cells[:, 0], cells[:, 1], cells[:, 2]].double().numpy()
    probability = 1 / (1 + np.exp(-values[:, 0]))
    measured = physical(dict(zip(channels, values.T, strict=True)), channels, units.scaling)
    features = np.stack([probability, *measured], axis=1).astype(np.float32)
    owner, indices, names = frames.numpy(), cells.numpy().astype(np.int32), columns(channels)
    return [Cloud(indices[owner == b], features[owner == b], names) for b in range(len(decoded))]


def from_cells(cells: Cells, channels: Sequence[str], wanted: Sequence[str]) -> Cloud:
    """Measured cells of some `channels`, as a cloud of the channels that are `wanted`; 0 in what they lack.

    Their probability is 1.
    """
    features, names = np.zeros((len(cells.indices), len(columns(wanted))), np.float32), columns(wanted)
    features[:, 0] = 1
    for name, values in zip(channels[1:], cells.features.T, strict=True):
        if name in names:
            features[:, names.index(name)] = values
    return Cloud(cells.indices.astype(np.int32), features, names)


def given(grids: Grids, frame: int) -> Cloud:
    """What goes in of the frame itself, as a cloud of the target's channels."""
    return from_cells(grids.present(frame), grids.task.input, grids.task.target)


def wanted(grids: Grids, frame: int) -> Cloud:
    """What is to come out."""
    return from_cells(grids.cells("target", frame), grids.task.target, grids.task.target)


def target(grids: Grids, frame: int) -> Target:
    """What was there, as evaluation takes it."""
    channels, cells = grids.task.target, grids.cells("target", frame)
    valid = cells.features[:, channels.index(VALID) - 1] > 0 if VALID in channels else np.ones(len(cells.indices), bool)
    return Target(from_cells(cells, channels, channels).predicted(), valid, grids.observed(frame))
