"""What every reader of radar clouds gives: an index of entries, and a Frame for each of them.

A reader is a module with a frozen `Source` dataclass (its section of params.yaml) and two functions:

    index(root: Path, source: Source) -> list[Entry]          cheap: lists, pairs and checks, reads no cloud
    read(root: Path, source: Source, entry: Entry) -> Frame   pure: the same entry gives the same frame

`read` runs in worker processes and in any order, so it keeps no state between frames.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from echoes.errors import InputError
from echoes.tasks import POINTS

RADAR_COLUMNS, TARGET_COLUMNS = POINTS["radar"], POINTS["lidar"]

MAX_VALUE = 1e9  # of any number that a sensor tells, in its unit; float32 holds the squares of such numbers
EgoMotion = Literal["none", "recorded", "estimated"]
# Keys that a source had once -> what they are now.
MOVED = {"workers": "/runtime.workers.processes", "scheduler": "/runtime.workers.scheduler"}


@dataclass(frozen=True)
class Entry:
    """One frame of a recording, before it is read."""

    sequence: str  # frames of one sequence are neighbours in time; a split never cuts closer than its purge
    stamp: float  # s, of the radar; increases within a sequence
    key: str  # what `read` needs to find the frame again
    offset_s: float | None = None  # stamp of the LiDAR minus stamp of the radar; None where there is no pair
    refused: str = ""  # why the pair must not be used, such as a stamp difference beyond the tolerance
    jumps_back: bool = False  # the clock of the recording jumps back to it: the first of a new sequence
    repeated: int = 0  # radar clouds with the same stamp that came before it, and are left out
    empty: int = 0  # radar clouds without points beside it that are left out


@dataclass(frozen=True)
class Box:
    """An annotated object in the radar's frame."""

    label: str
    centre: tuple[float, float, float]  # x, y, z [m]
    size: tuple[float, float, float]  # length, width, height [m]
    yaw_rad: float  # about z, from x to y

    def outline(self) -> np.ndarray:
        """(4, 2) x, y [m] of the corners, from above."""
        corners = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)]) * np.array(self.size[:2]) / 2
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return corners @ np.array([[cos, sin], [-sin, cos]]) + np.array(self.centre[:2])


@dataclass(frozen=True)
class Frame:
    """One radar frame and what it is to become, both in the radar's frame: x forward, y left, z up.

    radar          (N, 5) float32 x, y, z [m], radial velocity [m/s] positive = receding, power [dB].
    target         (M, 4) float32 x, y, z [m], reflectivity 0..1: the LiDAR, or accumulated scans;
                   None where the recording has none.
    target_origin  (3,) where the rays of the target start [m].
    ego_velocity   (3,) recorded velocity of the radar over ground, in its own frame [m/s]; None where
                   the recording has none.
    pose           (4, 4) radar frame -> world; None where the recording has none.
    """

    sequence: str
    stamp: float
    radar: np.ndarray
    target: np.ndarray | None = None
    target_origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ego_velocity: np.ndarray | None = None
    pose: np.ndarray | None = None
    boxes: tuple[Box, ...] = field(default=())


def check_points(points: np.ndarray, columns: tuple[str, ...], origin: Path | str) -> np.ndarray:
    """`points` as (N, len(columns)) float32.

    Raises InputError naming `origin` for another shape, or a value that is not finite or beyond MAX_VALUE.
    """
    if points.ndim != 2 or points.shape[1] != len(columns):
        raise InputError(f"{origin}: expected (N, {len(columns)}) {', '.join(columns)}, got shape {points.shape}")
    sane = np.abs(points) <= MAX_VALUE
    if not sane.all():
        row, column = np.argwhere(~sane)[0]
        linear = columns[column] == "power" and np.isfinite(points[row, column])
        raise InputError(
            f"{origin}: expected finite numbers, got {points[row, column]} for {columns[column]} of point {row} "
            f"({MAX_VALUE:g} is the most{'; it has to be in dB: is this linear?' if linear else ''})"
        )
    return np.ascontiguousarray(points, dtype=np.float32)
