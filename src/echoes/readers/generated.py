"""Reader `generated`: radar frames that `echoes generate` made of a LiDAR, with that LiDAR, to train on.

    generated.json    what was generated, by which model, of which recording, and a row for each radar frame
    <frame>_<k>.ply   (or .pcd, .npy, .csv, .bin) x, y, z [m], doppler [m/s], power [dB] of the k-th radar of a frame
    <frame>.lidar.npy (N, 4) x, y, z [m], reflectivity 0..1: the LiDAR that it was made of

Doppler is relative to the radar, as measured, wherever the recording tells the velocity that it contains: with
`ego_motion: recorded` it is put over ground. The radar frames of one LiDAR frame are neighbours in time, 10 us apart,
so that no split takes some of them to train and others to test.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from echoes import params
from echoes.errors import InputError, one_line
from echoes.readers import cloud_files
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import MAX_VALUE, RADAR_COLUMNS, TARGET_COLUMNS, EgoMotion, Entry, Frame, check_points

INDEX = "generated.json"
FORMAT = 1  # of the index
APART_S = 1e-5  # between the radar frames of a LiDAR frame
MOST = 100  # radar frames of a LiDAR frame: so many are within the shortest purge of a split
LATEST_S = 1e10  # of a stamp, of which float64 still tells such steps


@dataclass(frozen=True)
class Listed:
    """A radar frame.

    radar, lidar            names of files in the folder.
    sequence, stamp_s, key  of the frame in its recording; sample: its number among those of the frame.
    origin_m                x, y, z where the rays of the LiDAR start.
    ego_velocity_mps        that the Doppler contains, in the radar's frame; None for a model without ego motion.
    """

    radar: str
    lidar: str
    sequence: str
    stamp_s: float
    key: str
    sample: int
    origin_m: tuple[float, float, float]
    ego_velocity_mps: tuple[float, float, float] | None

    def __post_init__(self) -> None:
        for name in (self.radar, self.lidar):
            if not name or Path(name).name != name or name.startswith("."):
                raise InputError(f"radar, lidar: expected names of files in the folder, got {name!r}")
        if Path(self.radar).suffix not in cloud_files.WRITTEN:
            raise InputError(f"radar: expected a file of {', '.join(cloud_files.WRITTEN)}, got {self.radar!r}")
        if not 0 <= self.sample < MOST:
            raise InputError(f"sample: expected 0 to {MOST - 1}, got {self.sample}")
        if not abs(self.stamp_s) <= LATEST_S:
            raise InputError(f"stamp_s: expected at most {LATEST_S:g}, got {self.stamp_s}")
        numbers = [*self.origin_m, *(self.ego_velocity_mps or ())]
        if not all(abs(number) <= MAX_VALUE for number in numbers):
            raise InputError(f"origin_m, ego_velocity_mps: expected at most {MAX_VALUE:g}, got {numbers}")


@dataclass(frozen=True)
class Index:
    """generated.json: the model is named by the identity of its file, the recording by its folder and its reader."""

    format: int
    track: str
    model: str
    method: str
    seed: int
    count: int
    recording: str
    reader: str
    frames: tuple[Listed, ...]

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise InputError(f"format: expected {FORMAT}, got {self.format}")


@dataclass(frozen=True)
class Source:
    """Where the frames come from, in params.yaml."""

    reader: Literal["generated"]
    ego_motion: EgoMotion
    doppler: Doppler


def index(root: Path, source: Source) -> list[Entry]:
    """The radar frames in the order of their sequences and stamps."""
    rows = rows_of(root).values()
    listed = [Entry(row.sequence, row.stamp_s + APART_S * row.sample, row.radar, offset_s=0.0) for row in rows]
    if not listed:
        raise InputError(f"{root / INDEX}: expected radar frames, got none")
    entries = sorted(listed, key=lambda entry: (entry.sequence, entry.stamp))
    for before, entry in pairwise(entries):
        if (before.sequence, before.stamp) == (entry.sequence, entry.stamp):
            raise InputError(f"{root / INDEX}: expected other stamps for {before.key} and {entry.key}, got the same")
    return entries


def read(root: Path, source: Source, entry: Entry) -> Frame:
    """One frame: a radar that was made, and the LiDAR it was made of."""
    row = rows_of(root)[entry.key]
    radar, target = (
        check_points(cloud_files.points(root / name, columns), columns, root / name)
        for name, columns in ((row.radar, RADAR_COLUMNS), (row.lidar, TARGET_COLUMNS))
    )
    if len(target) and not (target[:, 3].min() >= 0 and target[:, 3].max() <= 1):
        got = f"{target[:, 3].min():g}..{target[:, 3].max():g}"
        raise InputError(f"{root / row.lidar}: expected reflectivity 0..1, got {got}")
    velocity = None if row.ego_velocity_mps is None else np.array(row.ego_velocity_mps)
    return Frame(entry.sequence, entry.stamp, radar, target, row.origin_m, velocity)


def rows_of(root: Path) -> Mapping[str, Listed]:
    """Name of its file -> radar frame; raises InputError where `root` is no folder that `echoes generate` wrote."""
    path = root / INDEX
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a folder that echoes generate wrote")
    found = path.stat()
    return _rows_of(path, found.st_mtime_ns, found.st_size)


@cache
def _rows_of(path: Path, modified_ns: int, size: int) -> Mapping[str, Listed]:
    """Parsed once for all frames of a folder, and again where it was written anew."""
    try:
        told: Any = json.loads(path.read_text())
        found: Index = params.build(Index, told, str(path))
    except InputError:
        raise
    except (OSError, ValueError, OverflowError, RecursionError) as error:  # a whole number may have any length
        raise InputError(f"{path}: expected what echoes generate writes, got {one_line(error)}") from error
    rows = {row.radar: row for row in found.frames}
    if len(rows) < len(found.frames):
        raise InputError(f"{path}: expected each radar frame once, got some twice")
    return rows
