"""The Astyx reader: on a small recording written here, on damaged ones, and on the real one."""

import gzip
import json
import shutil
from collections import Counter

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from echoes.errors import InputError
from echoes.readers import astyx, clocks, splits
from echoes.readers.ego_motion import Doppler, estimate

DOPPLER = Doppler(span_mps=10.3936, static_mps=0.25, static_share=0.2, max_speed_mps=40.0)
SOURCE = astyx.Source("astyx", "estimated", DOPPLER)
QUARTER_TURN = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]  # x -> y, then (1, 2, 3) m


def write_frame(root, number, stamp_us, to_radar=QUARTER_TURN, packed=False):
    radar = f"\nX Y Z V_r Mag\n10 1 0 2.5 60\n20 -1 0.5 -1.0 {50 + int(number)}\n"
    lidar = f"X Y Z Reflectivity LaserID Timestamp \n5 0 0 255 3 {stamp_us}\n6 0 1 51 4 {stamp_us + 5}\n"
    sensors = [(astyx.RADAR, np.eye(4).tolist()), (astyx.LIDAR, to_radar)]
    calibration = {"sensors": [{"sensor_uid": uid, "calib_data": {"T_to_ref_COS": t}} for uid, t in sensors]}
    box = {
        "classname": "Car",
        "center3d": [10, 1, 0],
        "dimension3d": [4.0, 1.8, 1.5],
        "orientation_quat": np.roll(Rotation.from_euler("ZYX", [0.3, 0.2, -0.1]).as_quat(), 1).tolist(),
    }
    for folder, text in ((astyx.RADAR, radar), (astyx.LIDAR, lidar)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        path = root / folder / f"{number}.txt"
        if packed:
            path.with_name(f"{number}.txt.gz").write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
    for folder, value in ((astyx.CALIBRATION, calibration), (astyx.BOXES, {"objects": [box]})):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / f"{number}.json").write_text(json.dumps(value))


@pytest.fixture
def recording(tmp_path):
    stamps_us = {"000007": 3_599_800_000, "000008": 3_599_900_000, "000009": 0, "000020": 5_000_000}
    for number, stamp_us in stamps_us.items():
        write_frame(tmp_path, number, stamp_us, packed=number == "000020")
    return tmp_path


def frames(root):
    return [astyx.read(root, SOURCE, entry) for entry in astyx.index(root, SOURCE)]


def test_stamps_go_on_over_the_hour_and_a_missing_number_starts_a_sequence(recording):
    entries = astyx.index(recording, SOURCE)
    assert [entry.key for entry in entries] == ["000007", "000008", "000009", "000020"]
    assert [entry.stamp for entry in entries] == pytest.approx([3599.8, 3599.9, 3600.0, 3605.0])
    assert [entry.sequence for entry in entries] == ["astyx-0"] * 3 + ["astyx-20"]


@pytest.mark.parametrize("back_us", [0, 100_000, 1_700_000_000])
def test_a_jump_back_of_the_clock_starts_a_sequence_and_is_told(recording, back_us):
    write_frame(recording, "000008", 3_599_800_000 - back_us)
    entries = astyx.index(recording, SOURCE)
    assert [entry.sequence for entry in entries] == ["astyx-0", "astyx-8", "astyx-8", "astyx-20"]
    assert [entry.jumps_back for entry in entries] == [False, True, False, False]
    assert [entry.stamp for entry in entries] == pytest.approx([3599.8, 3599.8 - back_us / 1e6, 3600.0, 3605.0])
    assert clocks.told(entries) == "the clock jumps back 1 time; a new sequence begins there: astyx-8"
    assert [frame.sequence for frame in frames(recording)] == [entry.sequence for entry in entries]


def test_a_jump_back_beside_a_missing_number_is_counted_too(recording):
    write_frame(recording, "000021", 4_000_000)
    write_frame(recording, "000030", 3_000_000)
    entries = astyx.index(recording, SOURCE)
    assert [entry.sequence for entry in entries[3:]] == ["astyx-20", "astyx-21", "astyx-30"]
    assert [entry.jumps_back for entry in entries[3:]] == [False, True, True]


def test_doppler_is_positive_when_receding_and_power_is_the_magnitude(recording):
    frame = frames(recording)[3]
    np.testing.assert_array_equal(frame.radar, np.float32([[10, 1, 0, -2.5, 60], [20, -1, 0.5, 1.0, 70]]))


def test_the_lidar_comes_in_the_frame_of_the_radar(recording):
    frame = frames(recording)[0]
    np.testing.assert_allclose(frame.target, [[1, 7, 3, 1.0], [1, 8, 4, 0.2]], rtol=1e-6)
    assert frame.target_origin == (1.0, 2.0, 3.0)


def test_a_box_keeps_its_place_and_turns_by_its_quaternion(recording):
    (box,) = frames(recording)[0].boxes
    assert (box.label, box.centre, box.size) == ("Car", (10.0, 1.0, 0.0), (4.0, 1.8, 1.5))
    assert box.yaw_rad == pytest.approx(0.3)


def test_what_a_system_put_beside_the_files_is_no_frame(recording):
    before = [entry.key for entry in astyx.index(recording, SOURCE)]
    (recording / astyx.RADAR / "._000007.txt").write_bytes(b"Mac OS X")
    assert [entry.key for entry in astyx.index(recording, SOURCE)] == before


def test_radar_alone_is_enough_to_enhance(recording):
    for folder in (astyx.LIDAR, astyx.CALIBRATION, astyx.BOXES):
        shutil.rmtree(recording / folder)
    assert [entry.stamp for entry in astyx.index(recording, SOURCE)] == pytest.approx([0.7, 0.8, 0.9, 2.0])
    assert all(frame.target is None and not frame.boxes for frame in frames(recording))


def test_a_frame_without_points_is_a_frame(recording):
    (recording / astyx.RADAR / "000007.txt").write_text("\nX Y Z V_r Mag\n")
    assert frames(recording)[0].radar.shape == (0, 5)


def spoil(path, change):
    path.write_text(change(path.read_text()))


def edit_matrix(root, rows):
    path = root / astyx.CALIBRATION / "000007.json"
    value = json.loads(path.read_text())
    value["sensors"][1]["calib_data"]["T_to_ref_COS"] = rows
    path.write_text(json.dumps(value))


RADAR_FILE, LIDAR_FILE = f"{astyx.RADAR}/000007.txt", f"{astyx.LIDAR}/000007.txt"
DAMAGES = {
    "no radar folder": (lambda r: shutil.rmtree(r / astyx.RADAR), "radar_6455: no such folder"),
    "empty radar folder": (lambda r: [p.unlink() for p in (r / astyx.RADAR).iterdir()], "radar_6455: expected NNN"),
    "foreign name": (lambda r: (r / astyx.RADAR / "notes.txt").write_text("x"), "six digits, got 'notes'"),
    "frame twice": (lambda r: (r / astyx.RADAR / "000007.txt.gz").write_bytes(b""), "one file for frame 000007"),
    "no LiDAR file": (lambda r: (r / LIDAR_FILE).unlink(), "lidar_vlp16/000007.txt.*: no such file"),
    "no calibration": (lambda r: (r / astyx.CALIBRATION / "000008.json").unlink(), "000008.json: no such file"),
    "no boxes": (lambda r: (r / astyx.BOXES / "000008.json").unlink(), "000008.json: no such file"),
    "stamp beyond the hour": (lambda r: write_frame(r, "000008", 3_600_000_000), "expected a Timestamp of 0 to"),
    "empty file": (lambda r: (r / RADAR_FILE).write_text(""), "000007.txt: expected the header X Y Z V_r Mag, got ''"),
    "foreign file": (lambda r: (r / RADAR_FILE).write_text("a,b\n1,2\n"), "expected the header"),
    "foreign bytes": (lambda r: (r / RADAR_FILE).write_bytes(b"\x93NUMPY\xff\xfe"), "000007.txt: expected text"),
    "cut off": (lambda r: spoil(r / RADAR_FILE, lambda t: t[:-2]), "a file cut off in it"),
    "cut row": (lambda r: spoil(r / RADAR_FILE, lambda t: t[:-4] + "\n"), "expected rows of 5 numbers"),
    "words": (lambda r: spoil(r / RADAR_FILE, lambda t: t.replace("2.5", "fast")), "expected rows of 5 numbers"),
    "NaN": (lambda r: spoil(r / RADAR_FILE, lambda t: t.replace("10", "nan")), "got nan for x of point 0"),
    "beyond float32": (lambda r: spoil(r / RADAR_FILE, lambda t: t.replace("10", "1e300")), "got 1e.300 for x of poi"),
    "digits that are no numbers": (lambda r: (r / astyx.RADAR / "²²²²²².txt").write_text(""), "names of six digits"),
    "infinite LiDAR": (lambda r: spoil(r / LIDAR_FILE, lambda t: t.replace("5 0 0", "5 inf 0", 1)), "got inf for y"),
    "far away": (lambda r: edit_matrix(r, np.diag([1e200, 1, 1, 1]).tolist()), "expected 4 rows of 4 numbers"),
    "NaN in LiDAR": (lambda r: spoil(r / LIDAR_FILE, lambda t: t.replace("5 0 0", "5 nan 0", 1)), "got nan for"),
    "reflectivity": (lambda r: spoil(r / LIDAR_FILE, lambda t: t.replace("255", "256")), "Reflectivity 0..255"),
    "cut gzip": (
        lambda r: (r / astyx.RADAR / "000020.txt.gz").write_bytes(
            (r / astyx.RADAR / "000020.txt.gz").read_bytes()[:-12]
        ),
        "000020.txt.gz: expected gzip-compressed text",
    ),
    "no gzip": (lambda r: (r / astyx.LIDAR / "000020.txt.gz").write_text("X Y Z"), "000020.txt.gz: expected gzip"),
    "no JSON": (lambda r: (r / astyx.CALIBRATION / "000007.json").write_text("{"), "000007.json: expected JSON"),
    "JSON list": (
        lambda r: (r / astyx.CALIBRATION / "000007.json").write_text("[]"),
        "a JSON object, got a list",
    ),
    "no matrix": (
        lambda r: edit_matrix(r, None),
        "lidar_vlp16: expected 4 rows of 4 numbers.*, got None",
    ),
    "no rotation": (lambda r: edit_matrix(r, (2 * np.eye(4) - np.diag([0, 0, 0, 1])).tolist()), "expected a rotation"),
    "ragged matrix": (lambda r: edit_matrix(r, [[1, 0], [0]]), "expected 4 rows of 4 numbers"),
    "sensor without a name": (
        lambda r: (r / astyx.CALIBRATION / "000007.json").write_text('{"sensors": [{}]}'),
        "expected sensor_uid",
    ),
    "box of NaN": (
        lambda r: spoil(r / astyx.BOXES / "000007.json", lambda t: t.replace("4.0", "NaN")),
        "groundtruth_obj3d/000007.json: expected 3, 3 and 4 numbers",
    ),
    "box without a size": (
        lambda r: (r / astyx.BOXES / "000007.json").write_text('{"objects": [{"center3d": [1, 2]}]}'),
        "groundtruth_obj3d/000007.json: expected center3d, dimension3d",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_recording_is_refused_in_one_line_that_names_the_file(recording, damage):
    spoil_it, message = DAMAGES[damage]
    spoil_it(recording)
    with pytest.raises(InputError, match=message) as error:
        frames(recording)
    assert "\n" not in str(error.value)
    assert str(recording) in str(error.value)


def test_the_real_recording_is_two_drives_as_its_clock_jumps_back_once(recordings):
    entries = astyx.index(recordings / "astyx-hires2019-ccbyncsa4", SOURCE)
    assert [entry.key for entry in entries] == [f"{number:06d}" for number in range(406)]
    assert Counter(entry.sequence for entry in entries) == {"astyx-0": 379, "astyx-379": 27}
    assert [entry.key for entry in entries if entry.jumps_back] == ["000379"]
    for drive in ("astyx-0", "astyx-379"):
        assert (np.diff([entry.stamp for entry in entries if entry.sequence == drive]) > 0).all()


def test_static_points_of_the_real_recording_fit_one_ego_velocity(recordings):
    """Positive = receding: the vehicle drives forward, most points recede with -u . v."""
    root = recordings / "astyx-hires2019-ccbyncsa4"
    entries = astyx.index(root, SOURCE)
    fits = [estimate(astyx.read(root, SOURCE, entry).radar, DOPPLER) for entry in entries[::5]]
    shares = [fit.static.mean() for fit in fits]
    assert np.median(shares) > 0.85
    assert np.mean(np.array(shares) > 0.6) > 0.95  # in the others most of what is near moves
    assert max(fit.residual_mps[fit.static].std() for fit in fits) < 0.12
    assert all(-0.1 < fit.velocity[0] < 23 and abs(fit.velocity[1]) < 1 for fit in fits)
    slowing = [estimate(astyx.read(root, SOURCE, entry).radar, DOPPLER) for entry in entries[134:143:2]]
    assert np.abs(np.diff([fit.velocity[0] for fit in slowing])).max() < 0.35  # .3 s apart


def test_the_real_recording_splits_into_usable_parts(recordings):
    entries = astyx.index(recordings / "astyx-hires2019-ccbyncsa4", SOURCE)
    names = splits.assign(entries, splits.ByTime("time", block_s=10.0, purge_s=3.0, val=0.1, test=0.2, seed=0))
    assert Counter(names) == {"train": 276, "val": 39, "test": 85, "purged": 6}


def test_the_real_lidar_lies_on_the_real_radar_points_only_with_its_calibration(recordings):
    """The median distance from a radar point to the LiDAR is about .75 m, and 1.1 m without the calibration."""
    root = recordings / "astyx-hires2019-ccbyncsa4"
    medians = []
    for entry in astyx.index(root, SOURCE)[::20]:
        frame = astyx.read(root, SOURCE, entry)
        near = frame.radar[np.linalg.norm(frame.radar[:, :3], axis=1) < 40, :3]
        matrix = astyx._to_radar(root / astyx.CALIBRATION / f"{entry.key}.json")
        undone = (frame.target[:, :3] - matrix[:3, 3]) @ matrix[:3, :3]
        medians.append([np.median(cKDTree(points).query(near)[0]) for points in (frame.target[:, :3], undone)])
    assert np.mean([calibrated < uncalibrated for calibrated, uncalibrated in medians]) > 0.75
    assert np.median(medians, axis=0) == pytest.approx([0.749, 1.079], abs=0.03)


def test_a_gzip_file_that_grows_without_end_is_refused(recording):
    bomb = gzip.compress(b"X Y Z V_r Mag\n" + bytes(100 << 20))
    (recording / astyx.RADAR / "000020.txt.gz").write_bytes(bomb)
    with pytest.raises(InputError, match=r"000020\.txt\.gz: expected a text of at most 64 MiB, got more"):
        frames(recording)


def test_blank_lines_without_end_before_a_table_are_refused(recording):
    (recording / astyx.LIDAR / "000020.txt.gz").write_bytes(gzip.compress(b"\n" * (100 << 20)))
    with pytest.raises(InputError, match=r"000020\.txt\.gz: expected the header"):
        astyx.index(recording, SOURCE)
