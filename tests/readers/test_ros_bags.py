"""Bags of ROS 2, drives in several bags, clocks, axes and motion, on the street of test_ros."""

import json
import re
import shutil
import sqlite3
import struct
from dataclasses import replace

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation
from tests.readers import bag_recordings as bags
from tests.readers import test_ros as street

from echoes import params
from echoes.errors import InputError
from echoes.readers import clocks, ros
from echoes.readers.ego_motion import directions

SOURCE, RADAR, LIDAR, START_S = street.SOURCE, street.RADAR, street.LIDAR, street.START_S
MOTION = {
    "by": "topic",
    "topic": "/odom",
    "stamps": "header",
    "offset_s": 0.0,
    "max_gap_s": 0.5,
    "rotation": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],  # the radar looks to the left
    "translation_m": [2.0, 0.0, 0.5],
}


def section(**changes):
    return params.build(ros.Source, street.SECTION | changes, "drive.source")


def unindexed(path, messages):
    """MCAP without chunks and without a summary, and with a topic that is not of ROS."""
    text = lambda value: struct.pack("<I", len(value)) + value.encode()
    record = lambda kind, content: struct.pack("<BQ", kind, len(content)) + content
    topics = {topic: (i, message.__msgtype__) for i, (topic, _, message) in enumerate(messages[:2])}
    parts = [record(1, text("ros2") + text(""))]
    for topic, (i, kind) in topics.items():
        definition = bags.STORE2.generate_msgdef(kind, ros_version=2)[0]
        parts.append(record(3, struct.pack("<H", i + 1) + text(kind) + text("ros2msg") + text(definition)))
        parts.append(record(4, struct.pack("<HH", i, i + 1) + text(topic) + text("cdr") + text("")))
    parts.append(record(4, struct.pack("<HH", 9, 0) + text("/log") + text("json") + text("")))
    parts.append(record(5, struct.pack("<HIQQ", 9, 0, 7, 0) + b"{}"))
    for topic, received_s, message in messages:
        head = struct.pack("<HIQQ", topics[topic][0], 0, round(received_s * 1e9), 0)
        parts.append(record(5, head + bags.serialized2(message)))
    path.write_bytes(
        b"\x89MCAP0\r\n" + b"".join([*parts, record(15, bytes(4)), record(2, bytes(20))]) + b"\x89MCAP0\r\n"
    )


def folder(storage, compressed):
    return lambda root, messages: bags.write2(root / "loop", messages, storage, compressed)


def alone(storage):
    """The file of a bag, without its metadata.yaml."""

    def write(root, messages):
        bags.write2(root / "x", messages, storage)
        (file,) = [path for path in (root / "x").iterdir() if path.suffix in (".db3", ".mcap")]
        file.rename(root / f"loop{file.suffix}")
        shutil.rmtree(root / "x")

    return write


WRITERS = {
    "SQLite": folder("sqlite3", False),
    "SQLite, compressed": folder("sqlite3", True),
    "MCAP": folder("mcap", False),
    "MCAP, compressed": folder("mcap", True),
    "SQLite alone": alone("sqlite3"),
    "MCAP alone": alone("mcap"),
    "MCAP without an index": lambda root, messages: unindexed(root / "loop.mcap", messages),
}


@pytest.fixture
def root(tmp_path):
    street.write_extrinsics(tmp_path)
    return tmp_path


@pytest.mark.parametrize("writer", WRITERS)
def test_a_bag_of_ros_2_gives_what_the_same_bag_of_ros_1_gives(root, writer):
    bags.write(root / "loop.bag", street.messages())
    expected, entries = street.frames(root), ros.index(root, SOURCE)
    (root / "loop.bag").unlink()
    WRITERS[writer](root, street.messages())
    for frame, entry, one, other in zip(street.frames(root), ros.index(root, SOURCE), expected, entries, strict=True):
        assert (entry.sequence, entry.stamp, entry.offset_s, entry.refused) == (
            other.sequence,
            other.stamp,
            other.offset_s,
            other.refused,
        )
        np.testing.assert_array_equal(frame.radar, one.radar)
        assert (frame.target is None) == (one.target is None)
        if one.target is not None:
            np.testing.assert_array_equal(frame.target, one.target)


def test_a_message_is_found_without_reading_the_others(root):
    alone("sqlite3")(root, street.messages())
    entry = ros.index(root, SOURCE)[2]
    with sqlite3.connect(root / "loop.db3") as database:
        radar = json.loads(entry.key)["radar"][1], json.loads(entry.key)["lidar"][1]
        database.execute("UPDATE messages SET data = x'00' WHERE timestamp NOT IN (?, ?)", radar)
    database.close()
    assert len(ros.read(root, SOURCE, entry).target) == 50


def test_a_folder_that_is_a_bag_is_read_under_its_own_name(root):
    bags.write2(root / "loop", street.messages())
    street.write_extrinsics(root / "loop")
    assert {entry.sequence for entry in ros.index(root / "loop", SOURCE)} == {"loop"}
    assert len(street.frames(root / "loop")[0].target) == 50


def of(topic):
    return [message for message in street.messages() if message[0] == topic]


@pytest.mark.parametrize("where", ["", "drive/"])
def test_radar_and_lidar_in_bags_of_their_own_are_one_drive(root, where):
    bags.write2(root / f"{where}lidar", of(LIDAR), "mcap")
    bags.write(root / f"{where}radar.bag", of(RADAR))
    entries = ros.index(root, SOURCE)
    assert {entry.sequence for entry in entries} == {f"{where}radar"}
    assert [entry.offset_s for entry in entries] == pytest.approx([-0.0215, 0.0225, -0.01, 0.04], abs=1e-6)
    np.testing.assert_allclose(street.frames(root)[0].target[:, :3], street.frames(root)[0].radar[:, :3], atol=1e-5)


def test_bags_in_folders_of_their_own_are_drives_of_their_own(root):
    bags.write(root / "a/loop.bag", street.messages())
    bags.write(root / "b/loop.bag", street.messages())
    assert {entry.sequence for entry in ros.index(root, SOURCE)} == {"a/loop", "b/loop"}


def test_a_bag_that_was_cut_while_recording_is_one_drive_up_to_a_gap(root):
    received = sorted(street.messages(), key=lambda message: message[1])
    bags.write2(root / "cut_0", received[:4])
    bags.write2(root / "cut_1", received[4:])  # .04 s later
    entries = ros.index(root, SOURCE)
    assert {entry.sequence for entry in entries} == {"cut_0"}
    assert [entry.offset_s for entry in entries] == pytest.approx([-0.0215, 0.0225, -0.01, 0.04], abs=1e-6)
    assert [len(frame.radar) for frame in street.frames(root)] == [50] * 4
    apart = ros.index(root, section(join_s=0.03))
    assert [entry.sequence for entry in apart] == ["cut_0", "cut_0", "cut_0", "cut_1"]


def test_bags_of_something_else_in_a_drive_are_passed_over(root):
    bags.write(root / "loop.bag", street.messages())
    bags.write(root / "camera.bag", [("/camera", START_S, bags.header(1.0))])
    assert {entry.sequence for entry in ros.index(root, SOURCE)} == {"loop"}


def changed(root, **keys):
    path = root / "loop/metadata.yaml"
    held = yaml.safe_load(path.read_text())
    held["rosbag2_bagfile_information"] |= keys
    path.write_text(yaml.safe_dump(held))


def told(root, count):
    topics = [
        {"topic_metadata": {"name": name}, "message_count": count if name == RADAR else 4} for name in (RADAR, LIDAR)
    ]
    changed(root, topics_with_message_count=topics)


def overwritten(path, place, content):
    raw = bytearray(path.read_bytes())
    raw[place : place + len(content)] = content
    path.write_bytes(raw)


def chunk(path):
    """Where the first chunk begins: behind the magic number and the header."""
    return 8 + 9 + struct.unpack("<Q", path.read_bytes()[9:17])[0]


DAMAGES = {
    "a message less": (
        "sqlite3",
        lambda r: told(r, 5),
        "loop/metadata.yaml: expected a ROS 2 bag, got: it tells 5 mess",
    ),
    "a file less": ("mcap", lambda r: (r / "loop/loop.mcap").unlink(), "metadata.yaml: expected loop.mcap, which it n"),
    "a file more": (
        "mcap",
        lambda r: shutil.copy(r / "loop/loop.mcap", r / "loop/loop_1.mcap"),
        "metadata.yaml: expected it to name all bags beside it, got one where it does not name loop_1.mcap",
    ),
    "packed files": (
        "sqlite3",
        lambda r: changed(r, compression_mode="FILE", compression_format="zstd"),
        "metadata.yaml: expected no compression, or zstd of each message, got zstd of each file",
    ),
    "a journal": (
        "sqlite3",
        lambda r: (r / "loop/loop.db3-wal").write_bytes(b"x"),
        "loop.db3-wal: expected all of loop.db3 in that file, got a journal",
    ),
    "no database": (
        "sqlite3",
        lambda r: (r / "loop/loop.db3").write_bytes(b"x" * 999),
        "expected a ROS 2 bag, got: file",
    ),
    "an empty file": (
        "sqlite3",
        lambda r: (r / "loop/loop.db3").write_bytes(b""),
        "expected a ROS 2 bag, got: it is em",
    ),
    "not closed": (
        "mcap",
        lambda r: (r / "loop/loop.mcap").write_bytes((r / "loop/loop.mcap").read_bytes()[:-40]),
        "expected a ROS 2 bag, got: it was not closed by its recorder; `mcap recover` mends it",
    ),
    "no MCAP": ("mcap", lambda r: overwritten(r / "loop/loop.mcap", 0, b"RIFF"), "got: it does not begin as MCAP"),
    "a summary at 2^64": (
        "mcap",
        lambda r: overwritten(r / "loop/loop.mcap", (r / "loop/loop.mcap").stat().st_size - 28, b"\xff" * 8),
        "a ROS 2 bag, got: ",
    ),
    "another checksum": (
        "mcap",
        lambda r: overwritten(r / "loop/loop.mcap", chunk(r / "loop/loop.mcap") + 9 + 24, b"abcd"),
        "a ROS 2 bag, got: the checksum of the chunk",
    ),
    "a chunk of 2^64 bytes": (
        "mcap",
        lambda r: overwritten(r / "loop/loop.mcap", chunk(r / "loop/loop.mcap") + 1, b"\xff" * 8),
        "a ROS 2 bag, got: .* are more than it holds",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_bag_is_refused_in_one_line_that_names_the_file(root, damage):
    storage, spoil, message = DAMAGES[damage]
    bags.write2(root / "loop", street.messages(), storage)
    spoil(root)
    with pytest.raises(InputError, match=message) as error:
        street.frames(root)
    assert str(root) in str(error.value)
    assert "\n" not in str(error.value)


def test_of_a_sensor_without_stamps_the_time_of_receipt_counts(root):
    """All stamps 0: `last` would leave one frame of four."""
    zero = [
        (topic, s, street.bags.cloud(0.0, *cloud(i)) if topic == RADAR else m)
        for i, (topic, s, m) in enumerate(street.messages())
    ]
    bags.write(root / "loop.bag", zero)
    with pytest.raises(
        InputError, match=r"expected stamps that increase, got 0.000000 s twice \(header, .*receipt goes"
    ):
        ros.index(root, SOURCE)
    last = section(radar=street.SECTION["radar"] | {"same_stamp": "last"})
    assert clocks.left_out(ros.index(root, last)) == "3 of 4 radar clouds left out, as a later one has the same stamp"
    source = section(radar=street.SECTION["radar"] | {"stamps": "receipt", "offset_s": -0.51})
    entries = ros.index(root, source)
    assert [entry.stamp for entry in entries] == pytest.approx(street.RADAR_STAMPS, abs=1e-6)
    assert [len(ros.read(root, source, entry).radar) for entry in entries] == [50] * 4
    assert len(ros.read(root, source, entries[0]).target) == 50


def cloud(i):
    xyz, doppler, power = street.street(i // 2)
    return xyz, {"Doppler": doppler, "Power": power}


def test_a_clock_that_counts_from_power_on_is_brought_over_by_its_offset(root):
    early = [
        (t, s, bags.custom(street.LIDAR_STAMPS[i // 2] - START_S + 7, [[4, 0, 0]], [9]) if t == LIDAR else m)
        for i, (t, s, m) in enumerate(street.messages())
    ]
    bags.write(root / "loop.bag", early)
    told = re.fullmatch(
        r"stamps .* belongs in lidar\.offset_s: about ([\d.]+), by when .*", ros.index(root, SOURCE)[0].refused
    )
    assert float(told[1]) == pytest.approx(START_S - 7 + 0.14, abs=0.05)  # the LiDAR is received .14 s later
    entries = ros.index(root, section(lidar=street.SECTION["lidar"] | {"offset_s": START_S - 7}))
    assert [entry.offset_s for entry in entries] == pytest.approx([-0.0215, 0.0225, -0.01, 0.04], abs=1e-6)


@pytest.mark.parametrize("axes", ["RFU", "FRD", [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]])
def test_a_radar_with_other_axes_comes_forward_left_up_and_its_lidar_with_it(root, axes):
    """The extrinsics are those of the points as the sensors give them."""
    source = section(radar=street.SECTION["radar"] | {"axes": axes})
    turn = ros.directed(source.radar.axes)  # to forward, left, up
    xyz, doppler, power = street.street(0)
    own = xyz @ turn
    np.testing.assert_allclose(own[:, 1 if axes == "RFU" else 0], xyz[:, 0] if isinstance(axes, str) else own[:, 0])
    street.write_extrinsics(root, "lidar_to_radar", turn.T, np.zeros(3))  # a LiDAR that is forward, left, up
    bags.write(
        root / "loop.bag",
        [
            (RADAR, START_S, bags.cloud(START_S, own, {"Doppler": doppler, "Power": power})),
            (LIDAR, START_S, bags.custom(START_S, xyz, [51] * 50)),
        ],
    )
    (frame,) = street.frames(root, source)
    np.testing.assert_allclose(frame.radar[:, :3], xyz, atol=1e-5)
    np.testing.assert_allclose(frame.target[:, :3], xyz, atol=1e-5)


def test_a_scan_of_range_and_angles_becomes_points(root):
    xyz, doppler, power = street.street(0)
    range_m = np.linalg.norm(xyz, axis=1)
    angles = np.arctan2(xyz[:, 1], xyz[:, 0]), np.arcsin(xyz[:, 2] / range_m)
    rows = np.column_stack([range_m, *angles, doppler, power])
    scans = [(RADAR, START_S, bags.scan(START_S, rows)), (RADAR, START_S + 1, bags.scan(START_S + 1, []))]
    bags.write2(root / "loop", scans, "mcap")
    fields = {name: name for name in ("range", "azimuth", "elevation")}
    fields |= {"doppler": "doppler_velocity", "power": "amplitude"}
    (frame,) = street.frames(root, section(radar=street.SECTION["radar"] | {"fields": fields}))
    np.testing.assert_allclose(frame.radar, np.column_stack([xyz, doppler, power]), rtol=1e-5, atol=1e-4)


def odometry(after_s):
    """A vehicle that drives a circle to the left: 10 m/s, a quarter of a turn in 5 s."""
    rate = np.pi / 10
    yaw = rate * after_s
    position = [10 / rate * np.sin(yaw), 10 / rate * (1 - np.cos(yaw)), 0.0]
    quaternion = Rotation.from_euler("z", yaw).as_quat()
    return bags.odometry(START_S + after_s, position, quaternion, [10.0, 0, 0], [0, 0, rate])


def test_velocity_and_pose_of_the_radar_come_from_the_odometry_around_a_frame(root):
    told = [("/odom", START_S + s, odometry(s)) for s in (-0.05, 0.05, 0.15, 0.25)]
    bags.write2(root / "loop", sorted([*street.messages(), *told], key=lambda message: message[1]))
    source = section(motion=MOTION, ego_motion="recorded")
    entries = ros.index(root, source)
    assert [entry.refused for entry in entries] == ["", "", "", "stamps +0.0400 s apart, beyond 0.03 s"]
    poses = [ros.read(root, source, entry) for entry in entries]
    assert (poses[3].pose, poses[3].ego_velocity) == (None, None)  # behind the last message
    rate = np.pi / 10
    # on the vehicle 10 m/s forward and rate * 2 m/s to the left; the radar's x is the vehicle's left, its y is backward
    np.testing.assert_allclose(poses[1].ego_velocity, [2 * rate, -10.0, 0], atol=1e-9)
    yaw = 0.1 * rate
    forward, left = np.array([np.cos(yaw), np.sin(yaw), 0]), np.array([-np.sin(yaw), np.cos(yaw), 0])
    centre = [10 / rate * np.sin(yaw), 10 / rate * (1 - np.cos(yaw)), 0.5]
    np.testing.assert_allclose(poses[1].pose[:3, 3], centre + 2 * forward, atol=5e-3)  # a chord of the circle
    np.testing.assert_allclose(poses[1].pose[:3, 0], left, atol=1e-6)
    np.testing.assert_allclose(poses[1].pose[:3, 1], -forward, atol=1e-6)


def test_a_recorded_velocity_takes_the_doppler_of_what_stands_still_away(root):
    twists = [("/odom", START_S + s, bags.twist(START_S + s, street.VELOCITY)) for s in (-1.0, 1.0)]
    level = {"rotation": np.eye(3).tolist(), "translation_m": [0, 0, 0], "max_gap_s": 3.0}
    bags.write2(root / "loop", [*street.messages(), *twists], "mcap")
    source = section(motion=MOTION | level)
    for frame in street.frames(root, source):
        np.testing.assert_allclose(frame.radar[:, 3], -directions(frame.radar) @ frame.ego_velocity, atol=1e-5)
        assert frame.pose is None
    apart = replace(source, motion=replace(source.motion, max_gap_s=1.5))
    assert all(frame.ego_velocity is None for frame in street.frames(root, apart))


def test_a_topic_that_tells_no_motion_is_refused(root):
    bags.write2(root / "loop", street.messages())
    with pytest.raises(InputError, match=r"loop/metadata.yaml: expected the topic /odom of motion, got none in loop"):
        ros.index(root, section(motion=MOTION))
    with pytest.raises(InputError, match="expected a twist or a pose, got"):
        street.frames(root, section(motion=MOTION | {"topic": LIDAR}))
    with pytest.raises(InputError, match=r"drive.source.motion.rotation: expected a rotation"):
        section(motion=MOTION | {"rotation": [[2, 0, 0], [0, 1, 0], [0, 0, 1]]})
