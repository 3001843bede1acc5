"""grids.zarr of radar clouds, read frame by frame."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from echoes import params
from echoes.arrays import Reader
from echoes.dataset.frames import MEASURED, NUMBERS, UNPAIRED, split_numbers
from echoes.dataset.metadata import CloudMetadata
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.rasters import scaling, sweeps
from echoes.rasters.cells import Cells, dense, unpack
from echoes.tasks import POINTS

FAMILY = "radar"
METADATA = ("family", "axes", "task", "scaling", "ego_motion", "sweeps")
Role = Literal["input", "target"]


@dataclass(frozen=True)
class CloudGridsMetadata(CloudMetadata):
    """occupied_share: of the cells of the target in the train split.

    ground_m: how far above its plane the ground reaches that was taken out of the target.
    """

    occupied_share: float
    ground_m: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.ground_m < math.inf:
            raise InputError(f"ground_m: expected 0 or more, got {self.ground_m}")
        if not 0 < self.occupied_share <= 1:
            raise InputError(f"occupied_share: expected more than 0, at most 1, got {self.occupied_share}")


class Grids:
    """Frames of grids.zarr, as sparse cells in physical units or as dense batches in network range."""

    family = FAMILY
    rank = 3

    def __init__(self, path: Path) -> None:
        """Raises InputError where `path` is no whole grids artifact."""
        self._reader = Reader(path, "grids")
        self.path, self.header = path, self._reader.header
        told: CloudGridsMetadata = params.build_subset(CloudGridsMetadata, self.header.content, f"{path}: header")
        self.grid, self.scaling, self.occupied_share = Grid(told.axes), told.scaling, told.occupied_share
        self.ground_m, self.task, self.sweeps = told.ground_m, told.task, told.sweeps
        self._arrays = {"input": told.task.given, "target": "target"}
        self._channels = {"input": told.task.input, "target": told.task.target}
        self._split = split_numbers(self._reader)
        rows = len(self._split)
        self._reader.require("stamp", "f", rows)
        self._reader.require("stretch", "i", rows)
        self._reader.require("ground", "f", rows, 3)
        self._reader.require("observed", "u", rows, -(-prod(self.shape) // 8))
        for role, name in self._arrays.items():
            self._reader.require(f"{name}_indices", "u", None, 3)
            self._reader.require(f"{name}_features", "f", None, len(self._channels[role]) - 1)
            for part in ("indices", "features"):
                self._reader.require(f"{name}_{part}_end", "i", rows)
        given, of_target = told.task.given, len(told.task.target_columns)
        points = ((f"{given}_points", len(POINTS[given])), ("target_points", of_target), ("target_offsets", 3))
        for name, columns in points:
            self._reader.require(name, "f", None, columns)
            self._reader.require(f"{name}_end", "i", rows)

    def frames(self, split: str) -> np.ndarray:
        """(N,) indices of the frames of a split, in the order of the recording."""
        return np.flatnonzero(self._split == NUMBERS[split])

    def targets(self) -> np.ndarray:
        """(N,) indices of the frames that an autoencoder learns from, those without an input among them."""
        return np.concatenate([self.frames("train"), self.frames(UNPAIRED)])

    def __len__(self) -> int:
        return len(self._split)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(D, H, W)."""
        return self.grid.shape

    @property
    def channels(self) -> int:
        """Of the target."""
        return len(self.task.target)

    @property
    def metadata(self) -> dict[str, Any]:
        """What of the header the models made from these grids carry on."""
        return {name: self.header.content[name] for name in METADATA}

    def require_mirror(self, section: str, mirror: bool) -> None:
        """Any may be mirrored: left and right of a radar that looks forward are alike."""

    def stamps(self) -> np.ndarray:
        return self._reader.all("stamp")

    def cells(self, role: Role, frame: int) -> Cells:
        """Cells of what goes in or of the target, features in dB, m/s, (m/s)^2 and s."""
        name = self._arrays[role]
        indices, features = (self._reader.ragged(f"{name}_{part}", frame) for part in ("indices", "features"))
        if len(indices) != len(features) or (indices >= self.shape).any():
            raise InputError(f"{self.path}/{name}_indices: expected cells of the grid, got others in frame {frame}")
        return Cells(indices, features)

    def present(self, frame: int) -> Cells:
        """Cells of what goes in, those of the frame itself without earlier ones."""
        return sweeps.present(self.cells("input", frame), self.task.input)

    def stretches(self) -> np.ndarray:
        """(N,) number of the piece of the recording that each frame is of."""
        return self._reader.all("stretch")

    def points(self, role: Role, frame: int) -> np.ndarray:
        """Points inside the grid: of what goes in (N, K), in the columns `tasks.POINTS`, or of the target, in those
        of the task: (N, 3) of a LiDAR, (N, 5) of a radar.

        Raises InputError for a training frame, whose points are not kept.
        """
        if not any(frame in self.frames(split) for split in MEASURED):
            raise InputError(f"{self.path}: expected a validation or test frame, whose points are kept, got {frame}")
        return self._reader.ragged(f"{self._arrays[role]}_points", frame)

    def ground(self, frame: int) -> tuple[float, float, float]:
        """Slopes along x and y and height [m] of the plane of the ground, below the grid where none was found."""
        slope_x, slope_y, height_m = self._reader.rows("ground", frame, frame + 1)[0].tolist()
        return slope_x, slope_y, height_m

    def offsets_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, 3, D, H, W) float32 where the target lies in its cells: z, y, x from their centres, in cells."""
        filled = []
        for frame in frames:
            indices = self.cells("target", int(frame)).indices
            offsets = self._reader.ragged("target_offsets", int(frame))
            if len(indices) != len(offsets) or not (np.abs(offsets) <= 0.5).all():
                raise InputError(f"{self.path}/target_offsets: expected places in cells, got others in frame {frame}")
            filled.append(dense(Cells(indices, offsets), self.grid.shape)[1:])
        return np.stack(filled)

    def observed(self, frame: int) -> np.ndarray:
        """(D, H, W) bool: a ray passed there or ended there."""
        return unpack(self._reader.rows("observed", frame, frame + 1)[0], self.grid.shape)

    def input_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, C, D, H, W) float32 what goes in, in network range."""
        return self._dense([self._network("input", int(f)) for f in frames])

    def input_as_target_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, C, D, H, W) float32 what goes in, in network range, as if its cells were the target's."""
        cells = [self._network("input", int(f)) for f in frames]
        cast = [scaling.recast(c.features, self.task.input, self.task.target) for c in cells]
        return self._dense([Cells(c.indices, features) for c, features in zip(cells, cast, strict=True)])

    def target_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, C, D, H, W) float32 target in network range."""
        return self._dense([self._network("target", int(f)) for f in frames])

    def observed_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, D, H, W) float32, 1 where observed."""
        return np.stack([self.observed(int(f)) for f in frames]).astype(np.float32)

    def _network(self, role: Role, frame: int) -> Cells:
        cells = self.cells(role, frame)
        with np.errstate(all="ignore"):  # what it would warn of is refused
            features = scaling.features_to_network(cells.features, self._channels[role], self.scaling)
        if not np.isfinite(features).all():
            array = f"{self._arrays[role]}_features"
            raise InputError(f"{self.path}/{array}: expected what can be scaled, got others in frame {frame}")
        return Cells(cells.indices, features)

    def _dense(self, frames: list[Cells]) -> np.ndarray:
        return np.stack([dense(cells, self.grid.shape) for cells in frames])
