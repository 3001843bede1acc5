"""The reader of bags, on recordings written here in the format of NTU4DRadLM."""

import bz2
import json
import shutil
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from multiprocessing import get_context

import numpy as np
import pytest
from rosbags.rosbag1 import Reader, Writer
from tests.readers import bag_recordings as bags

from echoes import params, seeds
from echoes.errors import InputError
from echoes.readers import clocks, pairing, ros
from echoes.readers.ego_motion import directions, estimate

RADAR, LIDAR = "/radar_enhanced_pcl", "/livox/lidar"
SECTION = {
    "reader": "ros",
    "ego_motion": "estimated",
    "doppler": {"span_mps": None, "static_mps": 0.25, "static_share": 0.2, "max_speed_mps": 40.0},
    "radar": {
        "topic": RADAR,
        "fields": {"x": "x", "y": "y", "z": "z", "doppler": "Doppler", "power": "Power"},
        "doppler_sign": 1,
        "axes": "FLU",
        "power": {"unit": "dB", "offset_db": 0.0},
        "padding": "none",
        "stamps": "header",
        "offset_s": 0.0,
        "same_stamp": "refuse",
    },
    "lidar": {
        "topic": LIDAR,
        "fields": {"x": "x", "y": "y", "z": "z", "reflectivity": "reflectivity"},
        "reflectivity_max": 255,
        "padding": "zero",
        "stamps": "header",
        "offset_s": 0.0,
        "same_stamp": "refuse",
    },
    "motion": None,
    "extrinsics": "extrinsics.yaml",
    "stamp_tolerance_s": 0.03,
    "join_s": 1.0,
}
SOURCE = params.build(ros.Source, SECTION, "drive.source")
VELOCITY = np.array([6.0, 0.5, 0.0])
ROTATION = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])  # radar -> LiDAR: x forward is the LiDAR's -y
TRANSLATION = np.array([0.5, 0.25, 1.0])
START_S = 1645531322.125
RADAR_STAMPS = [START_S + 0.1 * i for i in range(4)]
LIDAR_STAMPS = [START_S - 0.0215, START_S + 0.1 + 0.0225, START_S + 0.2 - 0.01, START_S + 0.3 + 0.04]


def street(i, count=50):
    xyz = seeds.rng(i, "street").uniform([4, -20, -1], [60, 20, 3], (count, 3)).astype(np.float32)
    return xyz, -directions(xyz) @ VELOCITY, np.arange(count) / 4.0


def radar_message(i):
    xyz, doppler, power = street(i)
    return bags.cloud(RADAR_STAMPS[i], xyz, {"Doppler": doppler, "Range": 0 * power, "Power": power})


def lidar_message(i):
    xyz = street(i)[0] @ ROTATION.T + TRANSLATION
    padded = np.concatenate([xyz, np.zeros((7, 3))])
    return bags.custom(LIDAR_STAMPS[i], padded, [51] * len(xyz) + [0] * 7)


def messages():
    """Received .5 s after they were stamped, and the LiDAR later still: pairs by receipt would be other ones."""
    found = []
    for i in range(4):
        found.append((LIDAR, START_S + 0.65 + 0.1 * i, lidar_message(i)))
        found.append((RADAR, START_S + 0.51 + 0.1 * i, radar_message(i)))
    return found


def write_extrinsics(root, maps="radar_to_lidar", rotation=ROTATION, translation=TRANSLATION):
    lines = [f"maps: {maps}", f"rotation: {np.asarray(rotation).tolist()}", f"translation_m: {translation.tolist()}"]
    (root / "extrinsics.yaml").write_text("\n".join(lines))


@pytest.fixture
def recording(tmp_path):
    bags.write(tmp_path / "loop.bag", messages())
    write_extrinsics(tmp_path)
    return tmp_path


def frames(root, source=SOURCE):
    return [ros.read(root, source, entry) for entry in ros.index(root, source)]


def test_clouds_are_paired_by_the_stamps_of_their_headers_with_signed_differences(recording):
    entries = ros.index(recording, SOURCE)
    assert [entry.stamp for entry in entries] == pytest.approx(RADAR_STAMPS, abs=1e-6)
    assert [entry.offset_s for entry in entries] == pytest.approx([-0.0215, 0.0225, -0.01, 0.04], abs=1e-6)
    assert {entry.sequence for entry in entries} == {"loop"}


def test_a_pair_beyond_the_tolerance_is_refused_and_its_radar_still_read(recording):
    entries = ros.index(recording, SOURCE)
    assert [entry.refused for entry in entries[:3]] == ["", "", ""]
    assert entries[3].refused == "stamps +0.0400 s apart, beyond 0.03 s"
    frame = ros.read(recording, SOURCE, entries[3])
    assert (len(frame.radar), frame.target) == (50, None)


@pytest.mark.parametrize("compression", [None, Writer.CompressionFormat.BZ2, Writer.CompressionFormat.LZ4])
def test_the_radar_comes_as_it_was_recorded(tmp_path, compression):
    bags.write(tmp_path / "sub/loop.bag", messages(), compression)
    write_extrinsics(tmp_path)
    for i, frame in enumerate(frames(tmp_path)):
        xyz, doppler, power = street(i)
        np.testing.assert_array_equal(frame.radar, np.column_stack([xyz, doppler, power]).astype(np.float32))
        assert frame.sequence == "sub/loop"


@pytest.mark.parametrize("maps", ["radar_to_lidar", "lidar_to_radar"])
def test_the_lidar_comes_in_the_frame_of_the_radar_without_padding(recording, maps):
    if maps == "lidar_to_radar":
        write_extrinsics(recording, maps, ROTATION.T, -ROTATION.T @ TRANSLATION)
    for frame in frames(recording)[:3]:
        np.testing.assert_allclose(frame.target[:, :3], frame.radar[:, :3], atol=1e-5)
        np.testing.assert_allclose(frame.target[:, 3], 0.2)
        assert frame.target_origin == pytest.approx(tuple(-ROTATION.T @ TRANSLATION))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_of_the_doppler_is_a_parameter(recording, sign):
    source = replace(SOURCE, radar=replace(SOURCE.radar, doppler_sign=sign))
    velocity = estimate(frames(recording, source)[0].radar, SOURCE.doppler).velocity
    np.testing.assert_allclose(velocity, sign * VELOCITY, atol=0.01)


def test_a_bag_without_the_topic_of_the_lidar_is_enough_to_enhance(recording):
    bags.write(recording / "loop.bag", [m for m in messages() if m[0] == RADAR])
    (recording / "extrinsics.yaml").unlink()
    entries = ros.index(recording, SOURCE)
    assert [(entry.offset_s, entry.refused) for entry in entries] == [(None, "")] * 4
    assert all(frame.target is None and len(frame.radar) == 50 for frame in frames(recording))


def test_rows_without_a_return_are_dropped_as_the_schema_says(tmp_path):
    points = np.array(
        [(0, 0, 0, 5, 6), (np.nan, np.nan, np.nan, 0, 0), (4, 0, 0, 1, 2)],
        dtype=[(name, "f4") for name in ("x", "y", "z", "v", "p")],
    )
    write_extrinsics(tmp_path)
    fields = {"x": "x", "y": "y", "z": "z", "doppler": "v", "power": "p"}
    for padding, kept in (("zero", points[[2]]), ("nan", points[[0, 2]])):
        shown = points if padding == "nan" else points[[0, 2]]
        bags.write(tmp_path / "a.bag", [(RADAR, START_S, bags.cloud2(START_S, shown))])
        (frame,) = frames(tmp_path, replace(SOURCE, radar=replace(SOURCE.radar, fields=fields, padding=padding)))
        np.testing.assert_array_equal(frame.radar, np.array(kept.tolist(), np.float32))


def test_clouds_without_points_are_left_out_and_counted_whatever_their_fields(recording):
    """Some drivers send no fields, or no channels, where there is no point."""
    none = [(RADAR, START_S + s, bags.cloud(START_S + s, [], {})) for s in (-0.1, 0.15, 0.17, 0.4)]
    none.append((LIDAR, START_S + 0.1, bags.custom(START_S + 0.1, [], [])))
    bags.write(recording / "loop.bag", sorted([*messages(), *none], key=lambda message: message[1]))
    entries = ros.index(recording, SOURCE)
    assert [entry.stamp for entry in entries] == pytest.approx(RADAR_STAMPS, abs=1e-6)
    assert entries[1].offset_s == pytest.approx(0.0225, abs=1e-6)
    assert sum(entry.empty for entry in entries) == 4
    assert clocks.told(entries) == "4 of 8 radar clouds left out, as they have no points"
    bags.write(recording / "loop.bag", none)
    with pytest.raises(InputError, match=r"loop.bag: /radar_enhanced_pcl: expected clouds with points, got 4 without"):
        ros.index(recording, SOURCE)


def growing():
    """A cloud that is published again with each point, all with one stamp, as some drivers do."""
    xyz, doppler, power = street(0)
    for count in (1, 2, 50):
        message = bags.cloud(START_S, xyz[:count], {"Doppler": doppler[:count], "Power": power[:count]})
        yield RADAR, START_S, message


def test_of_clouds_with_one_stamp_the_last_is_taken_if_the_schema_says_so(tmp_path):
    bags.write(tmp_path / "a.bag", growing())
    source = replace(SOURCE, radar=replace(SOURCE.radar, same_stamp="last"))
    (frame,) = frames(tmp_path, source)
    assert len(frame.radar) == 50
    told = clocks.told(ros.index(tmp_path, source))
    assert told == "2 of 3 radar clouds left out, as a later one has the same stamp"
    with pytest.raises(InputError, match=r"a.bag: /radar_enhanced_pcl: expected stamps that increase"):
        frames(tmp_path)


def test_one_frame_is_found_without_reading_the_others(recording):
    entry = ros.index(recording, SOURCE)[2]
    spoilt = [(t, s, (m.__msgtype__, bags.serialized(m)[:8])) for t, s, m in messages()]
    spoilt[4:6] = messages()[4:6]
    bags.write(recording / "loop.bag", spoilt)
    assert len(ros.read(recording, SOURCE, entry).target) == 50


def rewrite(root, change):
    bags.write(root / "loop.bag", change(messages()))


def renamed(field):
    return replace(SOURCE, radar=replace(SOURCE.radar, fields=SOURCE.radar.fields | {"power": field}))


def cut(message, size):
    return message.__msgtype__, bags.serialized(message)[:size]


def with_nan(message):
    message.points[3].y = float("nan")
    return message


def truncated(root):
    path = root / "loop.bag"
    path.write_bytes(path.read_bytes()[:-3000])


def lying_chunk(root):
    """The size of the first chunk says more than the file holds."""
    path = root / "loop.bag"
    raw = bytearray(path.read_bytes())
    with Reader(path) as reader:
        place = next(iter(reader.chunks.values())).datapos - 4
    raw[place : place + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(raw)


DAMAGES = {
    "no bag": (lambda r: (r / "loop.bag").unlink(), "expected \\*.bag files in it or below, got none"),
    "empty": (lambda r: (r / "loop.bag").write_bytes(b""), "loop.bag: expected a ROS 1 bag, got"),
    "foreign": (lambda r: (r / "loop.bag").write_bytes(b"\xff\xd8\xff\xe0\n" * 99), "loop.bag: expected a ROS 1 bag"),
    "text": (lambda r: (r / "loop.bag").write_text("hello\n"), "loop.bag: expected a ROS 1 bag, got: File magic"),
    "truncated": (truncated, "loop.bag: expected a ROS 1 bag, got"),
    "cut in half": (
        lambda r: (r / "loop.bag").write_bytes((r / "loop.bag").read_bytes()[:9000]),
        "loop.bag: expected a ROS 1 bag, got",
    ),
    "chunk that lies": (lying_chunk, "loop.bag: expected a ROS 1 bag, got"),
    "no radar topic": (
        lambda r: rewrite(r, lambda m: m[::2]),
        "loop.bag: expected the topic /radar_enhanced_pcl",
    ),
    "other type": (
        lambda r: bags.write(r / "loop.bag", [(RADAR, START_S, bags.header(1.0))]),
        "loop.bag: expected PointCloud, .* on /radar_enhanced_pcl, got std_msgs/msg/Header",
    ),
    "message cut off": (
        lambda r: rewrite(r, lambda m: [*m[:3], (RADAR, m[3][1], cut(m[3][2], 100)), *m[4:]]),
        "loop.bag: /radar_enhanced_pcl at .* s: expected 600 more bytes of the message, got",
    ),
    "message without a header": (
        lambda r: rewrite(r, lambda m: [*m[:3], (RADAR, m[3][1], cut(m[3][2], 8)), *m[4:]]),
        "loop.bag: /radar_enhanced_pcl at .* s: expected 12 more bytes of the message, got 8",
    ),
    "NaN": (
        lambda r: rewrite(r, lambda m: [*m[:3], (RADAR, m[3][1], with_nan(radar_message(1))), *m[4:]]),
        "loop.bag: /radar_enhanced_pcl: expected a place of every point, got NaN in 1 of 50; `padding: nan` leaves out",
    ),
    "NaN in LiDAR": (
        lambda r: rewrite(r, lambda m: [*m[:2], (LIDAR, m[2][1], with_nan(lidar_message(1))), *m[3:]]),
        "loop.bag: /livox/lidar: expected a place of every point, got NaN in 1 of 57; `padding: nan` leaves out",
    ),
    "no extrinsics": (lambda r: (r / "extrinsics.yaml").unlink(), "extrinsics.yaml: no such file"),
    "no rotation": (
        lambda r: write_extrinsics(r, rotation=2 * ROTATION),
        "extrinsics.yaml: rotation: expected a",
    ),
    "a reflection": (
        lambda r: write_extrinsics(r, rotation=np.diag([1, 1, -1])),
        "extrinsics.yaml: rotation: expected a rotation",
    ),
    "no direction": (lambda r: write_extrinsics(r, maps="both"), "extrinsics.yaml.maps: expected one of radar_to_lid"),
    "two translations": (
        lambda r: write_extrinsics(r, translation=TRANSLATION[:2]),
        "extrinsics.yaml.translation_m: expected 3 entries",
    ),
    "no YAML": (lambda r: (r / "extrinsics.yaml").write_text("a: ["), "extrinsics.yaml: expected YAML"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_recording_is_refused_in_one_line_that_names_the_file(recording, damage):
    spoil, message = DAMAGES[damage]
    spoil(recording)
    with pytest.raises(InputError, match=message) as error:
        frames(recording)
    assert "\n" not in str(error.value)
    assert str(recording) in str(error.value)


def test_a_field_that_no_message_has_is_named_with_those_it_has(recording):
    with pytest.raises(InputError, match="expected the field RCS, got x, y, z, Doppler, Range, Power"):
        frames(recording, renamed("RCS"))


def test_reflectivity_beyond_its_maximum_is_refused(recording):
    source = replace(SOURCE, lidar=replace(SOURCE.lidar, reflectivity_max=50.0))
    with pytest.raises(InputError, match=r"/livox/lidar: expected reflectivity 0\.\.50 .*, got 51\.\.51"):
        frames(recording, source)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("radar", "fields"), {"x": "x"}, "drive.radar.fields: expected x, y, z, doppler, power, or range, .*, got x"),
        (("lidar", "fields"), {}, "drive.lidar.fields: expected x, y, z, reflectivity, got none"),
        (("lidar", "reflectivity_max"), 0, "drive.lidar.reflectivity_max: expected more than 0"),
        (("radar", "doppler_sign"), 2, "drive.radar.doppler_sign: expected one of 1, -1, got 2"),
        (("stamp_tolerance_s",), 0, "drive.stamp_tolerance_s: expected more than 0"),
        (("join_s",), -1, "drive.join_s: expected at least 0"),
        (("lidar", "offset_s"), 1e12, "drive.lidar.offset_s: expected at most 4e\\+09 s in size"),
        (("radar", "axes"), "FRU", "drive.radar.axes: expected right-handed ones, .* got FRU, which mirrors the world"),
        (("radar", "axes"), "FBU", "drive.radar.axes: expected one of F B, .* such as FLU, got 'FBU'"),
        (("radar", "axes"), [[1, 0, 0], [0, 1, 0], [0, 0, -1]], "drive.radar.axes: expected a rotation"),
    ],
)
def test_impossible_parameters_are_refused_by_their_path(keys, value, message):
    section = SECTION | {key: dict(SECTION[key]) for key in keys[:-1]}
    place = section
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(InputError, match=message):
        params.build(ros.Source, section, "drive")


@pytest.mark.parametrize(("unit", "offset_db"), [("linear", 0.0), ("linear", -90.0), ("dB", -3.0)])
def test_the_unit_of_the_power_is_a_parameter(tmp_path, unit, offset_db):
    xyz, doppler, power = street(0)
    told = 1e8 * 10 ** (power / 2) if unit == "linear" else power  # to 1e14, as numbers of a tensor
    bags.write(tmp_path / "a.bag", [(RADAR, START_S, bags.cloud(START_S, xyz, {"Doppler": doppler, "Power": told}))])
    section = {**SECTION, "radar": {**SECTION["radar"], "power": {"unit": unit, "offset_db": offset_db}}}
    (frame,) = frames(tmp_path, params.build(ros.Source, section, "drive.source"))
    expected = (80 + 5 * power if unit == "linear" else power) + offset_db
    np.testing.assert_allclose(frame.radar[:, 4], expected, atol=1e-4)
    if unit == "linear":
        with pytest.raises(InputError, match=r"for power of point \d+ \(1e\+09 is the most; .* is this linear\?\)"):
            frames(tmp_path)


def test_bags_that_a_system_put_aside_are_no_drives(recording):
    for hidden in (".Trash-1000/files", "__MACOSX", ".ipynb_checkpoints"):
        bags.write(recording / hidden / "loop.bag", messages())
    (recording / "._loop.bag").write_bytes(b"Mac OS X")
    (recording / "._loop.mcap").write_bytes(b"Mac OS X")
    assert {entry.sequence for entry in ros.index(recording, SOURCE)} == {"loop"}


def test_two_bags_are_two_sequences(recording):
    shutil.copy(recording / "loop.bag", recording / "more.bag")
    assert {entry.sequence for entry in ros.index(recording, SOURCE)} == {"loop", "more"}


def jumping(root, radar_back_s=(), lidar_back_s=(), lidar_from_s=0.0, latency_s=0.04):
    """A bag of both topics at 10 Hz for 2 s, and 2 s more after each jump back of a clock by so many seconds."""
    xyz, doppler, power = street(0, 9)
    seconds = 2 * (1 + max(len(radar_back_s), len(lidar_back_s)))
    found = []
    for i in range(10 * seconds):
        radar_s, lidar_s = (START_S + 0.1 * i - sum(back[: i // 20]) for back in (radar_back_s, lidar_back_s))
        found.append((RADAR, START_S + 0.1 * i, bags.cloud(radar_s, xyz, {"Doppler": doppler, "Power": power})))
        if 0.1 * i >= lidar_from_s:
            found.append((LIDAR, START_S + 0.1 * i + latency_s, bags.custom(lidar_s + 0.01, xyz, [51] * 9)))
    bags.write(root / "loop.bag", sorted(found, key=lambda message: message[1]))
    write_extrinsics(root)
    return ros.index(root, SOURCE)


def received(entry):
    """(radar, LiDAR) when the clouds of a pair were received, s after the start."""
    places = json.loads(entry.key)
    return pytest.approx([places[name][1] / 1e9 - START_S for name in ("radar", "lidar")], abs=1e-6)


def assert_increasing(entries):
    for before, entry in pairwise(entries):
        assert entry.stamp > before.stamp or entry.sequence != before.sequence
        assert entry.jumps_back == (entry.sequence != before.sequence)


def test_where_both_clocks_jump_back_a_sequence_begins_and_pairs_stay_those_of_one_moment(tmp_path):
    entries = jumping(tmp_path, (1.5, 3.0), (1.5, 3.0))
    assert [entry.sequence for entry in entries] == ["loop"] * 20 + ["loop-2"] * 20 + ["loop-3"] * 20
    assert_increasing(entries)
    assert clocks.told(entries) == "the clock jumps back 2 times; a new sequence begins there: loop-2, loop-3"
    assert {entry.refused for entry in entries} == {""}
    assert all(received(entry) == [0.1 * i, 0.1 * i + 0.04] for i, entry in enumerate(entries))
    assert [(len(frame.target), frame.sequence) for frame in frames(tmp_path)] == [(9, e.sequence) for e in entries]


def test_a_lidar_received_later_is_never_paired_with_another_moment(tmp_path):
    entries = jumping(tmp_path, (1.5,), (1.5,), latency_s=0.34)
    kept = [i for i, entry in enumerate(entries) if not entry.refused]
    late = (17, 18, 19)  # the LiDAR's clouds of them came when the radar's clock had jumped already
    assert kept == [i for i in range(40) if i not in late]
    assert all(received(entries[i]) == [0.1 * i, 0.1 * i + 0.34] for i in kept)


def test_where_one_clock_jumps_back_alone_only_pairs_of_before_are_made(tmp_path):
    entries = jumping(tmp_path, radar_back_s=(1.5,))
    assert [entry.sequence for entry in entries] == ["loop"] * 20 + ["loop-2"] * 20
    assert [entry.refused for entry in entries] == [""] * 20 + [pairing.OTHER_CLOCK] * 20
    assert_increasing(entries)
    assert all(frame.target is None and len(frame.radar) == 9 for frame in frames(tmp_path)[20:])
    entries = jumping(tmp_path, lidar_back_s=(1.5,))
    assert {entry.sequence for entry in entries} == {"loop"}
    assert [bool(entry.refused) for entry in entries] == [False] * 20 + [True] * 20


def test_where_one_clock_jumps_back_more_often_only_the_first_runs_are_paired(tmp_path):
    for radar_back_s, lidar_back_s in (((1.5, 1.5), (1.5,)), ((1.5,), (1.5, 1.5))):
        entries = jumping(tmp_path, radar_back_s, lidar_back_s)
        assert [entry.refused for entry in entries] == [""] * 20 + [pairing.OTHER_CLOCK] * 40


def test_a_lidar_that_starts_after_the_jump_is_not_paired_with_what_was_before(tmp_path):
    entries = jumping(tmp_path, (1.5,), (1.5,), lidar_from_s=2.0)
    assert {entry.refused for entry in entries} == {pairing.OTHER_CLOCK}


def test_a_bag_of_radar_alone_is_cut_where_its_clock_jumps_back(tmp_path):
    entries = jumping(tmp_path, (1.5,), (1.5,), lidar_from_s=9.0)
    assert Counter(entry.sequence for entry in entries) == {"loop": 20, "loop-2": 20}
    assert {(entry.offset_s, entry.refused) for entry in entries} == {(None, "")}


def test_a_sequence_behind_a_jump_never_takes_the_name_of_a_bag(tmp_path):
    jumping(tmp_path, (1.5,), (1.5,))
    shutil.copy(tmp_path / "loop.bag", tmp_path / "loop-2.bag")
    entries = ros.index(tmp_path, SOURCE)
    assert Counter(e.sequence for e in entries) == {"loop": 20, "loop-3": 20, "loop-2": 20, "loop-2-2": 20}


def test_processes_that_inherit_an_open_bag_read_what_one_process_reads(tmp_path):
    xyz, doppler, power = street(0, 2000)
    stamps = [START_S + 0.1 * i for i in range(60)]
    channels = {"Doppler": doppler, "Power": power}
    bags.write(tmp_path / "loop.bag", [(RADAR, s, bags.cloud(s, xyz, channels)) for s in stamps])
    entries = ros.index(tmp_path, SOURCE)  # opens the bag in this process
    read = partial(ros.read, tmp_path, SOURCE)
    alone = [read(entry).radar for entry in entries]
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        together = [frame.radar for frame in pool.map(read, entries)]
    np.testing.assert_array_equal(together, alone)


def field(root, name, number, width, place=0, compression=None):
    """The value of the field `name` in a record of the bag, the `place`-th one, is another one."""
    bags.write(root / "loop.bag", messages(), compression)
    raw = bytearray((root / "loop.bag").read_bytes())
    at = -1
    for _ in range(place + 1):
        at = raw.index(name, at + 1)
    raw[at + len(name) : at + len(name) + width] = number.to_bytes(width, "little")
    (root / "loop.bag").write_bytes(raw)


def longest_header(root):
    raw = bytearray((root / "loop.bag").read_bytes())
    raw[13:17] = b"\xff\xff\xff\xff"  # behind the line #ROSBAG V2.0
    (root / "loop.bag").write_bytes(raw)


def bomb(root, compression, unpack, pack):
    """A compressed chunk that holds 300 MB, and says so or not."""
    bags.write(root / "loop.bag", messages(), compression)
    path = root / "loop.bag"
    with Reader(path) as reader:
        chunk = next(iter(reader.chunks.values()))
    raw = bytearray(path.read_bytes())
    new = pack(bytes(300 << 20))
    assert len(new) <= chunk.datasize
    raw[chunk.datapos : chunk.datapos + chunk.datasize] = new.ljust(chunk.datasize, b"\0")
    path.write_bytes(raw)


CLAIMS = {
    "a header of 4 GB": (longest_header, "got: Header could not be read"),
    "an index beyond 64 bits": (lambda r: field(r, b"index_pos=", 2**64 - 1, 8), "got"),
    "a connection less": (lambda r: field(r, b"conn_count=", 1, 4), "got"),
    "no chunk": (lambda r: field(r, b"chunk_count=", 0, 4), "got no topic"),
    "a message less in the index": (lambda r: field(r, b"count=", 1, 4, 2), "got"),
    "a chunk of 4 GB in bz2": (
        lambda r: field(r, b"size=", 2**32 - 1, 4, 0, Writer.CompressionFormat.BZ2),
        "got: A chunk says it holds 4294967295 bytes",
    ),
    "300 MB in bz2": (
        lambda r: bomb(r, Writer.CompressionFormat.BZ2, bz2.decompress, bz2.compress),
        "got: A chunk says it holds .* bytes, got more",
    ),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_bag_that_claims_what_it_does_not_hold_is_refused_and_loses_no_frame(recording, claim):
    spoil, message = CLAIMS[claim]
    spoil(recording)
    with pytest.raises(InputError, match=f"loop.bag: expected .*{message}"):
        frames(recording)
