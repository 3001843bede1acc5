"""NTU4DRadLM and other recordings of a 4D radar and a LiDAR in ROS 1 bags.

    *.bag              a cloud per message on the topic of the radar and on that of the LiDAR
    <extrinsics>       YAML: maps (radar_to_lidar or lidar_to_radar), rotation (3 rows of 3), translation_m (3)

Every bag is a sequence, and another one begins where the stamps of its radar jump back (`loop-2`). Topics and
fields are parameters; NTU4DRadLM has /radar_enhanced_pcl (PointCloud with the channels Doppler [m/s], positive =
receding, and Power [dB]) and /livox/lidar (livox_ros_driver/CustomMsg). Clouds are paired by the stamps of their
headers, never by the time of receipt: a radar cloud with the LiDAR cloud nearest in time, and not at all beyond the
tolerance. A published extrinsic matrix R, T with p_lidar = R p_radar + T is `maps: radar_to_lidar`. A bag
without the LiDAR's topic can still be enhanced.

A clock that jumps back tells the same time twice. Each topic is therefore cut into runs where its stamps jump back,
and run k of the radar is paired with run k of the LiDAR alone, with those of its clouds that were received during
the run of the radar. Where one topic jumps more often than the other, only the first run of each is known to have
the same clock; the pairs of later ones are refused.
"""

from dataclasses import dataclass, replace
from itertools import chain, pairwise, repeat
from math import inf
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from echoes import params
from echoes.errors import InputError
from echoes.readers import bags, clocks, tables
from echoes.readers.bags import Message
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import MOVED, RADAR_COLUMNS, TARGET_COLUMNS, EgoMotion, Entry, Frame, check_points

Padding = Literal["none", "zero", "nan"]  # rows that hold no return: none, x = y = z = 0, or any of them NaN
UNKNOWN = "a clock jumped back, and no LiDAR cloud is known to share it"
SameStamp = Literal["refuse", "last"]  # last: a cloud is published again while it grows, and complete in the end


@dataclass(frozen=True)
class RadarTopic:
    """Where the radar's clouds are, and which field of a message holds which column."""

    topic: str
    fields: dict[str, str]
    doppler_sign: Literal[1, -1]  # of the field when a point recedes
    padding: Padding
    same_stamp: SameStamp

    def __post_init__(self) -> None:
        _check_fields(self.fields, RADAR_COLUMNS)


@dataclass(frozen=True)
class LidarTopic:
    """Where the LiDAR's clouds are, and which field of a message holds which column."""

    topic: str
    fields: dict[str, str]
    reflectivity_max: float  # value that becomes 1
    padding: Padding
    same_stamp: SameStamp

    def __post_init__(self) -> None:
        _check_fields(self.fields, TARGET_COLUMNS)
        if self.reflectivity_max <= 0:
            raise InputError(f"reflectivity_max: expected more than 0, got {self.reflectivity_max}")


@dataclass(frozen=True)
class Source:
    """Where the frames come from, in params.yaml."""

    RENAMED: ClassVar = MOVED

    reader: Literal["ros"]
    ego_motion: EgoMotion
    doppler: Doppler
    radar: RadarTopic
    lidar: LidarTopic
    extrinsics: str  # file in the folder of the recording
    stamp_tolerance_s: float

    def __post_init__(self) -> None:
        if self.stamp_tolerance_s <= 0:
            raise InputError(f"stamp_tolerance_s: expected more than 0, got {self.stamp_tolerance_s}")


Row = tuple[float, float, float]


@dataclass(frozen=True)
class Extrinsics:
    """How the two sensors are mounted to each other, in the extrinsics file."""

    maps: Literal["radar_to_lidar", "lidar_to_radar"]
    rotation: tuple[Row, Row, Row]
    translation_m: Row


def index(root: Path, source: Source) -> list[Entry]:
    """The radar clouds of all bags, each with the LiDAR cloud nearest in time, in sequences whose stamps increase.

    Reads every bag once: the stamp of a header stands in the message itself.
    """
    paths = sorted(root.rglob("*.bag"))
    if not paths:
        raise InputError(f"{root}: expected *.bag files in it or below, got none")
    entries = []
    for path in paths:
        radar = _runs(path, source.radar)
        lidar = _runs(path, source.lidar) if source.lidar.topic in bags.topics(path) else []
        if lidar:
            lidar_to_radar(root / source.extrinsics)
        if not radar:
            raise InputError(f"{path}: expected clouds on {source.radar.topic}, got none")
        name = path.relative_to(root).as_posix()
        for clouds, others in zip(radar, _partners(radar, lidar), strict=True):
            listed = [_entry(name, *pair, source) for pair in _pairs(clouds, others)]
            entries += [replace(e, refused=UNKNOWN) for e in listed] if lidar and not others else listed
    return clocks.cut(entries)


def read(root: Path, source: Source, entry: Entry) -> Frame:
    """One frame: Doppler positive = receding, LiDAR in the radar's frame; no target where the pair is refused."""
    name, *numbers = entry.key.rsplit(" ", 4)
    path, cloud, other = root / name, Message(*map(int, numbers[:2])), Message(*map(int, numbers[2:]))
    radar = _table(path, source.radar, cloud, RADAR_COLUMNS)
    radar[:, 3] *= source.radar.doppler_sign
    radar = check_points(radar, RADAR_COLUMNS, f"{path}: {source.radar.topic}")
    if entry.refused or entry.offset_s is None:
        return Frame(entry.sequence, entry.stamp, radar)
    target, origin = _lidar(root, path, source, other)
    return Frame(entry.sequence, entry.stamp, radar, target, origin)


def lidar_to_radar(path: Path) -> np.ndarray:
    """(4, 4) LiDAR -> radar, from the extrinsics file."""
    found = params.build(Extrinsics, params.document(path), str(path))
    rows = [[*row, t] for row, t in zip(found.rotation, found.translation_m, strict=True)]
    matrix = tables.rigid([*rows, [0, 0, 0, 1]], f"{path}: rotation")
    return np.linalg.inv(matrix) if found.maps == "radar_to_lidar" else matrix


def _runs(path: Path, source: RadarTopic | LidarTopic) -> list[list[Message]]:
    """The messages of a topic, in runs with stamps that increase."""
    kept: list[Message] = []
    for message in bags.messages(path, source.topic):
        if kept and message.stamp_ns == kept[-1].stamp_ns and source.same_stamp == "last":
            kept.pop()
        elif kept and message.stamp_ns == kept[-1].stamp_ns:
            twice = f"{message.stamp_ns / 1e9:.6f} s twice"
            raise InputError(f"{path}: {source.topic}: expected stamps that increase, got {twice}")
        kept.append(message)
    return clocks.runs(kept, [message.stamp_ns for message in kept])


def _partners(radar: list[list[Message]], lidar: list[list[Message]]) -> list[list[Message]]:
    """For each run of the radar the LiDAR clouds with the same clock; none where that is not known."""
    known = lidar[: len(radar) if len(radar) == len(lidar) else 1]
    begins = [-inf, *(run[0].received_ns for run in radar[1:]), inf]
    return [
        [cloud for cloud in run if begin <= cloud.received_ns < end]
        for run, (begin, end) in zip(chain(known, repeat([])), pairwise(begins), strict=False)
    ]


def _pairs(radar: list[Message], lidar: list[Message]) -> list[tuple[Message, Message | None]]:
    """Each radar cloud with the LiDAR cloud nearest in time; both lists increase."""
    if not lidar:
        return [(cloud, None) for cloud in radar]
    stamps, others = (np.array([cloud.stamp_ns for cloud in clouds], np.int64) for clouds in (radar, lidar))
    after = np.searchsorted(others, stamps).clip(0, len(others) - 1)
    before = (after - 1).clip(0)
    nearest = np.where(np.abs(stamps - others[before]) <= np.abs(others[after] - stamps), before, after)
    return [(cloud, lidar[i]) for cloud, i in zip(radar, nearest, strict=True)]


def _entry(name: str, radar: Message, lidar: Message | None, source: Source) -> Entry:
    stamp, key = radar.stamp_ns / 1e9, f"{name} {radar.received_ns} {radar.stamp_ns}"
    sequence = name.removesuffix(".bag")
    if lidar is None:
        return Entry(sequence, stamp, f"{key} 0 0")
    offset_s = (lidar.stamp_ns - radar.stamp_ns) / 1e9
    far = abs(offset_s) > source.stamp_tolerance_s
    refused = f"stamps {offset_s:+.4f} s apart, beyond {source.stamp_tolerance_s} s" if far else ""
    return Entry(sequence, stamp, f"{key} {lidar.received_ns} {lidar.stamp_ns}", offset_s, refused)


def _table(path: Path, source: RadarTopic | LidarTopic, message: Message, columns: tuple[str, ...]) -> np.ndarray:
    """(N, len(columns)) float64, without padding."""
    found = bags.columns(path, source.topic, message)
    for column in columns:
        if source.fields[column] not in found:
            known = ", ".join(found)
            raise InputError(f"{path}: {source.topic}: expected the field {source.fields[column]}, got {known}")
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a NaN, which the padding or the check takes
        rows = np.stack([found[source.fields[column]].astype(np.float64) for column in columns], axis=1)
    if source.padding == "zero":
        return rows[(rows[:, :3] != 0).any(axis=1)]
    if source.padding == "nan":
        return rows[~np.isnan(rows[:, :3]).any(axis=1)]
    return rows


def _lidar(root: Path, path: Path, source: Source, message: Message) -> tuple[np.ndarray, Row]:
    rows = _table(path, source.lidar, message, TARGET_COLUMNS)
    origin = f"{path}: {source.lidar.topic}"
    check_points(rows, TARGET_COLUMNS, origin)
    reflectivity = rows[:, 3] / source.lidar.reflectivity_max
    if len(rows) and not (reflectivity.min() >= 0 and reflectivity.max() <= 1):
        got = f"{rows[:, 3].min()}..{rows[:, 3].max()}"
        raise InputError(f"{origin}: expected reflectivity 0..{source.lidar.reflectivity_max}, got {got}")
    matrix = lidar_to_radar(root / source.extrinsics)
    x, y, z = matrix[:3, 3].tolist()
    xyz = rows[:, :3] @ matrix[:3, :3].T + matrix[:3, 3]
    return check_points(np.column_stack([xyz, reflectivity]), TARGET_COLUMNS, origin), (x, y, z)


def _check_fields(fields: dict[str, str], columns: tuple[str, ...]) -> None:
    if set(fields) != set(columns):
        raise InputError(f"fields: expected {', '.join(columns)}, got {', '.join(fields) or 'none'}")
