"""A track of micro-Doppler is voxelized whole: crops, labels, statistics, and a row of each recording."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.io import wavfile

from echoes import arrays, files, params, seeds
from echoes.compute.workers import Workers
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.judging.stops import Inspect
from echoes.readers import cw24, mars, simulated_people
from echoes.readers.recordings import RecordingEntry
from echoes.readers.splits import ByRecording, ByTime, ByUser
from echoes.voxelization import crops, recordings
from echoes.voxelization.crops import Crops
from echoes.voxelization.sections import Layout, Split
from echoes.voxelization.spectrograms import SpectrogramParams

ROOT = Path(__file__).resolve().parents[2] / "data" / "raw" / "microdoppler"
ALONE = Workers(1, "")
SOURCE = simulated_people.Source("simulated_people", ("k24",), 3, 2.56, 0)
GRID = {
    "raster": "stft",
    "velocity": {"start": -8.0, "stop": 8.0, "size": 16},
    "time": {"start": 0.0, "stop": 1.28, "size": 16},
    "hop_s": 0.64,
    "window": "hann",
    "window_s": 0.1,
    "overlap": 0.5,
    "notch_mps": 0.2,
    "quiet_db": None,
    "floor_db": -40.0,
    "ceiling_db": 0.0,
}
LAYOUT = params.build(SpectrogramParams, GRID, "grid")
SPLIT = ByRecording("recording", val=0.2, test=0.25, seed=0)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """The simulated people, two of them."""
    folder, people = tmp_path_factory.mktemp("raw"), yaml.safe_load((ROOT / "people.yaml").read_text())
    people["users"] = {name: people["users"][name] for name in ("1", "2")}
    (folder / "people.yaml").write_text(yaml.safe_dump(people))
    return folder


def written(folder, raw, workers=ALONE):
    with arrays.writing(folder / "grids.zarr") as writer:
        found = recordings.write(raw, SOURCE, LAYOUT, SPLIT, workers, writer, folder / "stamps.csv")
    return found


@pytest.fixture(scope="module")
def made(raw, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return written(folder, raw), folder


def test_every_crop_of_every_recording_is_kept_with_its_labels(made, raw):
    statistics, folder = made
    data, listed = Spectrograms(folder / "grids.zarr"), simulated_people.index(raw, SOURCE)
    assert len(data) == 3 * len(listed)
    assert (data.channels, data.shape) == (1, (16, 16))
    names = data.header.content["recordings"]
    for row, (user, activity) in enumerate(data.labels(np.arange(len(data))).tolist()):
        one = listed[row // 3]
        assert names[data.recordings()[row]] == one.key
        assert (data.label_names["user"][user], data.label_names["activity"][activity]) == tuple(one.labels.values())
    np.testing.assert_allclose(data.stamps()[:4], [0.0, 0.64, 1.28, 0.0])
    assert statistics["recordings"] == len(listed)
    assert statistics["crops_train"] + statistics["crops_val"] + statistics["crops_test"] == len(data)


def test_the_statistics_tell_whether_floor_and_ceiling_fit(made):
    statistics, folder = made
    data = Spectrograms(folder / "grids.zarr")
    every = data.target_batch(np.arange(len(data)))
    assert statistics["mean_level"] == pytest.approx(every.mean(), abs=1e-4)
    assert statistics["floor_share"] == pytest.approx((every == -1).mean())
    assert statistics["ceiling_share"] == pytest.approx((every == 1).mean())
    assert statistics["crops_per_label_min"] == statistics["crops_per_label_max"] == 9
    assert statistics["crops_purged"] == 0


def test_a_row_tells_of_every_recording(made):
    statistics, folder = made
    rows = (folder / "stamps.csv").read_text().splitlines()
    assert rows[0] == "recording,user,activity,duration_s,crops,split"
    assert len(rows) == 1 + statistics["recordings"]
    key, user, activity, duration, count, split = rows[1].split(",")
    assert key.startswith(f"{user}-{activity}")
    assert (duration, count) == ("2.560", "3")
    assert split in ("train", "val", "test")


def test_two_processes_write_the_same_bytes(made, raw, tmp_path):
    written(tmp_path, raw, Workers(2, ""))
    assert files.digest(tmp_path / "grids.zarr") == files.digest(made[1] / "grids.zarr")


def test_purged_recordings_are_listed_too(tmp_path):
    kept, gone = (RecordingEntry(key, {"activity": "walk"}, 4.0) for key in "ab")
    recordings.write_table([kept, gone], [Crops(kept, (0, 4), ("train", "test"))], tmp_path / "stamps.csv")
    rows = (tmp_path / "stamps.csv").read_text().splitlines()[1:]
    assert rows == ["a,walk,4.000,2,test+train", "b,walk,4.000,0,none"]


def test_crops_of_one_recording_per_label_are_divided_by_time():
    recorded = [RecordingEntry(f"{user}/{move}", {"user": user, "move": move}, 60.0) for user in "12" for move in "abc"]
    split = ByTime("time", block_s=6.0, purge_s=0.5, val=0.1, test=0.25, seed=0)
    every = crops.entries(recorded, LAYOUT)
    chosen = recordings.divided(recorded, every, LAYOUT, split)
    kept = [f"{one.recorded.key}/{number}" for one in chosen for number in one.numbers]
    assert len(kept) == len(set(kept) & {entry.key for entry in every})
    purged = len(every) - len(kept)
    assert 0 < purged < 0.2 * len(every)
    for one in chosen:
        assert {"train", "test"} <= set(one.splits)


RATE_HZ = 8000
CW24 = cw24.Source("cw24", 24.125e9, 6.0)
QUIET = {**GRID, "velocity": {"start": 0.0, "stop": 6.0, "size": 16}, "quiet_db": -20.0}


def wave_file(path, *parts):
    """parts: (seconds, amplitude) of a tone of 3 m/s, one after the other, over faint noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    amplitude = np.concatenate([np.full(round(seconds * RATE_HZ), level) for seconds, level in parts])
    t = np.arange(len(amplitude)) / RATE_HZ
    noise = 1e-3 * seeds.rng(0, path.name).standard_normal(len(t))
    wavfile.write(path, RATE_HZ, (amplitude * np.sin(2 * np.pi * 483.0 * t) + noise).astype(np.float32))


def voxelized(folder, root, **changes):
    """The statistics and (recording, start) of all crops."""
    layout, split = params.build(SpectrogramParams, {**QUIET, **changes}, "grid"), ByTime("time", 3.0, 0.1, 0.1, 0.2, 0)
    with arrays.writing(folder / "grids.zarr") as writer:
        statistics = recordings.write(root, CW24, layout, split, ALONE, writer, folder / "stamps.csv")
    data = Spectrograms(folder / "grids.zarr")
    return statistics, list(zip(data.recordings().tolist(), data.stamps().tolist(), strict=True))


def test_crops_in_which_nothing_moves_are_left_out_before_the_split(tmp_path):
    """Else all of the motion of a short recording can be in the test split, and silence is learned under its label."""
    root = tmp_path / "raw"
    wave_file(root / "walk" / "a.wav", (5.0, 0.0), (14.0, 0.5), (5.0, 0.0))
    wave_file(root / "run" / "b.wav", (60.0, 0.5))
    statistics, found = voxelized(tmp_path, root)
    walk = [stamp for number, stamp in found if number == 1]
    assert 5 - 1.28 < min(walk) < 7
    assert 16 < max(walk) < 19
    assert statistics["crops_quiet"] == 36 - 24  # of walk; those which hold a little of the motion are kept
    everything, _ = voxelized(tmp_path, root, quiet_db=None)
    assert everything["crops_quiet"] == 0
    kept = sum(statistics[f"crops_{name}"] for name in ("train", "val", "test", "purged", "quiet"))
    assert kept == sum(everything[f"crops_{name}"] for name in ("train", "val", "test", "purged"))


def test_a_recording_in_which_nothing_is_as_loud_is_listed_without_crops(tmp_path):
    root = tmp_path / "raw"
    wave_file(root / "walk" / "a.wav", (60.0, 0.5))
    wave_file(root / "walk" / "b.wav", (3.23, 0.0), (0.11, 0.5))  # after the end of its last crop, 3.2 s
    voxelized(tmp_path, root, quiet_db=-3.0)
    rows = (tmp_path / "stamps.csv").read_text().splitlines()[1:]
    assert [row.rpartition(",")[2] for row in rows] == ["test+train+val", "none"]


def test_a_test_split_too_small_to_compare_is_told_before_anything_is_trained(tmp_path):
    """Else evaluate, after all trainings, has fewer spectrograms than each of them needs neighbours."""
    wave_file(tmp_path / "raw" / "walk" / "a.wav", (20.0, 0.5))
    message = r"^split\.test: expected test crops with more than 5 of the same labels .*, got 3 of 6 crops$"
    with pytest.raises(InputError, match=message):
        voxelized(tmp_path, tmp_path / "raw")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_label_of_which_nothing_moves_is_refused_by_name(tmp_path):
    root = tmp_path / "raw"
    wave_file(root / "walk" / "a.wav", (20.0, 0.5))
    wave_file(root / "run" / "b.wav", (20.0, 0.5))
    message = r"^grid\.quiet_db: expected a crop of run with a cell of 30 dB or more, got none$"
    with pytest.raises(InputError, match=message):
        voxelized(tmp_path, root, ceiling_db=40.0, quiet_db=30.0)
    assert not (tmp_path / "stamps.csv").exists()


def test_what_is_found_of_recordings_is_told_and_stands_in_the_statistics(tmp_path, caplog):
    root = tmp_path / "raw"
    wave_file(root / "walk" / "a.wav", (60.0, 0.5))
    shutil.copy(root / "walk" / "a.wav", root / "walk" / "b.wav")
    statistics, _ = voxelized(tmp_path, root, quiet_db=None)
    assert statistics["findings"] == {
        "duplicates": "1 of 2 recordings are those of another name: walk/a.wav = walk/b.wav"
    }
    assert [record.message for record in caplog.records if "[duplicates]" in record.message]
    inspect = Inspect(("duplicates",))
    inspect.require_known(recordings.FINDINGS, "cw24.inspect")
    with pytest.raises(InputError, match=r"^cw24.inspect.stop_at: voxelize stops at duplicates \(1 of 2 "):
        inspect.require_sane(statistics["findings"], "cw24.inspect")


def test_a_recording_that_is_shorter_than_a_crop_is_left_out_and_told(tmp_path):
    root = tmp_path / "raw"
    wave_file(root / "walk" / "a.wav", (60.0, 0.5))
    wave_file(root / "walk" / "b.wav", (1.0, 0.5))
    statistics, found = voxelized(tmp_path, root, quiet_db=None)
    assert list(statistics["findings"]) == ["short_recordings"]
    assert statistics["recordings"] == 2
    assert {number for number, _ in found} == {0}
    rows = (tmp_path / "stamps.csv").read_text().splitlines()[1:]
    assert [row.split(",")[2:4] for row in rows] == [["60.000", rows[0].split(",")[3]], ["1.000", "0"]]
    (root / "walk" / "a.wav").unlink()
    with pytest.raises(InputError, match=r"^walk/b.wav: expected a recording of 1\.28 s or more"):
        voxelized(tmp_path, root, quiet_db=None)


RADAR = {
    "raster": "voxels",
    "task": "enhance",
    **{axis: {"start": -8.0, "stop": 8.0, "size": 16} for axis in "zyx"},
    "ground": {"method": "none"},
    "radius_m": 1.0,
    "sweeps": {"count": 1, "seconds": 0.5},
    "scaling": {"power_db": [40.0, 100.0], "doppler_mps": 10.0},
    "augmentation": {
        "copies": 0,
        "max_rotation_rad": 0.0,
        "min_fraction": 1.0,
        "power_db": 0.0,
        "noise_m": 0.0,
        "fade": 0.0,
        "seed": 0,
    },
}
SEQUENCE = {"by": "sequence", "val": 0.1, "test": 0.2, "seed": 0}
STRETCH = {"by": "stretch", "gap_s": 10.0, "folds": 4, "fold": 0, "val": 0.1, "seed": 0}


@pytest.mark.parametrize(
    ("grid", "split", "message"),
    [
        (
            RADAR,
            {**SEQUENCE, "by": "recording"},
            r"^t\.grid\.raster: expected stft, stft_complex, doppler_time or picture .* mars, got voxels",
        ),
        (GRID, SEQUENCE, r"^t\.split\.by: expected recording, few, user or time for the reader mars, got sequence"),
        (GRID, STRETCH, r"^t\.split\.by: expected recording, few, user or time for the reader mars, got stretch"),
    ],
)
def test_a_grid_or_a_split_of_the_other_family_is_refused(grid, split, message):
    layout, divided = params.build(Layout, grid, "t.grid"), params.build(Split, split, "t.split")
    with pytest.raises(InputError, match=message):
        recordings.require("t", "mars", layout, divided)


def test_users_who_are_divided_are_no_label_of_what_is_trained_and_tested():
    """Six people, two recordings each of two activities, and a drone, divided by its recordings."""
    who = [(str(user), activity) for user in range(6) for activity in ("walk", "fall")] + [("drone", "fly")] * 3
    listed = [
        RecordingEntry(f"{user}-{activity}-{i}-{k}", {"user": user, "activity": activity}, 1.28)
        for k, (user, activity) in enumerate(who)
        for i in range(2)
    ]
    found = recordings.divided(listed, crops.entries(listed, LAYOUT), LAYOUT, ByUser("user", 0.1, 0.3, 0))
    assert {tuple(one.recorded.labels.items()) for one in found} == {
        (("activity", "walk"),),
        (("activity", "fall"),),
        (("activity", "fly"),),
    }
    splits = {}
    for one in found:
        splits.setdefault(one.recorded.key.split("-")[0], set()).update(one.splits)
    assert splits.pop("drone") == {"train", "val", "test"}
    assert sorted(len(of_user) for of_user in splits.values()) == [1] * 6
    assert sorted(name for of_user in splits.values() for name in of_user) == ["test"] * 2 + ["train"] * 3 + ["val"]
    nameless = [RecordingEntry(one.key, {"activity": one.labels["activity"]}, 1.28) for one in listed]
    with pytest.raises(InputError, match=r"^split\.by: expected .* for recordings labelled by activity, got user$"):
        recordings.divided(nameless, crops.entries(nameless, LAYOUT), LAYOUT, ByUser("user", 0.1, 0.3, 0))


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(InputError):
        recordings.write(tmp_path, mars.Source("mars"), LAYOUT, SPLIT, ALONE, None, tmp_path / "stamps.csv")
    assert list(tmp_path.iterdir()) == []
