"""grids.zarr of radar clouds: what voxelize writes and every later stage reads, frame by frame."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from echoes.arrays import Reader, Writer
from echoes.dataset.frames import SPLITS
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.provenance import Header
from echoes.rasters import scaling, visibility, voxels
from echoes.rasters.scaling import Scaling
from echoes.rasters.voxels import RADAR_CHANNELS, TARGET_CHANNELS, Cells

FAMILY = "radar"
FACTS = ("family", "axes", "target_channels", "scaling", "ego_motion")


class GridsWriter:
    """Appends frames to a group, and sums up what the header tells of the train split."""

    def __init__(self, writer: Writer, grid: Grid) -> None:
        self._writer, self._cells = writer, int(np.prod(grid.shape))
        self.sequences: list[str] = []
        self.frames = dict.fromkeys(SPLITS, 0)
        self._occupied = 0

    def append(
        self, sequence: str, stamp: float, split: str, radar: Cells, target: Cells, observed: np.ndarray
    ) -> None:
        """Add one frame; `observed` is packed to bits."""
        if sequence not in self.sequences:
            self.sequences.append(sequence)
        for name, cells in (("radar", radar), ("target", target)):
            self._writer.append_ragged(f"{name}_indices", cells.indices)
            self._writer.append_ragged(f"{name}_features", cells.features.astype(np.float32))
        self._writer.append("observed", observed[None])
        self._writer.append("stamp", np.array([stamp], np.float64))
        self._writer.append("sequence", np.array([self.sequences.index(sequence)], np.int32))
        self._writer.append("split", np.array([SPLITS.index(split)], np.uint8))
        self.frames[split] += 1
        self._occupied += len(target.indices) if split == "train" else 0

    def seal(
        self, grid: Grid, params: dict[str, Any], scaled: Scaling, ego_motion: str, parents: dict[str, str]
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
            "sequences": self.sequences,
            "occupied_share": self._occupied / (self.frames["train"] * self._cells),
        }
        self._writer.seal(Header("grids", params, parents, content))


class Grids:
    """Frames of grids.zarr, as sparse cells in physical units or as dense batches in network range."""

    family = FAMILY
    rank = 3

    def __init__(self, path: Path) -> None:
        """Raises InputError where `path` is no whole grids artifact."""
        self._reader = Reader(path, "grids")
        self.path, self.header = path, self._reader.header
        content = self.header.content
        try:
            self.grid = Grid.from_header(content["axes"])
            self.scaling = Scaling(tuple(content["scaling"]["power_db"]), content["scaling"]["doppler_mps"])
            self.occupied_share = float(content["occupied_share"])
        except (LookupError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: expected axes, scaling and occupied_share in its header, got {error!r}"
            ) from error
        self._split = self._reader.all("split")

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
    def channel_names(self) -> tuple[str, ...]:
        """Of the target."""
        return tuple(self.header.content["target_channels"])

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
        return Cells(self._reader.ragged(f"{name}_indices", frame), self._reader.ragged(f"{name}_features", frame))

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
        cells = [self.cells("target", int(f)) for f in frames]
        return self._dense([Cells(c.indices, scaling.target_to_network(c.features, self.scaling)) for c in cells])

    def observed_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, D, H, W) float32, 1 where observed."""
        return np.stack([self.observed(int(f)) for f in frames]).astype(np.float32)

    def _radar(self, frame: int) -> Cells:
        cells = self.cells("radar", frame)
        return Cells(cells.indices, scaling.radar_to_network(cells.features, self.scaling))

    def _dense(self, frames: list[Cells]) -> np.ndarray:
        return np.stack([voxels.dense(cells, self.grid.shape) for cells in frames])
