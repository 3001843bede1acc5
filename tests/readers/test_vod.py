"""The View-of-Delft reader, on recordings written here in its layout."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from echoes.errors import InputError
from echoes.readers import vod
from echoes.readers.ego_motion import Doppler, directions, estimate
from echoes.seeds import rng

DOPPLER = Doppler(span_mps=None, static_mps=0.25, static_share=0.2, max_speed_mps=40.0)
SOURCE = vod.Source("vod", "recorded", DOPPLER, "radar", 1, 255.0)
TO_CAMERA = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])  # x forward -> z forward
LIDAR_PLACE = np.array([-1.5, 0.25, 1.0])  # of the LiDAR in the radar's frame
VELOCITY = np.array([8.0, 0.5, 0.0])


def points(number, count=60):
    draw = rng(0, "vod", number)
    xyz = draw.uniform([5, -20, -1], [60, 20, 3], (count, 3))
    v_r = -directions(xyz) @ VELOCITY
    rows = np.column_stack([xyz, draw.uniform(-20, 20, count), v_r, 0 * v_r, 0 * v_r])
    return rows.astype("<f4")


def pose(number, yaw_rad=0.5):
    """Camera -> odom of a vehicle that drives straight on with VELOCITY, turned by .5 rad in odom."""
    turn = np.array([[np.cos(yaw_rad), -np.sin(yaw_rad), 0], [np.sin(yaw_rad), np.cos(yaw_rad), 0], [0, 0, 1]])
    radar = np.eye(4)
    radar[:3, :3], radar[:3, 3] = turn, turn @ VELOCITY * 0.1 * int(number)
    return radar @ np.linalg.inv(TO_CAMERA)


def write(root, number, place=None, clouds=None):
    """place: camera -> odom; clouds: rows of the radar, (N, 7), and of the LiDAR in the radar's frame, (M, 4)."""
    lidar_to_camera = TO_CAMERA.copy()
    lidar_to_camera[:3, 3] = TO_CAMERA[:3, :3] @ LIDAR_PLACE
    radar, lidar = root / "radar/training", root / "lidar/training"
    for folder in (radar / "velodyne", radar / "calib", radar / "pose", lidar / "velodyne", lidar / "calib"):
        folder.mkdir(parents=True, exist_ok=True)
    if clouds is None:
        rows = points(number)
        clouds = rows, np.column_stack([rows[:, :3], np.full(len(rows), 51.0)])
    clouds[0].astype("<f4").tofile(radar / f"velodyne/{number}.bin")
    (clouds[1] - [*LIDAR_PLACE, 0]).astype("<f4").tofile(lidar / f"velodyne/{number}.bin")
    for folder, matrix in ((radar, TO_CAMERA), (lidar, lidar_to_camera)):
        numbers = " ".join(map(str, matrix[:3].ravel()))
        (folder / f"calib/{number}.txt").write_text(f"P0: 1 0 0\nTr_velo_to_cam: {numbers}\nTr_imu_to_velo: \n")
    odom = pose(number) if place is None else place
    lines = [{"odomToCamera": odom.ravel().tolist()}, {"mapToCamera": odom.ravel().tolist()}]
    (radar / f"pose/{number}.json").write_text("\n".join(map(json.dumps, lines)))


@pytest.fixture
def recording(tmp_path):
    for number in ("00007", "00008", "00009", "00020"):
        write(tmp_path, number)
    return tmp_path


def frames(root, source=SOURCE):
    return [vod.read(root, source, entry) for entry in vod.index(root, source)]


def test_runs_of_numbers_are_sequences_at_ten_hertz(recording):
    entries = vod.index(recording, SOURCE)
    assert [entry.sequence for entry in entries] == ["vod-00007"] * 3 + ["vod-00020"]
    assert [entry.stamp for entry in entries] == pytest.approx([0.7, 0.8, 0.9, 2.0])


def test_a_jump_of_the_pose_starts_a_sequence(recording):
    elsewhere = pose("00009")
    elsewhere[0, 3] += 5.0
    write(recording, "00009", elsewhere)
    assert [entry.sequence for entry in vod.index(recording, SOURCE)[:3]] == ["vod-00007"] * 2 + ["vod-00009"]
    np.testing.assert_allclose(frames(recording)[1].ego_velocity, VELOCITY, atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_columns_are_position_doppler_rcs(recording, sign):
    rows = points("00007")
    expected = rows[:, [0, 1, 2, 4, 3]] * [1, 1, 1, sign, 1]
    np.testing.assert_allclose(frames(recording, replace(SOURCE, doppler_sign=sign))[0].radar, expected)


def test_static_points_fit_the_recorded_velocity_which_fixes_the_sign(recording):
    for frame in frames(recording)[:3]:
        np.testing.assert_allclose(estimate(frame.radar, DOPPLER).velocity, frame.ego_velocity, atol=0.02)


def test_the_lidar_comes_in_the_frame_of_the_radar_through_the_camera(recording):
    frame = frames(recording)[0]
    np.testing.assert_allclose(frame.target[:, :3], frame.radar[:, :3], atol=1e-4)
    np.testing.assert_allclose(frame.target[:, 3], 0.2)
    assert frame.target_origin == pytest.approx(tuple(LIDAR_PLACE))


def test_the_pose_and_the_velocity_are_those_of_the_radar(recording):
    for frame in frames(recording)[:3]:
        np.testing.assert_allclose(frame.ego_velocity, VELOCITY, atol=1e-6)
        np.testing.assert_allclose(frame.pose[:3, 3], frame.pose[:3, :3] @ VELOCITY * frame.stamp, atol=1e-6)


def test_a_frame_without_neighbours_has_no_recorded_velocity(recording):
    assert frames(recording)[3].ego_velocity is None


def test_radar_alone_is_enough_to_enhance(recording):
    shutil.rmtree(recording / "lidar")
    for folder in ("pose", "calib"):
        shutil.rmtree(recording / "radar/training" / folder)
    for frame in frames(recording):
        assert frame.target is None
        assert frame.pose is None
        assert frame.ego_velocity is None


def test_names_of_six_digits_are_those_of_kitti_and_hidden_files_no_frames(tmp_path):
    for number in ("000007", "000008"):
        write(tmp_path, number)
    (tmp_path / "radar/training/velodyne/._000007.bin").write_bytes(b"Mac OS X")
    entries = vod.index(tmp_path, SOURCE)
    assert [(entry.key, entry.sequence) for entry in entries] == [("000007", "vod-000007"), ("000008", "vod-000007")]
    np.testing.assert_allclose(vod.read(tmp_path, SOURCE, entries[0]).ego_velocity, VELOCITY, atol=1e-6)
    write(tmp_path, "00009")
    with pytest.raises(InputError, match=r"expected names of five digits, or all of six, got '00009'"):
        vod.index(tmp_path, SOURCE)


def test_rows_of_eight_numbers_are_not_taken_for_seven_where_their_bytes_divide(recording):
    path = recording / "radar/training/velodyne/00008.bin"
    rows = points("00008", 56)
    range_m = np.linalg.norm(rows[:, :3], axis=1)
    angles = np.arctan2(rows[:, 1:3].T, rows[:, 0])
    np.column_stack([rows[:, :3], rows[:, 4], range_m, rows[:, 3], *angles]).astype("<f4").tofile(path)
    with pytest.raises(InputError, match=r"00008.bin: expected rows of 7 .* numbers that repeat after 8, .* clouds"):
        frames(recording)


def test_a_frame_without_points_is_a_frame(recording):
    (recording / "radar/training/velodyne/00007.bin").write_bytes(b"")
    (recording / "lidar/training/velodyne/00008.bin").write_bytes(b"")
    found = frames(recording)
    assert (found[0].radar.shape, found[1].target.shape) == ((0, 5), (0, 4))
    assert len(found[2].radar) == len(found[2].target) == 60


def put_nan(path):
    rows = np.fromfile(path, "<f4")
    rows[9] = np.nan
    rows.tofile(path)


def replace_text(path, old, new):
    path.write_text(path.read_text().replace(old, new))


RADAR, LIDAR = "radar/training", "lidar/training"
DAMAGES = {
    "no radar": (lambda r: shutil.rmtree(r / RADAR / "velodyne"), "radar/training/velodyne: no such folder"),
    "no frames": (lambda r: [p.unlink() for p in (r / RADAR / "velodyne").iterdir()], "expected NNNNN.bin, got none"),
    "foreign name": (
        lambda r: (r / RADAR / "velodyne/a.bin").write_bytes(b""),
        "names of five digits, or all of six, got 'a'",
    ),
    "no LiDAR file": (lambda r: (r / LIDAR / "velodyne/00008.bin").unlink(), "lidar/.*/00008.bin: no such file"),
    "no radar calibration": (lambda r: (r / RADAR / "calib/00008.txt").unlink(), "radar/.*/00008.txt: no such file"),
    "no LiDAR calibration": (lambda r: (r / LIDAR / "calib/00008.txt").unlink(), "lidar/.*/00008.txt: no such file"),
    "no pose": (lambda r: (r / RADAR / "pose/00008.json").unlink(), "pose/00008.json: no such file"),
    "radar cut off": (
        lambda r: (r / RADAR / "velodyne/00008.bin").write_bytes(b"\0" * 57),
        r"00008.bin: expected rows of 7 float32 \(28 bytes\), got 57 bytes",
    ),
    "LiDAR cut off": (
        lambda r: (r / LIDAR / "velodyne/00008.bin").write_bytes(b"\0" * 17),
        r"00008.bin: expected rows of 4 float32 \(16 bytes\), got 17 bytes",
    ),
    "NaN": (lambda r: put_nan(r / RADAR / "velodyne/00008.bin"), "00008.bin: expected finite numbers, got nan for z"),
    "a signalling NaN": (
        lambda r: (r / RADAR / "velodyne/00008.bin").write_bytes(bytes.fromhex("010080ff") * 7),
        "00008.bin: expected finite numbers, got nan for x",
    ),
    "beyond all radars": (
        lambda r: np.full(7, 1e30, "<f4").tofile(r / RADAR / "velodyne/00008.bin"),
        "00008.bin: expected finite numbers, got 1.*e.30 for x of point 0",
    ),
    "brackets without end": (
        lambda r: (r / RADAR / "pose/00008.json").write_text("[" * 100_000),
        "00008.json: expected a JSON object per line",
    ),
    "NaN in LiDAR": (lambda r: put_nan(r / LIDAR / "velodyne/00008.bin"), "lidar/.*got nan for y of point 2"),
    "no transform": (
        lambda r: replace_text(r / LIDAR / "calib/00008.txt", "Tr_velo_to_cam", "Tr"),
        "00008.txt: expected a line Tr_velo_to_cam",
    ),
    "transform cut off": (
        lambda r: (r / LIDAR / "calib/00008.txt").write_text("Tr_velo_to_cam: 1 0 0"),
        "Tr_velo_to_cam: expected 12 numbers, got 3",
    ),
    "transform of words": (
        lambda r: (r / LIDAR / "calib/00008.txt").write_text("Tr_velo_to_cam: a b c"),
        "Tr_velo_to_cam: expected 12 numbers, got: could not convert",
    ),
    "no rotation": (
        lambda r: (r / LIDAR / "calib/00008.txt").write_text("Tr_velo_to_cam: " + "1 " * 12),
        r"Tr_velo_to_cam: expected a rotation \(orthonormal",
    ),
    "no odometry": (lambda r: (r / RADAR / "pose/00008.json").write_text("{}"), "00008.json: expected odomToCamera"),
    "pose cut off": (lambda r: (r / RADAR / "pose/00008.json").write_text('{"odom'), "expected a JSON object per line"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_recording_is_refused_in_one_line_that_names_the_file(recording, damage):
    spoil, message = DAMAGES[damage]
    spoil(recording)
    with pytest.raises(InputError, match=message) as error:
        frames(recording)
    assert "\n" not in str(error.value)
    assert str(recording) in str(error.value)


def test_reflectance_beyond_its_maximum_is_refused(recording):
    with pytest.raises(InputError, match=r"expected reflectance 0..50.0 \(reflectivity_max\), got 51.0..51.0"):
        frames(recording, replace(SOURCE, reflectivity_max=50.0))
    with pytest.raises(InputError, match=r"^reflectivity_max: "):
        replace(SOURCE, reflectivity_max=0.0)
