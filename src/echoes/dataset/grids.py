"""grids.zarr of radar clouds: what voxelize writes and every later stage reads, frame by frame."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from echoes import params
from echoes.arrays import Reader, Writer
from echoes.dataset.facts import RadarFacts
from echoes.dataset.frames import SPLITS, split_numbers
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.provenance import Header
from echoes.rasters import scaling, visibility, voxels
from echoes.rasters.ground import Plane
from echoes.rasters.scaling import Scaling
from echoes.rasters.voxels import RADAR_CHANNELS, TARGET_CHANNELS, Cells

FAMILY = "radar"
FACTS = ("family", "axes", "target_channels", "scaling", "ego_motion")


@dataclass(frozen=True)
class FrameCells:
    """One frame, voxelized.

    radar, target   their occupied cells.
    offsets         (M, 3) where the returns of each target cell lie on average: z, y, x from its centre, in cells.
    observed        (D, H, W) bool, packed to bits.
    radar_points    (N, 5) x, y, z [m], Doppler [m/s], power [dB] of the radar's points inside the grid.
    target_points   (P, 3) x, y, z [m] of the target's points inside the grid, the ground taken out.
    ground          (3,) slopes along x and y and height [m] of the plane of the ground; below the grid where none is.
    """

    sequence: str
    stamp: float
    radar: Cells
    target: Cells
    offsets: np.ndarray
    observed: np.ndarray
    radar_points: np.ndarray
    target_points: np.ndarray
    ground: np.ndarray


class GridsWriter:
    """Appends frames to a group, and sums up what the header tells of the train split.

    The points themselves are kept of validation and test frames only, which are measured by them.
    """

    def __init__(self, writer: Writer, grid: Grid) -> None:
        self._writer, self._cells = writer, int(np.prod(grid.shape))
        self.sequences: list[str] = []
        self.frames = dict.fromkeys(SPLITS, 0)
        self._occupied = 0

    def append(self, frame: FrameCells, split: str, stretch: int) -> None:
        """Add one frame; stretch: the number of the piece of the recording that is never divided."""
        if frame.sequence not in self.sequences:
            self.sequences.append(frame.sequence)
        for name, cells in (("radar", frame.radar), ("target", frame.target)):
            self._writer.append_ragged(f"{name}_indices", cells.indices)
            self._writer.append_ragged(f"{name}_features", cells.features.astype(np.float32))
        self._writer.append_ragged("target_offsets", frame.offsets.astype(np.float32))
        for name, points in (("radar", frame.radar_points), ("target", frame.target_points)):
            kept = points[:0] if split == "train" else points
            self._writer.append_ragged(f"{name}_points", kept.astype(np.float32))
        self._writer.append("observed", frame.observed[None])
        self._writer.append("ground", frame.ground[None].astype(np.float64))
        self._writer.append("stamp", np.array([frame.stamp], np.float64))
        self._writer.append("sequence", np.array([self.sequences.index(frame.sequence)], np.int32))
        self._writer.append("stretch", np.array([stretch], np.int32))
        self._writer.append("split", np.array([SPLITS.index(split)], np.uint8))
        self.frames[split] += 1
        self._occupied += len(frame.target.indices) if split == "train" else 0

    def seal(
        self,
        grid: Grid,
        params: dict[str, Any],
        scaled: Scaling,
        ego_motion: str,
        ground_m: float,
        parents: dict[str, str],
    ) -> None:
        """Close with the header; raises InputError unless every split has a frame and train an occupied cell."""
        for split, count in self.frames.items():
            if count == 0:
                raise InputError(f"split: expected frames in every split, got none in {split} ({self.frames})")
        if self._occupied == 0:
            raise InputError("grid: expected target points inside the grid, got none in any training frame")
        content = {
            "family": FAMILY,
            "axes": grid.header(),
            "radar_channels": list(RADAR_CHANNELS),
            "target_channels": list(TARGET_CHANNELS),
            "scaling": asdict(scaled),
            "ego_motion": ego_motion,
            "ground_m": ground_m,
            "sequences": self.sequences,
            "occupied_share": self._occupied / (self.frames["train"] * self._cells),
        }
        self._writer.seal(Header("grids", params, parents, content))


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

    def ground(self, frame: int) -> Plane:
        """The plane of the ground; it lies below the grid where none was found."""
        slope_x, slope_y, height_m = self._reader.rows("ground", frame, frame + 1)[0].tolist()
        return slope_x, slope_y, height_m

    def offsets_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, 3, D, H, W) float32 where the target lies in its cells: z, y, x from their centres, in cells."""
        dense = []
        for frame in frames:
            indices = self.cells("target", int(frame)).indices
            offsets = self._reader.ragged("target_offsets", int(frame))
            if len(indices) != len(offsets) or not (np.abs(offsets) <= 0.5).all():
                raise InputError(f"{self.path}/target_offsets: expected places in cells, got others in frame {frame}")
            dense.append(voxels.dense(Cells(indices, offsets), self.grid.shape)[1:])
        return np.stack(dense)

    def observed(self, frame: int) -> np.ndarray:
        """(D, H, W) bool: a ray passed there or ended there."""
        return visibility.unpack(self._reader.rows("observed", frame, frame + 1)[0], self.grid.shape)

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
        return np.stack([voxels.dense(cells, self.grid.shape) for cells in frames])
