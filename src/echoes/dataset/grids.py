"""grids.zarr of radar clouds, read frame by frame."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from echoes import params
from echoes.arrays import Reader
from echoes.dataset.facts import RadarFacts
from echoes.dataset.frames import SPLITS, split_numbers
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.rasters import scaling
from echoes.rasters.cells import RADAR_CHANNELS, TARGET_CHANNELS, Cells, dense, unpack
from echoes.rasters.scaling import Scaling

FAMILY = "radar"
FACTS = ("family", "axes", "target_channels", "scaling", "ego_motion")


@dataclass(frozen=True)
class GridsFacts(RadarFacts):
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
        told: GridsFacts = params.build_known(GridsFacts, self.header.content, f"{path}: header")
        self.grid, self.scaling, self.occupied_share = Grid(told.axes), told.scaling, told.occupied_share
        self.ground_m = told.ground_m
        self.channel_names = told.target_channels  # of the target
        self._split = split_numbers(self._reader)
        rows = len(self._split)
        self._reader.require("stamp", "f", rows)
        self._reader.require("stretch", "i", rows)
        self._reader.require("ground", "f", rows, 3)
        self._reader.require("observed", "u", rows, -(-prod(self.shape) // 8))
        for name, channels in (("radar", RADAR_CHANNELS), ("target", TARGET_CHANNELS)):
            self._reader.require(f"{name}_indices", "u", None, 3)
            self._reader.require(f"{name}_features", "f", None, len(channels) - 1)
            for part in ("indices", "features"):
                self._reader.require(f"{name}_{part}_end", "i", rows)
        for name, columns in (("radar_points", 5), ("target_points", 3), ("target_offsets", 3)):
            self._reader.require(name, "f", None, columns)
            self._reader.require(f"{name}_end", "i", rows)

    def frames(self, split: str) -> np.ndarray:
        """(N,) indices of the frames of a split, in the order of the recording."""
        return np.flatnonzero(self._split == SPLITS.index(split))

    def __len__(self) -> int:
        return len(self._split)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(D, H, W)."""
        return self.grid.shape

    @property
    def channels(self) -> int:
        return len(self.channel_names)

    @property
    def facts(self) -> dict[str, Any]:
        """What of the header the models made from these grids carry on."""
        return {name: self.header.content[name] for name in FACTS}

    def require_mirror(self, section: str, mirror: bool) -> None:
        """Any may be mirrored: left and right of a radar that looks forward are alike."""

    def target_channel(self, name: str) -> int:
        """The position of a channel of the target."""
        return self.channel_names.index(name)

    def stamps(self) -> np.ndarray:
        return self._reader.all("stamp")

    def cells(self, name: str, frame: int) -> Cells:
        """Cells of `radar` or `target`, features in dB, m/s and (m/s)^2."""
        indices, features = (self._reader.ragged(f"{name}_{part}", frame) for part in ("indices", "features"))
        if len(indices) != len(features) or (indices >= self.shape).any():
            raise InputError(f"{self.path}/{name}_indices: expected cells of the grid, got others in frame {frame}")
        return Cells(indices, features)

    def stretches(self) -> np.ndarray:
        """(N,) number of the piece of the recording that each frame is of."""
        return self._reader.all("stretch")

    def points(self, name: str, frame: int) -> np.ndarray:
        """Points of `radar` (N, 5) or `target` (N, 3) inside the grid; raises InputError for a training frame's."""
        if frame in self.frames("train"):
            raise InputError(f"{self.path}: expected a validation or test frame, whose points are kept, got {frame}")
        return self._reader.ragged(f"{name}_points", frame)

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

    def radar_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, 4, D, H, W) float32 radar in network range."""
        return self._dense([self._radar(int(f)) for f in frames])

    def radar_as_target_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, 5, D, H, W) float32 radar in network range, as if its cells were a target's."""
        cells = [self._radar(int(f)) for f in frames]
        return self._dense([Cells(c.indices, scaling.radar_as_target(c.features)) for c in cells])

    def target_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, 5, D, H, W) float32 target in network range."""
        return self._dense([self._network("target", int(f), scaling.target_to_network) for f in frames])

    def observed_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, D, H, W) float32, 1 where observed."""
        return np.stack([self.observed(int(f)) for f in frames]).astype(np.float32)

    def _radar(self, frame: int) -> Cells:
        return self._network("radar", frame, scaling.radar_to_network)

    def _network(self, name: str, frame: int, change: Callable[[np.ndarray, Scaling], np.ndarray]) -> Cells:
        cells = self.cells(name, frame)
        with np.errstate(all="ignore"):  # what it would warn of is refused
            features = change(cells.features, self.scaling)
        if not np.isfinite(features).all():
            raise InputError(f"{self.path}/{name}_features: expected what can be scaled, got others in frame {frame}")
        return Cells(cells.indices, features)

    def _dense(self, frames: list[Cells]) -> np.ndarray:
        return np.stack([dense(cells, self.grid.shape) for cells in frames])
