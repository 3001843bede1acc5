"""grids.zarr of radar clouds, written frame by frame."""

from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np

from echoes.arrays import Writer
from echoes.dataset.frames import MEASURED, NUMBERS, SPLITS
from echoes.dataset.grids import FAMILY
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.provenance import Header
from echoes.rasters.cells import Cells
from echoes.rasters.scaling import Scaling
from echoes.rasters.sweeps import Sweeps
from echoes.tasks import Task


@dataclass(frozen=True)
class FrameCells:
    """One frame, voxelized.

    input, target   the occupied cells of what goes in and of what is to come out.
    offsets         (M, 3) where the returns of each target cell lie on average: z, y, x from its centre, in cells.
    observed        (D, H, W) bool, packed to bits.
    input_points    (N, K) the points inside the grid of what goes in, in the columns `tasks.POINTS`; no earlier ones.
    target_points   (P, K) the target's points inside the grid, in the columns of the task: x, y, z [m] of a LiDAR, the
                    ground taken out, or all that a radar measured.
    ground          (3,) slopes along x and y and height [m] of the plane of the ground; below the grid where none is.
    """

    sequence: str
    stamp: float
    input: Cells
    target: Cells
    offsets: np.ndarray
    observed: np.ndarray
    input_points: np.ndarray
    target_points: np.ndarray
    ground: np.ndarray


class GridsWriter:
    """Appends frames to a group, and sums up what the header tells of the train split.

    The points themselves are kept of validation and test frames only, which are measured by them.
    """

    def __init__(self, writer: Writer, grid: Grid, task: Task) -> None:
        self._writer, self._grid, self._task = writer, grid, task
        self.sequences: list[str] = []
        self.frames = dict.fromkeys(NUMBERS, 0)
        self._occupied = 0

    def append(self, frame: FrameCells, split: str, stretch: int) -> None:
        """Add one frame; stretch: the number of the piece of the recording that is never divided."""
        if frame.sequence not in self.sequences:
            self.sequences.append(frame.sequence)
        for name, cells in ((self._task.given, frame.input), ("target", frame.target)):
            self._writer.append_ragged(f"{name}_indices", cells.indices)
            self._writer.append_ragged(f"{name}_features", cells.features.astype(np.float32))
        self._writer.append_ragged("target_offsets", frame.offsets.astype(np.float32))
        for name, points in ((self._task.given, frame.input_points), ("target", frame.target_points)):
            kept = points if split in MEASURED else points[:0]
            self._writer.append_ragged(f"{name}_points", kept.astype(np.float32))
        self._writer.append("observed", frame.observed[None])
        self._writer.append("ground", frame.ground[None].astype(np.float64))
        self._writer.append("stamp", np.array([frame.stamp], np.float64))
        self._writer.append("sequence", np.array([self.sequences.index(frame.sequence)], np.int32))
        self._writer.append("stretch", np.array([stretch], np.int32))
        self._writer.append("split", np.array([NUMBERS[split]], np.uint8))
        self.frames[split] += 1
        self._occupied += len(frame.target.indices) if split == "train" else 0

    def seal(
        self,
        params: dict[str, Any],
        scaled: Scaling,
        ego_motion: str,
        ground_m: float,
        swept: Sweeps | None,
        parents: dict[str, str],
    ) -> None:
        """Close with the header; raises InputError unless every split has a frame and train an occupied cell."""
        counts = {split: self.frames[split] for split in SPLITS}
        for split, count in counts.items():
            if count == 0:
                raise InputError(f"split: expected frames in every split, got none in {split} ({counts})")
        if self._occupied == 0:
            raise InputError("grid: expected target points inside the grid, got none in any training frame")
        content = {
            "family": FAMILY,
            "axes": self._grid.header(),
            "task": asdict(self._task),
            "scaling": asdict(scaled),
            "ego_motion": ego_motion,
            "ground_m": ground_m,
            "sweeps": None if swept is None else asdict(swept),
            "sequences": self.sequences,
            "occupied_share": self._occupied / (self.frames["train"] * prod(self._grid.shape)),
        }
        self._writer.seal(Header("grids", params, parents, content))
