"""Crop k starts k hops into its recording, and one that is too short is refused by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes import params
from echoes.errors import InputError
from echoes.rasters.spectrograms import StftParams
from echoes.readers.recordings import RecordingEntry
from echoes.voxelization import crops
from echoes.voxelization.crops import Crops
from echoes.voxelization.spectrograms import PictureParams

GRID = {
    "raster": "stft",
    "velocity": {"start": -2.0, "stop": 2.0, "size": 8},
    "time": {"start": 0.0, "stop": 0.8, "size": 8},
    "hop_s": 0.3,
    "window": "hann",
    "window_s": 0.1,
    "overlap": 0.5,
    "notch_mps": 0.0,
    "quiet_db": None,
    "floor_db": -40.0,
    "ceiling_db": 0.0,
}
LAYOUT = params.build(StftParams, GRID, "grid")
PICTURE = {name: GRID[name] for name in ("velocity", "time", "floor_db", "ceiling_db")}


def recorded(duration_s, key="a"):
    return RecordingEntry(key, {"activity": "walk"}, duration_s)


@pytest.mark.parametrize(("duration_s", "expected"), [(0.8, 1), (1.0999, 1), (1.1, 2), (1.4, 3), (8.0, 25)])
def test_crops_fit_into_their_recording(duration_s, expected):
    assert crops.count(recorded(duration_s), LAYOUT) == expected


@given(st.floats(0.8, 100.0))
def test_the_last_crop_ends_in_the_recording_and_one_more_would_not(duration_s):
    last_s = crops.start_s(crops.count(recorded(duration_s), LAYOUT) - 1, LAYOUT)
    assert last_s + 0.8 <= duration_s + 1e-5
    assert last_s + 0.3 + 0.8 > duration_s - 1e-5


def test_a_recording_shorter_than_a_crop_is_refused_by_name():
    with pytest.raises(InputError, match=r"^walk/3: expected a recording of 0\.8 s or more, .* got 0\.700 s$"):
        crops.entries([recorded(2.0), recorded(0.7, "walk/3")], LAYOUT)


def test_crop_k_is_cut_k_hops_from_the_start():
    whole = np.arange(40).reshape(1, 1, 40)
    cut = crops.cut(whole, Crops(recorded(4.0), (0, 1, 5), ("train",) * 3), LAYOUT)
    assert cut.shape == (3, 1, 1, 8)
    assert cut[:, 0, 0, 0].tolist() == [0, 3, 15]
    np.testing.assert_array_equal(cut[1, 0, 0], np.arange(3, 11))
    assert crops.start_s(5, LAYOUT) == pytest.approx(1.5)


def test_a_recording_that_is_shorter_than_its_index_says_is_refused():
    with pytest.raises(InputError, match=r"^a: expected 1\.400 s, as its index says \(4\.000 s\), got 1\.200 s"):
        crops.cut(np.zeros((1, 4, 12)), Crops(recorded(4.0), (0, 2), ("train",) * 2), LAYOUT)


def test_a_picture_is_one_crop():
    layout = params.build(PictureParams, {"raster": "picture", **PICTURE}, "grid")
    assert crops.count(recorded(0.0), layout) == 1
    assert [entry.stamp for entry in crops.entries([recorded(0.0)], layout)] == [0.0]


def test_purged_crops_are_left_out_and_recordings_of_nothing_else():
    several = [recorded(1.4), recorded(1.1, "b/1"), recorded(0.8, "c")]
    splits = ["train", "purged", "test", "val", "val", "purged"]
    assert crops.chosen(several, crops.entries(several, LAYOUT), splits) == [
        Crops(several[0], (0, 2), ("train", "test")),
        Crops(several[1], (0, 1), ("val", "val")),
    ]
