"""ROS recordings of a 4D radar and a LiDAR, such as NTU4DRadLM: bags of ROS 1 and ROS 2.

    *.bag                                    ROS 1
    <folder>/metadata.yaml, *.db3, *.mcap    ROS 2, in SQLite or MCAP; a file alone is read without its metadata.yaml
    <extrinsics>       YAML: maps (radar_to_lidar or lidar_to_radar), rotation (3 rows of 3), translation_m (3)

A drive may lie in several bags of one folder (drives.py): a bag for each sensor, or one that was cut into several.
Every drive is a sequence, and another one begins where the stamps of its radar jump back (`loop-2`). Topics and fields
are parameters; NTU4DRadLM has /radar_enhanced_pcl (PointCloud with the channels Doppler [m/s], positive = receding, and
Power [dB]) and /livox/lidar (livox_ros_driver/CustomMsg). Clouds are PointCloud, PointCloud2, Livox' CustomMsg,
radar_msgs/RadarScan, or any other list of points that the bag defines (ros_clouds.py). One without points is left out,
and counted.

A radar cloud is paired with the LiDAR cloud nearest in time, and not at all beyond the tolerance. The time is that of
the header, or of receipt where a sensor stamps nothing useful, plus an offset. A published extrinsic matrix R, T with
p_lidar = R p_radar + T is `maps: radar_to_lidar`. It holds for the points as the sensors give them: `axes` turns the
radar and, by the extrinsics, the LiDAR. A recording without the LiDAR's topic can still be enhanced. Pairs are refused
where a clock jumped back and it is not known which clouds share one.

With `motion` a frame has the velocity of the radar, its pose, or both, in between of two messages; none beyond the
first and the last. `by: topic` reads messages that tell it (ros_motion.py), `by: tf` the transforms between frames
(ros_frames.py), which are put together when the frames are listed.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from echoes.errors import InputError
from echoes.readers import bags, clocks, drives, ros_frames, ros_motion
from echoes.readers.bags import Message
from echoes.readers.drives import Drive, Stamped
from echoes.readers.frames import RADAR_COLUMNS, TARGET_COLUMNS, Entry, Frame, check_points
from echoes.readers.pairing import CLOCKS_S, OTHER_CLOCK, Row, lidar_to_radar, reflectivity, too_far, unpadded
from echoes.readers.power import decibels
from echoes.readers.ros_source import LidarTopic, MotionFrames, MotionTopic, RadarTopic, Source, directed

STILL = "no motion is recorded around it"


def index(root: Path, source: Source) -> list[Entry]:
    """The radar clouds of all drives, each with the LiDAR cloud nearest in time, in sequences whose stamps increase.

    Reads every bag once: the stamp of a header stands in the message itself.
    """
    others = [source.motion.topic] if isinstance(source.motion, MotionTopic) else []
    frames = [source.motion.topic] if isinstance(source.motion, MotionFrames) else []
    found = drives.found(root, (source.radar.topic, source.lidar.topic), others, frames, source.join_s)
    if any(drive.topics.get(source.radar.topic) for drive in found):
        found = [drive for drive in found if any(drive.topics.values())]  # bags of something else
    sequences = _sequences(root, found, source.radar.topic)
    entries = [
        entry for drive, name in zip(found, sequences, strict=True) for entry in _entries(root, source, drive, name)
    ]
    return clocks.cut(entries)


def read(root: Path, source: Source, entry: Entry) -> Frame:
    """One frame: Doppler positive = receding, LiDAR in the radar's frame; no target where the pair is refused."""
    places = json.loads(entry.key)
    radar, turn = _radar(root, source.radar, places["radar"]), directed(source.radar.axes)
    radar[:, :3] = radar[:, :3] @ turn.T
    radar = check_points(radar, RADAR_COLUMNS, f"{root / places['radar'][0]}: {source.radar.topic}")
    velocity, pose = _motion(root, source.motion, places["motion"])
    if entry.refused or entry.offset_s is None:
        return Frame(entry.sequence, entry.stamp, radar, ego_velocity=velocity, pose=pose)
    target, origin = _lidar(root, source, turn, places["lidar"])
    return Frame(entry.sequence, entry.stamp, radar, target, origin, velocity, pose)


def _sequences(root: Path, found: Sequence[Drive], topic: str) -> list[str]:
    """The name of each drive: that of its first bag with the radar, with its ending where two would have one name."""
    first = [next((name for name, _ in drive.topics.get(topic, [])), drive.bags[0]) for drive in found]
    names = [bags.name(root, root / each) for each in first]
    return [name if names.count(name) == 1 else each for name, each in zip(names, first, strict=True)]


def _entries(root: Path, source: Source, drive: Drive, name: str) -> list[Entry]:
    radar, lidar = (drives.runs(drive, topic, root) for topic in (source.radar, source.lidar))
    where = root / drive.bags[0]
    if source.radar.topic not in drive.topics:
        known = {topic: None for each in drive.bags for topic in bags.topics(root / each)}
        raise InputError(f"{where}: expected the topic {source.radar.topic}, got {', '.join(known) or 'no topic'}")
    if not radar:
        empty = len(drive.topics[source.radar.topic])
        told = f"clouds with points, got {empty} without any" if empty else "clouds, got none"
        raise InputError(f"{where}: {source.radar.topic}: expected {told}")
    if source.motion and source.motion.topic not in drive.topics:
        raise InputError(f"{where}: expected the topic {source.motion.topic} of motion, got none in {name}")
    if lidar:
        lidar_to_radar(root / source.extrinsics)
    entries = []
    for run, others, moved in zip(
        radar, drives.partners(radar, lidar), _moved(root, source, drive, radar), strict=True
    ):
        pairs = zip(run, drives.nearest(run, others), moved, strict=True)
        apart_s = drives.apart_s(run, others)
        listed = [_entry(source, name, *three, apart_s) for three in pairs]
        entries += [replace(entry, refused=OTHER_CLOCK) for entry in listed] if lidar and not others else listed
    return entries


def _entry(
    source: Source,
    sequence: str,
    radar: Stamped,
    lidar: Stamped | None,
    moved: Sequence[Any] | None,
    apart_s: float,
) -> Entry:
    """A radar cloud with what was recorded around it; apart_s: the radar's clock minus the LiDAR's."""
    places = {"radar": _place(radar), "lidar": _place(lidar) if lidar else None, "motion": moved}
    refused = STILL if source.motion and not moved and source.ego_motion == "recorded" else ""
    offset_s = (lidar.time_ns - radar.time_ns) / 1e9 if lidar else None
    if offset_s is not None and (far := too_far(offset_s, source.stamp_tolerance_s)):
        refused = f"{far}{_clocks(source, offset_s, apart_s)}"
    key = json.dumps(places, ensure_ascii=False, separators=(",", ":"))
    stamp = radar.time_ns / 1e9
    return Entry(sequence, stamp, key, offset_s, refused, repeated=radar.repeated, empty=radar.empty)


def _clocks(source: Source, offset_s: float, apart_s: float) -> str:
    """What to do about stamps that two clocks made."""
    if abs(offset_s) < CLOCKS_S:
        return ""
    told = ", ".join(
        f"{name} by {topic.stamps} {topic.offset_s:+g} s"
        for name, topic in (("radar", source.radar), ("lidar", source.lidar))
    )
    proposed = f"{source.lidar.offset_s + apart_s:.3f}, by when the clouds were received"
    return f" ({told}); a constant difference of two clocks belongs in lidar.offset_s: about {proposed}"


def _place(one: Stamped) -> list[Any]:
    """What a message is found by."""
    return [one.bag, one.message.received_ns, one.message.stamp_ns]


def _table(root: Path, source: RadarTopic | LidarTopic, place: Sequence[Any], columns: tuple[str, ...]) -> np.ndarray:
    """(N, len(columns)) float64, without padding."""
    path = root / place[0]
    found = bags.columns(path, source.topic, Message(*place[1:]))
    for column in columns:
        if source.fields[column] not in found:
            known = ", ".join(found)
            raise InputError(f"{path}: {source.topic}: expected the field {source.fields[column]}, got {known}")
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a NaN, which the padding or the check takes
        rows = np.stack([found[source.fields[column]].astype(np.float64) for column in columns], axis=1)
    if source.padding == "zero" and columns[0] == "range":
        return rows[rows[:, 0] != 0]
    return unpadded(rows, source.padding, f"{path}: {source.topic}")


def _radar(root: Path, source: RadarTopic, place: Sequence[Any]) -> np.ndarray:
    """(N, 5) x, y, z, Doppler and power in the radar's own axes."""
    rows, origin = _table(root, source, place, source.columns), f"{root / place[0]}: {source.topic}"
    rows[:, 4] = decibels(rows[:, 4], source.power, origin)
    check_points(rows, source.columns, origin)
    rows[:, 3] *= source.doppler_sign
    if source.columns == RADAR_COLUMNS:
        return rows
    range_m, azimuth, elevation = rows[:, :3].T
    flat = range_m * np.cos(elevation)
    xyz = [flat * np.cos(azimuth), flat * np.sin(azimuth), range_m * np.sin(elevation)]
    return np.column_stack([*xyz, rows[:, 3:]])


def _moved(
    root: Path, source: Source, drive: Drive, radar: Sequence[Sequence[Stamped]]
) -> Sequence[Sequence[Sequence[Any] | None]]:
    """What `_motion` makes the motion at each radar cloud of; None where it is not known."""
    match source.motion:
        case MotionTopic():
            states = drives.partners(radar, drives.runs(drive, source.motion, root))
            around = [drives.around(*both, source.motion.max_gap_s) for both in zip(radar, states, strict=True)]
            return [
                [_between(one, pair) if pair else None for one, pair in zip(run, pairs, strict=True)]
                for run, pairs in zip(radar, around, strict=True)
            ]
        case MotionFrames():
            return ros_frames.motions(root, drive, source.motion, directed(source.radar.axes), radar)
    return [[None] * len(run) for run in radar]


def _between(radar: Stamped, around: tuple[Stamped, Stamped]) -> list[Any]:
    """The places of the two messages around a cloud, and how much of the time between them has passed."""
    before, after = around
    share = (radar.time_ns - before.time_ns) / max(1, after.time_ns - before.time_ns)
    return [_place(before), _place(after), share]


def _motion(
    root: Path, source: MotionTopic | MotionFrames | None, known: Sequence[Any] | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Velocity and pose of the radar, of what `_moved` found."""
    if source is None or known is None:
        return None, None
    if isinstance(source, MotionFrames):
        rows, velocity = known
        return None if velocity is None else np.array(velocity), np.vstack([rows, (0, 0, 0, 1)])
    *places, share = known
    before, after = (
        ros_motion.motion(
            bags.numbers(root / place[0], source.topic, Message(*place[1:])), f"{root / place[0]}: {source.topic}"
        )
        for place in places
    )
    return ros_motion.of_radar(ros_motion.between(before, after, share), source.mounting())


def _lidar(root: Path, source: Source, turn: np.ndarray, place: Sequence[Any]) -> tuple[np.ndarray, Row]:
    """(M, 4) in the radar's frame with x forward, and where its rays start; turn: (3, 3) from the radar's own axes."""
    rows = _table(root, source.lidar, place, TARGET_COLUMNS)
    origin = f"{root / place[0]}: {source.lidar.topic}"
    check_points(rows, TARGET_COLUMNS, origin)
    shares = reflectivity(rows[:, 3], source.lidar.reflectivity_max, origin)
    matrix = lidar_to_radar(root / source.extrinsics)
    rotation, translation = turn @ matrix[:3, :3], turn @ matrix[:3, 3]
    x, y, z = translation.tolist()
    xyz = rows[:, :3] @ rotation.T + translation
    return check_points(np.column_stack([xyz, shares]), TARGET_COLUMNS, origin), (x, y, z)
