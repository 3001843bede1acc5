"""Anyone's folders of point clouds: closed forms of axes, signs, units and mounts; stamps, pairs, what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from echoes import params
from echoes.commands import outputs
from echoes.errors import InputError
from echoes.inference import columns
from echoes.readers import clouds, mixed, pairing
from echoes.readers.axes import rotation
from echoes.readers.ego_motion import directions, estimate
from echoes.readers.frames import Entry
from echoes.seeds import rng

SECTION = yaml.safe_load(clouds.EXAMPLE)["source"]
RADAR, LIDAR = ("x", "y", "z", "doppler", "power"), ("x", "y", "z", "intensity")
TABLE = {"by": "table", "file": "frames.csv"}
FREE = rng(0, "clouds").uniform(5, 40, (60, 3)) * (1, 0.7, 0.1)  # x, y, z [m]


def source(lidar=True, **changed) -> clouds.Source:
    """The example, with values at dotted paths changed."""
    section = yaml.safe_load(clouds.EXAMPLE)["source"]
    for path, value in changed.items():
        *above, last = path.split("__")
        held = section
        for key in above:
            held = held[key]
        held[last] = value
    found: clouds.Source = params.build(clouds.Source, section | ({} if lidar else {"lidar": None}), "mine.source")
    return found


def points(xyz=FREE, doppler=0.0, power=10.0):
    return np.column_stack([xyz, np.broadcast_to(doppler, len(xyz)), np.broadcast_to(power, len(xyz))])


def write(path: Path, rows, names=RADAR):
    path.parent.mkdir(parents=True, exist_ok=True)
    outputs.WRITERS[path.suffix[1:]](columns.structured(rows, names), path)


def lidar_rows(xyz=FREE, intensity=51.0):
    return np.column_stack([xyz, np.full(len(xyz), intensity)])


def only(root: Path, own: clouds.Source):
    (entry,) = clouds.index(root, own)
    return clouds.read(root, own, entry)


@pytest.mark.parametrize("form", outputs.WRITERS)
def test_what_enhance_writes_is_read_back(tmp_path, form):
    made = [points(FREE + i, power=i) for i in range(4)]
    listed = [Entry(f"drive-{i // 2}", 0.1 * (i % 2), "") for i in range(4)]
    rows = [
        outputs.written(columns.structured(rows, RADAR), tmp_path, entry, i, form, np.full(3, np.nan))
        for i, (rows, entry) in enumerate(zip(made, listed, strict=True))
    ]
    skipped = outputs.written(None, tmp_path, Entry("drive-1", 0.2, ""), 4, form, np.full(3, np.nan))
    outputs.write_index([*rows, skipped], tmp_path / outputs.INDEX)
    own = source(
        False, radar__folder=".", radar__layout=list(RADAR) if form in ("npy", "bin") else [], ego_motion="none"
    )
    own = replace(own, stamps=clouds.ByTable("table", outputs.INDEX))
    entries = clouds.index(tmp_path, own)
    assert [(e.sequence, e.stamp, e.jumps_back) for e in entries] == [
        ("recording", 0.0, False),
        ("recording", 0.1, False),
        ("recording-2", 0.0, True),
        ("recording-2", 0.1, False),
    ]
    for entry, rows_of_frame in zip(entries, made, strict=True):
        frame = clouds.read(tmp_path, own, entry)
        np.testing.assert_array_equal(frame.radar, rows_of_frame.astype(np.float32))
        assert frame.target is None


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ("FLU", (1, 2, 3)),
        ("RFU", (2, -1, 3)),
        ("FRD", (1, -2, -3)),
        ("RDF", (3, -1, -2)),
        ("FRU left-handed", (1, -2, 3)),
    ],
)
def test_axes_are_turned_to_forward_left_up(axes, expected):
    np.testing.assert_array_equal(rotation(axes) @ (1, 2, 3), expected)


def test_sign_unit_and_axes_give_the_velocity_of_a_radar_that_drives(tmp_path):
    velocity = np.array([12.0, -1.5, 0.0])  # forward, left, up
    approaching_kmh = 3.6 * (directions(FREE) @ velocity)
    right_forward_up = np.column_stack([-FREE[:, 1], FREE[:, 0], FREE[:, 2]])
    write(tmp_path / "radar/7.pcd", points(right_forward_up, approaching_kmh))
    own = source(radar__axes="RFU", radar__doppler={"sign": "approaching", "unit": "km/h"})
    frame = only(tmp_path, own)
    np.testing.assert_allclose(frame.radar[:, :3], FREE, rtol=1e-6)
    np.testing.assert_allclose(frame.radar[:, 3], -directions(FREE) @ velocity, rtol=1e-4, atol=1e-5)
    fit = estimate(frame.radar, own.doppler)
    np.testing.assert_allclose(fit.velocity, velocity, atol=1e-3)


def test_power_is_in_db_and_shifted(tmp_path):
    write(tmp_path / "radar/1.csv", points(power=100.0))
    assert (only(tmp_path, source(radar__power={"unit": "dB", "offset_db": -3.0})).radar[:, 4] == 97).all()
    linear = source(radar__power={"unit": "linear", "offset_db": 3.0})
    np.testing.assert_allclose(only(tmp_path, linear).radar[:, 4], 23.0, rtol=1e-6)
    write(tmp_path / "radar/1.csv", points(power=np.arange(60.0)))
    with pytest.raises(InputError, match=r"1\.csv: expected power above 0, as its unit is linear, got 0 of point 0$"):
        only(tmp_path, linear)


def test_components_along_the_ray_are_a_radial_velocity(tmp_path):
    level = FREE * (1, 1, 0)
    speed = np.linspace(-8, 8, len(FREE))
    along = speed[:, None] * directions(level)
    names = ("x", "y", "z", "vx", "vy", "rcs")
    write(tmp_path / "radar/1.pcd", np.column_stack([FREE, along[:, :2], np.full(len(FREE), 5.0)]), names)
    own = source(False, radar__columns={"x": "x", "y": "y", "z": "z", "vx": "vx", "vy": "vy", "power": "rcs"})
    np.testing.assert_allclose(only(tmp_path, own).radar[:, 3], speed, rtol=1e-5, atol=1e-6)


def test_rows_are_kept_by_their_values_and_padding_is_left_out(tmp_path):
    rows = np.column_stack([points(), np.arange(60) % 4])
    rows[5, :3] = np.nan
    rows[6, 0] = np.nan
    names = [*RADAR, "state"]
    write(tmp_path / "radar/1.npy", rows, names)
    own = source(False, radar__layout=names, radar__keep={"state": [0, 2]}, radar__padding="nan")
    np.testing.assert_allclose(only(tmp_path, own).radar[:, 0], np.delete(FREE[::2, 0], 3), rtol=1e-6)
    with pytest.raises(InputError, match=r"npy: expected a place of every point, got NaN in 2 of 60; `padding: nan`"):
        only(tmp_path, source(False, radar__layout=names))
    rows[5:8, :3] = 0
    write(tmp_path / "radar/1.npy", rows, names)
    assert len(only(tmp_path, source(False, radar__layout=names, radar__padding="zero")).radar) == 57


EIGHT = ("x", "y", "z", "doppler", "range", "power", "alpha", "beta")


def eight():
    range_m = np.linalg.norm(FREE, axis=1)
    angles = np.arctan2(FREE[:, 1:], FREE[:, :1])
    return np.column_stack([FREE, np.full(60, -3.0), range_m, np.full(60, 10.0), angles])[:56]


def test_a_bin_has_the_columns_that_are_declared_and_is_refused_with_others(tmp_path):
    write(tmp_path / "radar/1.bin", eight(), EIGHT)
    ranged = {**SECTION["radar"]["columns"], "range": "range"}
    own = source(False, radar__layout=list(EIGHT), radar__columns=ranged)
    np.testing.assert_allclose(only(tmp_path, own).radar, points(FREE[:56], -3.0), rtol=1e-6)
    swapped = [{"range": "power", "power": "range"}.get(name, name) for name in EIGHT]
    with pytest.raises(InputError, match=r"1\.bin: expected the range of a point to be \|x, y, z\|, got .*`layout`"):
        only(tmp_path, source(False, radar__layout=swapped, radar__columns=ranged))
    seven = source(False, radar__layout=list(EIGHT[:7]))  # 56 rows of 8 are 64 of 7, and no range is told
    with pytest.raises(InputError, match=r"1\.bin: expected rows of .*numbers that repeat after 8, .* and 7 names$"):
        only(tmp_path, seven)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (np.arange(500, dtype="<i4"), r"expected float32, got \d+% of numbers that are less than 1e-30; are these"),
        (np.full(500, 1e12, "<f4"), r"expected finite numbers, got 1e\+12|expected finite numbers, got 99999\d+"),
        (np.full(500, 3e5, "<f4"), r"expected points within 100000 m, got one at 519615 m; are these all columns"),
        (np.full(500, np.inf, "<f4"), r"expected finite numbers, got inf for x of point 0"),
        (np.zeros(503, "<f4"), r"expected rows of float32 whose columns `layout` names, got 2012 bytes and 5 names"),
    ],
)
def test_a_bin_that_holds_something_else_is_refused_in_one_line(tmp_path, written, message):
    write(tmp_path / "radar/1.bin", points())
    written.tofile(tmp_path / "radar/1.bin")
    with pytest.raises(InputError, match=rf"radar/1\.bin: ({message})"):
        only(tmp_path, source(False, radar__layout=list(RADAR)))


def test_a_cloud_without_points_is_an_empty_frame(tmp_path):
    (tmp_path / "radar").mkdir()
    (tmp_path / "radar/1.ply").write_text("ply\nformat ascii 1.0\nelement vertex 0\nend_header\n")
    assert only(tmp_path, source()).radar.shape == (0, 5)


@pytest.mark.parametrize(
    ("stamps", "names", "expected"),
    [
        ({"by": "name", "unit": "ns"}, ["r1__1532402927000000000", "r1__1532402927100000000"], [0.0, 0.1]),
        ({"by": "name", "unit": "us"}, ["200000_us", "100000_us"], [0.0, 0.1]),
        ({"by": "name", "unit": "ms"}, ["1000", "950"], [0.0, 0.05]),
        ({"by": "name", "unit": "s"}, ["scan 17.25", "scan 17.5"], [0.0, 0.25]),
        ({"by": "number", "period_s": 0.05}, ["000010", "9"], [0.0, 0.05]),
    ],
)
def test_the_last_number_of_a_name_tells_the_stamp(tmp_path, stamps, names, expected):
    for name in names:
        write(tmp_path / f"radar/{name}.csv", points())
    found = [entry.stamp for entry in clouds.index(tmp_path, source(stamps=stamps))]
    np.testing.assert_allclose(np.array(found) - found[0], expected, atol=1e-6)


def test_sequences_lie_above_or_below_the_folder_of_the_sensor_and_hidden_files_nowhere(tmp_path):
    for name in ("a/radar/1", "b/radar/1", "radar/c/d/2", "radar/1"):
        write(tmp_path / f"{name}.csv", points())
        write(tmp_path / f"{name.replace('radar', 'lidar')}.bin", lidar_rows(), LIDAR)
    for name in ("__MACOSX/radar/1", "radar/.ipynb_checkpoints/1", "radar/._1", ".Trash-0/radar/1", "camera/1"):
        write(tmp_path / f"{name}.csv", points())
    entries = clouds.index(tmp_path, source(lidar__layout=list(LIDAR)))
    assert [entry.sequence for entry in entries] == ["a", "b", "recording", "c/d"]
    assert {entry.offset_s for entry in entries} == {0.0}


def test_each_lidar_cloud_is_paired_with_the_radar_frame_nearest_to_it_within_the_tolerance(tmp_path):
    for number in (0, 50, 100, 300):
        write(tmp_path / f"radar/{number}.csv", points())
    for number in (1000, 1110, 1240):
        write(tmp_path / f"lidar/{number}.csv", lidar_rows(), LIDAR)
    own = source(stamps={"by": "name", "unit": "ms"}, lidar__stamp_offset_s=-1.0, stamp_tolerance_s=0.0505)
    entries = clouds.index(tmp_path, own)
    assert [entry.refused for entry in entries] == [
        "",
        clouds.NOT_NEAREST,
        "",
        "stamps -0.0600 s apart, beyond 0.0505 s",
    ]
    np.testing.assert_allclose([entry.offset_s for entry in entries], [0.0, -0.05, 0.01, -0.06], atol=1e-9)
    assert [clouds.read(tmp_path, own, entry).target is None for entry in entries] == [False, True, False, True]
    np.testing.assert_array_equal(pairing.nearest([0, 5, 9, 30], [4, 6, 10]), [0, 0, 2, 2])


def table(root: Path, rows, header="file,stamp_s"):
    (root / "frames.csv").write_text("\n".join([header, *rows]) + "\n")


def test_a_table_tells_stamps_and_a_clock_that_jumps_back_cuts_a_sequence(tmp_path):
    for i in range(4):
        write(tmp_path / f"radar/{i}.csv", points())
        write(tmp_path / f"lidar/{i}.csv", lidar_rows(), LIDAR)
    stamps = (5.0, 5.1, 1.0, 1.1)
    rows = [f"{sensor}/{i}.csv,{stamp}" for sensor in ("radar", "lidar") for i, stamp in enumerate(stamps)]
    table(tmp_path, [*rows, ",9.0", "camera/1.png,9.0"])
    entries = clouds.index(tmp_path, source(stamps=TABLE))
    assert [(e.sequence, e.stamp, e.offset_s) for e in entries] == [
        ("recording", 5.0, 0.0),
        ("recording", 5.1, 0.0),
        ("recording-2", 1.0, 0.0),
        ("recording-2", 1.1, 0.0),
    ]
    table(tmp_path, [*rows[:4], *(f"lidar/{i}.csv,{5 + 0.1 * i}" for i in range(4))])
    assert {e.refused for e in clouds.index(tmp_path, source(stamps=TABLE))} == {pairing.OTHER_CLOCK}


def test_drives_that_are_numbered_in_one_folder_are_cut_where_their_stamps_jump_back(tmp_path):
    for name in ("drive1_99", "drive1_100", "drive2_99"):
        write(tmp_path / f"{name}.csv", points())
    found = clouds.index(tmp_path, source(False, radar__folder="."))
    assert [(entry.sequence, entry.key) for entry in found] == [
        ("recording", "drive1_99.csv//"),
        ("recording", "drive1_100.csv//"),
        ("recording-2", "drive2_99.csv//"),
    ]


def test_a_table_may_lie_among_the_clouds(tmp_path):
    write(tmp_path / "0.csv", points())
    table(tmp_path, ["0.csv,3.5"])
    (entry,) = clouds.index(tmp_path, source(False, radar__folder=".", stamps=TABLE))
    assert entry.stamp == 3.5


def test_a_table_tells_velocity_and_pose_along_the_axes_of_the_files(tmp_path):
    for i in range(2):
        write(tmp_path / f"radar/{i}.csv", points())
    half = np.sqrt(0.5)  # a quarter turn to the right, about an axis that points down
    moved = f"radar/0.csv;0;3;4;5;1;2;3;0;0;{half};{half}"
    table(tmp_path, [moved, "./radar/1.csv;0.1" + ";" * 10], "file;stamp_s;vx;vy;vz;tx;ty;tz;qx;qy;qz;qw")
    own = source(radar__axes="FRD", stamps=TABLE, ego_motion="recorded")
    first, second = (clouds.read(tmp_path, own, entry) for entry in clouds.index(tmp_path, own))
    np.testing.assert_array_equal(first.ego_velocity, [3, -4, -5])
    np.testing.assert_allclose(first.pose, [[0, 1, 0, 1], [-1, 0, 0, -2], [0, 0, 1, -3], [0, 0, 0, 1]], atol=1e-12)
    assert second.ego_velocity is None
    assert second.pose is None


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["radar/0.csv,0"], "name,stamp_s", r"frames\.csv: expected the columns file, stamp_s, each once, got name, s"),
        (["radar/0.csv,0,1"], "file,stamp_s,vx", r"expected the columns file, stamp_s, vx, vy, vz, each once, got"),
        (["radar/1.csv,0"], "file,stamp_s", r"frames\.csv: expected a row for radar/0\.csv, got none"),
        (["radar/0.csv,soon"], "file,stamp_s", r"row 2: expected numbers for stamp_s, got soon"),
        (["radar/0.csv,nan"], "file,stamp_s", r"row 2: expected finite numbers for stamp_s, got nan"),
        (["radar/0.csv,0", "radar/0.csv,1"], "file,stamp_s", r"expected a row for each file, got radar/0\.csv twice"),
        (["radar/0.csv"], "file,stamp_s", r"expected 2 columns in row 2, got 1"),
        (
            ["radar/0.csv,0,0,0,0,0,0,0,0"],
            "file,stamp_s,tx,ty,tz,qx,qy,qz,qw",
            r"row 2: expected a unit quaternion qx, qy, qz, qw, got \[0\.0, 0\.0, 0\.0, 0\.0\]",
        ),
    ],
)
def test_a_table_that_does_not_tell_is_refused_by_its_row(tmp_path, rows, header, message):
    write(tmp_path / "radar/0.csv", points())
    table(tmp_path, rows, header)
    with pytest.raises(InputError, match=message):
        clouds.index(tmp_path, source(stamps=TABLE))


def test_a_table_of_a_spreadsheet_has_a_mark_semicolons_and_numbers_with_a_comma(tmp_path):
    write(tmp_path / "radar/a,0.csv", points())
    header = "file;stamp_s;vx;vy;vz"
    (tmp_path / "frames.csv").write_text(f"{header}\r\nradar/a,0.csv;1532402927,5;1,5;0;-2,25\r\n", "utf-8-sig")
    (entry,) = clouds.index(tmp_path, source(False, stamps=TABLE))
    assert entry.stamp == 1532402927.5
    frame = clouds.read(tmp_path, source(False, stamps=TABLE), entry)
    np.testing.assert_array_equal(frame.ego_velocity, [1.5, 0, -2.25])


TURN = np.array([[0.0, -0.6, 0.8], [1.0, 0.0, 0.0], [0.0, 0.8, 0.6]])
MOVE = np.array([1.0, -2.0, 0.5])


def test_a_lidar_of_published_extrinsics_lies_on_what_the_radar_sees(tmp_path):
    radar_xyz = FREE @ rotation("RFU")  # along the axes of its files
    write(tmp_path / "radar/1.csv", points(radar_xyz))
    write(tmp_path / "lidar/1.csv", lidar_rows(radar_xyz @ TURN.T + MOVE), LIDAR)
    told = {"maps": "radar_to_lidar", "rotation": TURN.tolist(), "translation_m": MOVE.tolist()}
    (tmp_path / "calib.yaml").write_text(yaml.safe_dump(told))
    own = source(radar__axes="RFU", lidar__mount={"by": "extrinsics", "file": "calib.yaml"})
    frame = only(tmp_path, own)
    np.testing.assert_allclose(frame.target[:, :3], FREE, atol=1e-5)
    np.testing.assert_allclose(frame.target[:, :3], frame.radar[:, :3], atol=1e-5)
    np.testing.assert_allclose(frame.target[:, 3], 0.2)
    np.testing.assert_allclose(frame.target_origin, rotation("RFU") @ TURN.T @ -MOVE, atol=1e-9)


def test_a_lidar_beside_the_radar_is_turned_and_moved(tmp_path):
    write(tmp_path / "radar/1.csv", points())
    write(tmp_path / "lidar/1.csv", lidar_rows(FREE * (1, -1, -1)), LIDAR)
    mount = {"by": "axes", "axes": "FRD", "position_m": [-1.0, 0.5, 0.75]}
    frame = only(tmp_path, source(lidar__mount=mount, lidar__columns={"x": "x", "y": "y", "z": "z"}))
    np.testing.assert_allclose(frame.target[:, :3], FREE + np.array([-1.0, 0.5, 0.75]), rtol=1e-6)
    assert (frame.target[:, 3] == 0).all()
    assert frame.target_origin == (-1.0, 0.5, 0.75)


def test_a_recording_without_the_lidars_folder_has_no_pairs_and_a_sequence_without_it_is_refused(tmp_path):
    write(tmp_path / "a/radar/1.csv", points())
    write(tmp_path / "b/radar/1.csv", points())
    assert [(e.offset_s, e.refused) for e in clouds.index(tmp_path, source())] == [(None, "")] * 2
    write(tmp_path / "b/lidar/1.csv", lidar_rows(), LIDAR)
    assert [e.refused for e in clouds.index(tmp_path, source())] == [clouds.NO_LIDAR, ""]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["camera/1.ply"],
            r"/radar: expected \.ply, \.pcd, \.npy, \.csv, \.las, \.bin files in it or below, got none$",
        ),
        (["radar/1.ply", "radar/2.csv"], r"/radar: expected files of one kind, got \.csv and \.ply$"),
        (["radar/front.ply"], r"/radar/front\.ply: expected a number in the name of the file, got none$"),
        (
            ["radar/1.ply", "radar/a1.ply"],
            r"/a1\.ply: expected stamps that increase, got 0\.1\d+ s as of radar/1\.ply$",
        ),
        (["radar/1532402927000000000.ply"], r"expected a stamp up to 1e\+12 s, got 1\.5324e\+17 s$"),
    ],
)
def test_files_that_are_no_recording_are_told_in_one_line(tmp_path, names, message):
    for name in names:
        write(tmp_path / name, points())
    with pytest.raises(InputError, match=message):
        clouds.index(tmp_path, source())


NO_Y = {"x": "x", "z": "z", "doppler": "v", "power": "p"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"radar__axes": "FLZ"},
            r"radar\.axes: expected one of F B, one of L R and one of U D, such as FLU, got 'FLZ'",
        ),
        ({"radar__axes": "FFU"}, r"radar\.axes: expected one of F B, "),
        (
            {"radar__axes": "FRU"},
            r"radar\.axes: expected right-handed ones, .* mirrors the world; `FRU left-handed` is",
        ),
        ({"radar__axes": "FLU left-handed"}, r"radar\.axes: expected FLU, which is right-handed, got FLU left-handed"),
        ({"radar__columns": NO_Y}, r"radar\.columns: expected x, y, z, doppler, power and perhaps range, got x, z, "),
        ({"radar__layout": ["x", "y"]}, r"radar\.layout: expected doppler, power, z in it, got x, y"),
        ({"radar__layout": [*RADAR, "_", "_", "x"]}, r"radar\.layout: expected each name once, got x, "),
        ({"radar__keep": {"s": ["a"]}}, r"radar\.keep\.s\[0\]: expected a number, got 'a'"),
        ({"lidar__folder": "."}, r"mine\.source\.lidar\.folder: expected another folder than the radar's, got '\.'"),
        ({"lidar__reflectivity_max": 0}, r"lidar\.reflectivity_max: expected more than 0, got 0"),
        ({"lidar__mount__axes": "LFU"}, r"lidar\.mount\.axes: expected right-handed ones"),
        ({"lidar__mount": {"by": "hand"}}, r"lidar\.mount\.by: expected one of axes, extrinsics, got 'hand'"),
        ({"stamps": {"by": "number", "period_s": 0}}, r"stamps\.period_s: expected more than 0, got 0"),
        ({"stamps": {"by": "name", "unit": "h"}}, r"stamps\.unit: expected one of s, ms, us, ns, got 'h'"),
        ({"stamp_tolerance_s": 0}, r"source\.stamp_tolerance_s: expected more than 0, got 0"),
    ],
)
def test_a_section_that_cannot_be_is_refused_by_its_key(changed, message):
    with pytest.raises(InputError, match=message):
        source(**changed)


def parts(root: Path, *first_ms: int):
    """A folder for each, of a radar and a LiDAR of three frames at 10 Hz."""
    for i, first in enumerate(first_ms):
        for stamp in range(first, first + 300, 100):
            write(root / f"drive/part{i}/radar/{stamp}.csv", points())
            write(root / f"drive/part{i}/lidar/{stamp + 10}.csv", lidar_rows(), LIDAR)


def test_folders_that_a_drive_was_cut_into_are_one_sequence_up_to_a_gap(tmp_path):
    parts(tmp_path, 5000, 5300, 9000)
    write(tmp_path / "other/radar/5600.csv", points())  # in another folder it is another drive
    own = source(stamps={"by": "name", "unit": "ms"}, stamp_tolerance_s=0.05)
    entries = clouds.index(tmp_path, own)
    assert [entry.sequence for entry in entries] == ["drive/part0"] * 6 + ["drive/part2"] * 3 + ["other"]
    np.testing.assert_allclose([entry.stamp for entry in entries[:6]], 5 + 0.1 * np.arange(6))
    np.testing.assert_allclose([entry.offset_s for entry in entries[:9]], 0.01, atol=1e-9)
    assert clouds.read(tmp_path, own, entries[3]).target is not None
    apart = clouds.index(tmp_path, replace(own, join_s=0.0))
    assert [entry.sequence for entry in apart[::3]] == ["drive/part0", "drive/part1", "drive/part2", "other"]
    numbers = replace(own, stamps=clouds.ByNumber("number", 0.001))  # which tell no time
    assert len({entry.sequence for entry in clouds.index(tmp_path, numbers)}) == 4
    with pytest.raises(InputError, match=r"join_s: expected at least 0, got -1"):
        replace(own, join_s=-1.0)


def test_a_clock_that_counts_from_power_on_is_told_with_the_offset_that_brings_it_over(tmp_path):
    for i in range(4):
        write(tmp_path / f"radar/{1700000000000 + 100 * i}.csv", points())
        write(tmp_path / f"lidar/{7020 + 100 * i}.csv", lidar_rows(), LIDAR)
    own = source(stamps={"by": "name", "unit": "ms"})
    told = {entry.refused.split("; ")[-1] for entry in clouds.index(tmp_path, own)}
    constant = "a constant difference of two clocks belongs in lidar.stamp_offset_s: about 1699999992.980"
    assert told == {f"{constant}, if both began together"}
    moved = source(stamps={"by": "name", "unit": "ms"}, lidar__stamp_offset_s=1699999992.98)
    assert {entry.refused for entry in clouds.index(tmp_path, moved)} == {""}


def test_clouds_are_a_source_among_others(tmp_path):
    write(tmp_path / "mine/radar/1.csv", points())
    section = {
        "reader": "mixed",
        "measured": "mine",
        "sources": {"mine": SECTION},
        "weights": {"mine": 1.0},
        "unpaired": [],
    }
    own = params.build(mixed.Source, section, "source")
    (entry,) = mixed.index(tmp_path, own)
    assert mixed.read(tmp_path, own, entry).radar.shape == (60, 5)
