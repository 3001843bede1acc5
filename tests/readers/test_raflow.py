"""The RaFlow reader: on a street written here in its format, on damaged files, and on the real one."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from echoes import seeds
from echoes.errors import InputError
from echoes.readers import clocks, raflow, raflow_scans
from echoes.readers.ego_motion import Doppler, directions, estimate

DOPPLER = Doppler(span_mps=None, static_mps=0.25, static_share=0.2, max_speed_mps=40.0)
SOURCE = raflow.Source("raflow", "estimated", DOPPLER, 1, 1.0, True, (-30.0, 40.0))
VELOCITY = np.array([10.0, 0.0, 0.0])
YAW_RAD = 0.02  # between two scans
COUNT = 80


def turn(yaw_rad):
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def street():
    """(80, 3) the same static points all the time, in pairs as far from the first radar as each other."""
    rng = seeds.rng(0, "street")
    range_m, azimuth = rng.uniform(10, 60, COUNT), rng.uniform(-0.9, 0.9, COUNT)
    return np.column_stack([range_m * np.cos(azimuth), range_m * np.sin(azimuth), rng.uniform(-1, 2, COUNT)])


def scan(step, shift=(0, 0, 0)):
    """The street seen after `step` intervals of driving 1 m and turning left by .02 rad; and one moving point."""
    heading = step * YAW_RAD
    place = sum(
        (turn(k * YAW_RAD) @ VELOCITY + turn((k + 1) * YAW_RAD) @ VELOCITY) / 2 * 0.1 for k in range(step)
    ) + np.zeros(3)
    xyz = (street() - place) @ turn(heading)
    doppler = -directions(xyz) @ VELOCITY
    moving = np.array([[30.0, 0.0, 0.0]])
    xyz, doppler = np.concatenate([xyz, moving]), np.append(doppler, -3.0)
    power = 60.0 + np.arange(COUNT + 1) / 10 + step
    return xyz + shift, doppler, power


def cloud(xyz, doppler, power):
    columns = [*xyz.T, doppler, power, np.where(power > 0, 5.0, 0)]
    return {name: column.tolist() for name, column in zip(raflow_scans.COLUMNS, columns, strict=True)}


def write(root, number, first, second, interval_s=0.1, yaw_rad=YAW_RAD):
    trans = np.eye(4)
    trans[:3, :3] = turn(yaw_rad)
    value = {"pc1": cloud(*first), "pc2": cloud(*second), "interval": interval_s, "trans": trans.tolist()}
    path = root / f"train/radar_seqs-3_samples-{number}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value | {"gt": [], "mask": []}))
    return path


@pytest.fixture
def recording(tmp_path):
    """Three files in a row (four scans), then a gap of two files, then one file more."""
    for number in (8, 9, 10):
        write(tmp_path, number, scan(number - 8), scan(number - 7))
    write(tmp_path, 13, scan(0), scan(1))
    return tmp_path


def frames(root, source=SOURCE):
    return [raflow.read(root, source, entry) for entry in raflow.index(root, source)]


def test_a_scan_in_two_files_is_one_frame(recording):
    entries = raflow.index(recording, SOURCE)
    assert len(entries) == 6
    assert {entry.sequence for entry in entries} == {"train-3"}
    assert [entry.stamp for entry in entries] == pytest.approx([0, 0.1, 0.2, 0.3, 0.5, 0.6])


@pytest.mark.parametrize("interval_s", [0.0, -0.1, -700.0])
def test_an_interval_back_in_time_starts_a_sequence_and_is_told(recording, interval_s):
    edit(recording / "train/radar_seqs-3_samples-9.json", interval=interval_s)
    entries = raflow.index(recording, SOURCE)
    assert [entry.sequence for entry in entries] == ["train-3"] * 2 + ["train-3-2"] * 4
    assert [entry.jumps_back for entry in entries] == [False, False, True, False, False, False]
    assert [entry.stamp for entry in entries] == pytest.approx([0, 0.1, 0, 0.1, 0.3, 0.4])
    assert clocks.told(entries) == "the clock jumps back 1 time; a new sequence begins there: train-3-2"


def test_the_target_is_not_taken_across_a_jump_of_the_clock(recording):
    edit(recording / "train/radar_seqs-3_samples-9.json", interval=-0.1)
    found = frames(recording, replace(SOURCE, accumulate=5))
    assert [len(frame.target) for frame in found] == [2 * COUNT + 1] * 6
    for i, frame in enumerate(found[:4]):
        np.testing.assert_allclose(frame.radar[:, :3], scan(i)[0], rtol=1e-5)


def test_a_clock_that_jumps_back_in_the_first_file_leaves_its_scans(recording):
    edit(recording / "train/radar_seqs-3_samples-8.json", interval=-0.1)
    entries = raflow.index(recording, SOURCE)
    assert [entry.sequence for entry in entries] == ["train-3"] + ["train-3-2"] * 5
    assert [entry.refused for entry in entries] == ["no neighbouring scan to accumulate"] + [""] * 5
    assert len(raflow.read(recording, SOURCE, entries[0]).radar) == COUNT + 1


def test_what_was_thrown_away_is_no_recording(recording):
    before = raflow.index(recording, SOURCE)
    for path in sorted(recording.rglob("*.json")):
        for hidden in (".Trash-1000/files", ".ipynb_checkpoints"):
            (recording / hidden).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, recording / hidden)
    assert raflow.index(recording, SOURCE) == before


def test_doppler_and_power_are_given_as_they_are(recording):
    xyz, doppler, power = scan(1)
    np.testing.assert_allclose(frames(recording)[1].radar, np.column_stack([xyz, doppler, power]), rtol=1e-6)


def test_neighbours_land_on_the_static_points_of_the_scan(recording):
    for frame in frames(recording)[1:3]:
        assert len(frame.target) == 3 * COUNT + 1
        parts = frame.target[np.argsort(np.linalg.norm(frame.target[:, :3] - [30, 0, 0], axis=1))][1:, :3]
        nearest = np.linalg.norm(parts[:, None] - frame.radar[None, :COUNT, :3], axis=2).min(axis=1)
        assert nearest.max() < 0.02


def test_a_moving_point_of_a_neighbour_is_left_out_and_the_own_one_stays(recording):
    frame = frames(recording)[1]
    static = frame.radar[:COUNT, :3]
    away = np.linalg.norm(frame.target[:, None, :3] - static, axis=2).min(axis=1) > 0.05
    np.testing.assert_allclose(frame.target[away, :3], [[30, 0, 0]], atol=1e-6)


def test_the_target_is_not_taken_across_a_gap(recording):
    sizes = [len(frame.target) for frame in frames(recording, replace(SOURCE, accumulate=5))]
    assert sizes == [4 * COUNT + 1] * 4 + [2 * COUNT + 1] * 2


def test_rcs_is_scaled_between_its_bounds_and_clipped(recording):
    assert set(frames(recording)[0].target[:, 3]) == {np.float32(0.5)}
    assert set(frames(recording, replace(SOURCE, reflectivity_dbsm=(6.0, 7.0)))[0].target[:, 3]) == {np.float32(0)}


def test_a_repeated_measurement_is_no_frame(tmp_path):
    write(tmp_path, 1, scan(0), scan(0, shift=(0.4, -0.2, 0.1)))
    write(tmp_path, 2, scan(0, shift=(0.4, -0.2, 0.1)), scan(1))
    entries = raflow.index(tmp_path, SOURCE)
    assert [entry.stamp for entry in entries] == pytest.approx([0.0, 0.2])
    assert [entry.refused for entry in entries] == ["", ""]


def test_a_lonely_measurement_is_refused_as_a_pair_and_still_read(tmp_path):
    write(tmp_path, 1, scan(0), scan(0, shift=(0.4, -0.2, 0.1)))
    (entry,) = raflow.index(tmp_path, SOURCE)
    assert entry.refused == "no neighbouring scan to accumulate"
    assert len(raflow.read(tmp_path, SOURCE, entry).target) == COUNT + 1


def test_twins_tell_where_the_radar_stood():
    rng = seeds.rng(0, "twins")
    range_m = np.repeat(rng.uniform(5, 60, 20), 2)
    azimuth, z_m = rng.uniform(-1, 1, 40), rng.uniform(-2, 2, 40)
    level = np.sqrt(range_m**2 - z_m**2)
    cell = np.repeat(np.arange(20.0), 2)
    points = np.column_stack([level * np.cos(azimuth), level * np.sin(azimuth), z_m, cell, cell, azimuth])
    moved = points + np.array([1.4, -0.7, 0.3, 0, 0, 0])
    by_chance = np.array([[5, 1, 0, 99, 99, 0], [50, 9, 0, 99, 99, 0]])
    found = raflow_scans.displacement(rng.permutation(np.concatenate([moved, by_chance])))
    np.testing.assert_allclose(found, (1.4, -0.7, 0.3), atol=1e-3)
    np.testing.assert_array_equal(raflow_scans.displacement(moved[:10]), 0)
    np.testing.assert_array_equal(raflow_scans.displacement(moved[:0]), 0)


def test_a_scan_without_points_is_a_frame_without_points(tmp_path):
    empty = np.zeros((0, 3)), np.zeros(0), np.zeros(0)
    write(tmp_path, 1, scan(0), empty)
    write(tmp_path, 2, empty, scan(2))
    first, second, _ = frames(tmp_path)
    assert (len(second.radar), len(second.target)) == (0, 0)
    assert len(first.target) == COUNT + 1


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def shorten(path):
    value = json.loads(path.read_text())
    value["pc1"]["power"].pop()
    path.write_text(json.dumps(value))


def put(path, value):
    content = json.loads(path.read_text())
    content["pc1"]["car_loc_x"][4] = value
    path.write_text(json.dumps(content))


DAMAGES = {
    "empty": (lambda p: p.write_text(""), "samples-8.json: expected JSON"),
    "cut off": (lambda p: p.write_text(p.read_text()[:-500]), "samples-8.json: expected JSON"),
    "foreign": (lambda p: p.write_bytes(b"\xff\xd8\xff\xe0"), "samples-8.json: expected text"),
    "a list": (lambda p: p.write_text("[1, 2]"), "samples-8.json: expected a JSON object, got a list"),
    "no scan": (lambda p: edit(p, pc2=None), "samples-8.json: expected pc2 as an object, got None"),
    "no column": (lambda p: edit(p, pc1={"car_loc_x": [1]}), "pc1: expected car_loc_y as a list, got NoneType"),
    "unequal lists": (shorten, "pc1: expected 81 values for power, got 80"),
    "NaN": (lambda p: put(p, float("nan")), "pc1: expected finite numbers, got nan for car_loc_x of point 4"),
    "too large": (lambda p: put(p, 10**400), "pc1: expected lists of numbers, got"),
    "a word": (lambda p: put(p, "far"), "pc1: expected lists of numbers, got"),
    "a list in a list": (lambda p: put(p, [1, 2]), "pc1: expected lists of numbers, got"),
    "endless": (lambda p: edit(p, interval=float("inf")), "expected an interval in s, got inf"),
    "no interval": (lambda p: edit(p, interval="soon"), "expected interval as a number, got 'soon'"),
    "no rotation": (lambda p: edit(p, trans=(2 * np.eye(4)).tolist()), "trans: expected 4 rows"),
    "foreign name": (lambda p: p.rename(p.with_name("labels.json")), "labels.json: expected radar_seqs-S_samples-K"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(recording, damage):
    spoil, message = DAMAGES[damage]
    spoil(recording / "train/radar_seqs-3_samples-8.json")
    with pytest.raises(InputError, match=message) as error:
        frames(recording)
    assert "\n" not in str(error.value)
    assert str(recording) in str(error.value)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected radar_seqs-S_samples-K\.json files in it or below, got none"):
        raflow.index(tmp_path, SOURCE)


def test_scans_that_agree_on_no_velocity_cannot_be_accumulated(tmp_path):
    xyz, _, power = scan(0)
    chaos = seeds.rng(0, "chaos").uniform(-30, 30, (2, COUNT + 1))
    write(tmp_path, 1, (xyz, chaos[0], power), (xyz, chaos[1], power))
    with pytest.raises(InputError, match="expected scans whose points agree on one ego velocity, got 2 without"):
        frames(tmp_path)


@pytest.mark.parametrize("changed", [{"accumulate": 0}, {"max_residual_mps": 0.0}, {"reflectivity_dbsm": (1.0, 1.0)}])
def test_impossible_parameters_are_refused_by_name(changed):
    with pytest.raises(InputError, match=f"^{next(iter(changed))}: "):
        replace(SOURCE, **changed)


def test_the_real_recordings_have_75_measurements_in_four_sequences(recordings):
    entries = raflow.index(recordings / "raflow-4dradar", SOURCE)
    sequences = [entry.sequence for entry in entries]
    assert {s: sequences.count(s) for s in set(sequences)} == {"train-0": 14, "train-1": 19, "train-2": 16, "val-0": 26}
    assert len({entry.key for entry in entries}) == 75


def test_static_points_of_the_real_recordings_fit_one_ego_velocity(recordings):
    """Positive = receding; and they fit better where the radar was put back to its place."""
    root = recordings / "raflow-4dradar"
    spread = {}
    for recentre in (True, False):
        fits = [estimate(f.radar, DOPPLER) for f in frames(root, replace(SOURCE, recentre=recentre))]
        assert min(fit.static.mean() for fit in fits) > 0.33
        assert all(-0.05 < fit.velocity[0] < 17 and abs(fit.velocity[1]) < 2 for fit in fits)
        spread[recentre] = np.mean([fit.residual_mps[fit.static].std() for fit in fits])
    assert spread[True] < 0.035 < 0.04 < spread[False]
