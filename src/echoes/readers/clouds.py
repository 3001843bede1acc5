"""Anyone's point clouds: a folder of files of a 4D radar, and perhaps one of a LiDAR, a frame in each file.

    <sequence>/<radar>/<name>.ply     or .pcd, .npy, .csv, .bin: all of a sensor alike (cloud_files.py)
    <sequence>/<lidar>/<name>.pcd     likewise
    <sequence>/<radar>/<part>/<name>  folders below count as parts of the sequence's name, and there may be none at all
    <frames.csv>                      a table of stamps, where the names of the files tell none (frame_table.py)
    <extrinsics.yaml>                 where LiDAR and radar are not parallel (pairing.Extrinsics)

What the columns are, in which unit, sign and axes, is said in params.yaml (cloud_columns.py). A stamp is the last
number in the name of a file, or that number times a period, or stands in the table. Folders beside each other that were
cut out of one drive, which their stamps tell, are one sequence. A radar cloud is paired with the LiDAR cloud nearest in
time, unless another radar cloud is nearer to that one, and not at all beyond the tolerance. Files follow each other by
all numbers in their names, or as the rows of the table. Where their stamps jump back another sequence begins
(`drive-2`): run k of the radar is paired with run k of the LiDAR, and not at all where the two have not as many. Hidden
files and folders and `__MACOSX` are left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

import numpy as np

from echoes.errors import InputError
from echoes.readers import clocks, cloud_folders, frame_table
from echoes.readers.axes import rotation
from echoes.readers.cloud_columns import ByExtrinsics, Lidar, Radar, lidar_points, radar_points
from echoes.readers.cloud_files import FORMATS
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import MOVED, EgoMotion, Entry, Frame
from echoes.readers.pairing import CLOCKS_S, OTHER_CLOCK, lidar_to_radar, nearest, too_far
from echoes.readers.splits import LATEST_S
from echoes.readers.tables import placed

NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
BETWEEN = "//"  # of two paths in a key; no path has it
NOT_NEAREST = "another radar frame is nearer to its LiDAR cloud"
NO_LIDAR = "no LiDAR cloud in its sequence"
# What `echoes track` writes where no track has this reader.
EXAMPLE = """\
source:
  reader: clouds
  ego_motion: estimated
  doppler: {span_mps: null, static_mps: 0.5, static_share: 0.2, max_speed_mps: 30.0}
  # columns: what -> its name in the files; layout: all names in order, for files without them (.bin, plain .npy, .csv)
  radar:
    folder: radar
    columns: {x: x, y: y, z: z, doppler: doppler, power: power} # and range, where there is one: it has to be |x, y, z|
    layout: []
    keep: {} # column -> its values in rows that are kept: {invalid_state: [0]}
    padding: none # none | nan | zero: rows without a return
    axes: FLU # what x, y, z point to: F or B, L or R, U or D
    doppler: {sign: receding, unit: m/s} # or approaching; or km/h
    power: {unit: dB, offset_db: 0.0} # or linear
  lidar: # null where there is none
    folder: lidar
    columns: {x: x, y: y, z: z, reflectivity: intensity}
    layout: []
    keep: {}
    padding: none
    reflectivity_max: 255.0 # what becomes 1
    mount: {by: axes, axes: FLU, position_m: [0.0, 0.0, 0.0]} # or {by: extrinsics, file: extrinsics.yaml}
    stamp_offset_s: 0.0 # is added to its stamps
  stamps: {by: number, period_s: 0.1} # or {by: name, unit: ns}, or {by: table, file: frames.csv}
  stamp_tolerance_s: 0.05 # between the frames of a pair
  join_s: 1.0 # folders that follow each other so soon are one drive
"""

Stamped = tuple[float, str]  # stamp [s], path of the file in the recording


@dataclass(frozen=True)
class ByName:
    """The last number in the name of a file is its stamp; unit: of it."""

    by: Literal["name"]
    unit: Literal["s", "ms", "us", "ns"]


@dataclass(frozen=True)
class ByNumber:
    """The last number in the name of a file counts periods; period_s: one of them."""

    by: Literal["number"]
    period_s: float

    def __post_init__(self) -> None:
        if not self.period_s > 0:
            raise InputError(f"period_s: expected more than 0, got {self.period_s:g}")


@dataclass(frozen=True)
class ByTable:
    """file: a table in the recording."""

    by: Literal["table"]
    file: str


@dataclass(frozen=True)
class Source:
    """Where the frames come from, in params.yaml.

    stamp_tolerance_s  between the frames of a pair.
    join_s             a folder whose stamps begin so soon after those of another one beside it goes on with its
                       drive, 0 for none; no matter where stamps are numbers.
    """

    RENAMED: ClassVar = MOVED

    reader: Literal["clouds"]
    ego_motion: EgoMotion
    doppler: Doppler
    radar: Radar
    lidar: Lidar | None
    stamps: ByName | ByNumber | ByTable
    stamp_tolerance_s: float
    join_s: float

    def __post_init__(self) -> None:
        if not self.stamp_tolerance_s > 0:
            raise InputError(f"stamp_tolerance_s: expected more than 0, got {self.stamp_tolerance_s:g}")
        if self.join_s < 0:
            raise InputError(f"join_s: expected at least 0, got {self.join_s:g}")
        if self.lidar is not None and cloud_folders.overlap(self.radar.folder, self.lidar.folder):
            raise InputError(f"lidar.folder: expected another folder than the radar's, got {self.lidar.folder!r}")


def index(root: Path, source: Source) -> list[Entry]:
    """The radar clouds of all sequences, in order of time, each with its LiDAR cloud."""
    radar = _clouds(root, source.radar.folder, source, 0.0)
    if not radar:
        raise InputError(f"{root / source.radar.folder}: expected {', '.join(FORMATS)} files in it or below, got none")
    lidar = {} if source.lidar is None else _clouds(root, source.lidar.folder, source, source.lidar.stamp_offset_s)
    if lidar:
        to_radar(root, source)
    parts = [[name] for name in radar] if isinstance(source.stamps, ByNumber) else _joined(radar, source.join_s)
    radar, lidar = _of_drives(radar, parts), _of_drives(lidar, parts)
    entries = []
    for sequence, clouds in radar.items():
        for run, others, missing in _runs(clouds, lidar.get(sequence, [])):
            refused = missing if lidar else ""
            entries += _entries(sequence, run, others, refused, source)
    return clocks.cut(entries)


def read(root: Path, source: Source, entry: Entry) -> Frame:
    """One frame: Doppler positive = receding, LiDAR in the radar's frame; no target where the pair is refused."""
    own, _, other = entry.key.partition(BETWEEN)
    radar = radar_points(root / own, source.radar)
    velocity, pose = _motion(root, source, own)
    if source.lidar is None or not other or entry.refused:
        return Frame(entry.sequence, entry.stamp, radar, ego_velocity=velocity, pose=pose)
    matrix = to_radar(root, source)
    target = lidar_points(root / other, source.lidar, matrix)
    x, y, z = matrix[:3, 3].tolist()
    return Frame(entry.sequence, entry.stamp, radar, target, (x, y, z), velocity, pose)


def to_radar(root: Path, source: Source) -> np.ndarray:
    """(4, 4) coordinates as the LiDAR's files have them -> radar's frame, x forward, y left, z up."""
    assert source.lidar is not None, "asked for its clouds only"
    mount = source.lidar.mount
    if isinstance(mount, ByExtrinsics):
        return placed(rotation(source.radar.axes), np.zeros(3)) @ lidar_to_radar(root / mount.file)
    return placed(rotation(mount.axes), np.array(mount.position_m))


def _motion(root: Path, source: Source, name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Velocity (3,) and pose (4, 4) of the radar, whose frame has x forward; None for what no table tells.

    The world is turned with the radar's frame, so that a pose stays a rotation where the axes are left-handed.
    """
    if not isinstance(source.stamps, ByTable):
        return None, None
    row, own = frame_table.load(root / source.stamps.file)[name], placed(rotation(source.radar.axes), np.zeros(3))
    velocity = None if row.velocity is None else own[:3, :3] @ row.velocity
    return velocity, None if row.pose is None else own @ row.pose @ own.T


def _clouds(root: Path, folder: str, source: Source, offset_s: float) -> dict[str, list[Stamped]]:
    """Sequence -> the clouds of a sensor."""
    table = source.stamps.file if isinstance(source.stamps, ByTable) else ""
    found = cloud_folders.clouds(root, folder, table)
    return {sequence: _stamped(root, names, source, offset_s) for sequence, names in found.items()}


def _joined(clouds: Mapping[str, list[Stamped]], join_s: float) -> list[list[str]]:
    """The names of the sequences, in their order, those together that go on with one another.

    One goes on with another in the folder of which it lies, too, when it begins so soon after the end of that one.
    """
    drives: list[list[str]] = []
    for name in sorted(clouds, key=lambda name: min(clouds[name])):
        begin = min(clouds[name])[0]
        ends = {
            i: begin - max(clouds[parts[-1]])[0]
            for i, parts in enumerate(drives)
            if PurePosixPath(parts[0]).parent == PurePosixPath(name).parent
        }
        if fitting := [i for i, gap_s in ends.items() if 0 < gap_s <= join_s]:
            drives[min(fitting, key=lambda i: ends[i])].append(name)
        else:
            drives.append([name])
    order = list(clouds)
    return sorted(drives, key=lambda parts: order.index(parts[0]))


def _of_drives(clouds: Mapping[str, list[Stamped]], drives: Sequence[Sequence[str]]) -> dict[str, list[Stamped]]:
    """The clouds of the parts of each drive, by the name of the first one."""
    joined = {parts[0]: [one for part in parts for one in clouds.get(part, [])] for parts in drives}
    return {name: found for name, found in joined.items() if found}


def _stamped(root: Path, names: Sequence[str], source: Source, offset_s: float) -> list[Stamped]:
    """In order of all numbers in their names, or of their rows in the table."""
    stamps = source.stamps
    if isinstance(stamps, ByTable):
        path = root / stamps.file
        rows = frame_table.load(path)
        if missing := [name for name in names if name not in rows]:
            raise InputError(f"{path}: expected a row for {missing[0]}, got none")
        clouds = [(rows[name].stamp_s, name) for name in sorted(names, key=lambda name: rows[name].number)]
    else:
        factor = stamps.period_s if isinstance(stamps, ByNumber) else UNITS_S[stamps.unit]
        numbers = {name: _numbers(root / name) for name in names}
        clouds = [(numbers[name][-1] * factor, name) for name in sorted(names, key=lambda name: (numbers[name], name))]
    for stamp, name in clouds:
        if not abs(stamp) <= LATEST_S:
            raise InputError(f"{root / name}: expected a stamp up to {LATEST_S:g} s, got {stamp:g} s")
    for (before, name), (stamp, other) in pairwise(clouds):
        if stamp == before:
            raise InputError(f"{root / other}: expected stamps that increase, got {stamp:.6f} s as of {name}")
    return [(stamp + offset_s, name) for stamp, name in clouds]


def _numbers(path: Path) -> list[float]:
    if numbers := NUMBER.findall(path.stem):
        return [float(number) for number in numbers]
    raise InputError(f"{path}: expected a number in the name of the file, got none")


def _runs(radar: list[Stamped], lidar: list[Stamped]) -> list[tuple[list[Stamped], list[Stamped], str]]:
    """Runs of the radar whose stamps increase, the LiDAR clouds of the same clock, and why there are none."""
    own, others = (clocks.runs(clouds, [stamp for stamp, _ in clouds]) for clouds in (radar, lidar))
    if len(own) == len(others):
        return [(run, other, "") for run, other in zip(own, others, strict=True)]
    return [(run, [], OTHER_CLOCK if others else NO_LIDAR) for run in own]


def _entries(sequence: str, radar: list[Stamped], lidar: list[Stamped], missing: str, source: Source) -> list[Entry]:
    """missing: why there is no LiDAR cloud; empty where the recording has none at all."""
    if not lidar:
        return [Entry(sequence, stamp, f"{name}{BETWEEN}", refused=missing) for stamp, name in radar]
    own, theirs = ([stamp for stamp, _ in clouds] for clouds in (radar, lidar))
    chosen, back = nearest(own, theirs), nearest(theirs, own)
    entries = []
    for i, ((stamp, name), k) in enumerate(zip(radar, chosen.tolist(), strict=True)):
        offset_s = theirs[k] - stamp
        far = too_far(offset_s, source.stamp_tolerance_s)
        hint = _clocks(source, own[0] - theirs[0]) if abs(offset_s) > CLOCKS_S else ""
        refused = f"{far}{hint}" if far else "" if back[k] == i else NOT_NEAREST
        entries.append(Entry(sequence, stamp, f"{name}{BETWEEN}{lidar[k][1]}", offset_s, refused))
    return entries


def _clocks(source: Source, apart_s: float) -> str:
    """What to do about stamps that two clocks made, which tell apart_s between the first clouds of the two sensors."""
    assert source.lidar is not None, "of its stamps"
    proposed = f"{source.lidar.stamp_offset_s + apart_s:.3f}, if both began together"
    return f"; a constant difference of two clocks belongs in lidar.stamp_offset_s: about {proposed}"
