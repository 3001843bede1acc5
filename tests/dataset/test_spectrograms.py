"""Crops, labels and axes survive grids.zarr, and a data set that cannot be trained or tested is refused."""

import numpy as np
import pytest

import artifacts
from echoes import arrays, seeds
from echoes.dataset import catalog
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.grids import Axis
from echoes.provenance import Header
from echoes.readers.recordings import RecordingEntry
from echoes.voxelization.spectrogram_grids import SpectrogramsWriter

VELOCITY, TIME = Axis("velocity", "m/s", -4.0, 4.0, 16), Axis("time", "s", 0.0, 1.6, 8)
USERS, ACTIVITIES = ("2", "10"), ("walk", "fall")
RECORDED = [
    RecordingEntry(f"{user}-{activity}", {"user": user, "activity": activity}, 4.0)
    for user in USERS
    for activity in ACTIVITIES
]
SPLITS = ("train", "train", "val", "test")
POWERS = {"scaling": {"floor_db": -40.0, "ceiling_db": 0.0}}
WINDOWS = {"window": "hann", "window_s": 0.02, "hop": 4, "bins": 16, "rate_hz": 400.0, "compression": 0.5}


def levels(recorded, channels=1):
    """(4, C, F, T) random crops of one recording."""
    drawn = seeds.rng(0, recorded.key).uniform(-1, 1, (4, channels, VELOCITY.size, TIME.size))
    return drawn.astype(np.float16)


def write(path, splits=lambda one: SPLITS, channels=lambda one: 1, told=POWERS):
    with arrays.writing(path) as writer:
        made = SpectrogramsWriter(writer, (VELOCITY, TIME), RECORDED)
        for one in RECORDED:
            made.append(one, [0.0, 0.4, 0.8, 1.2], splits(one), levels(one, channels(one)))
        made.seal({"source": {"reader": "mars"}}, told, {"raw": "r"})
    return Spectrograms(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "grids.zarr")


def test_crops_come_back_in_the_order_asked_for(data):
    batch = data.target_batch(np.array([5, 0, 5]))
    assert (batch.shape, batch.dtype) == ((3, 1, 16, 8), np.float32)
    np.testing.assert_array_equal(batch[0], levels(RECORDED[1])[1].astype(np.float32))
    np.testing.assert_array_equal(batch[1], levels(RECORDED[0])[0].astype(np.float32))
    np.testing.assert_array_equal(batch[2], batch[0])


def test_labels_are_positions_in_lists_in_the_order_of_the_reader(data):
    assert list(data.label_names.items()) == [("user", ("2", "10")), ("activity", ("fall", "walk"))]
    found = data.labels(np.array([0, 4, 8, 15]))
    assert found.dtype == np.int64
    assert found.tolist() == [[0, 1], [0, 0], [1, 1], [1, 0]]


def test_the_splits_and_the_places_of_crops_are_kept(data):
    assert len(data) == 16
    assert data.frames("test").tolist() == [3, 7, 11, 15]
    assert data.frames("val").tolist() == [2, 6, 10, 14]
    assert sum(len(data.frames(split)) for split in ("train", "val", "test")) == 16
    np.testing.assert_allclose(data.stamps(), [0.0, 0.4, 0.8, 1.2] * 4)
    assert [data.header.content["recordings"][i] for i in data.recordings()[::4]] == [one.key for one in RECORDED]


def test_the_axes_scaling_and_family_travel_with_the_data(data):
    assert (data.velocity, data.time, data.shape) == (VELOCITY, TIME, (16, 8))
    assert (data.floor_db, data.ceiling_db) == (-40.0, 0.0)
    assert (data.family, data.rank, data.channels, data.channel_names) == ("microdoppler", 2, 1, ("power",))
    assert data.metadata["family"] == "microdoppler"
    assert data.metadata["axes"][0] == {"name": "velocity", "unit": "m/s", "start": -4.0, "stop": 4.0, "size": 16}
    assert data.metadata["kinds"] == ["user", "activity"]
    assert data.header.parents == {"raw": "r"}


def test_a_batch_belongs_to_its_caller(data):
    kept = data.target_batch([0, 1]).copy()
    data.target_batch([0, 1])[:] = 7
    data.labels([0, 1])[:] = 7
    np.testing.assert_array_equal(data.target_batch([0, 1]), kept)
    assert data.labels([0, 1]).max() == 1


def test_spectrograms_have_no_mirror(data):
    data.require_mirror("ldm", mirror=False)
    with pytest.raises(InputError, match=r"^ldm\.mirror: expected false, .* got true"):
        data.require_mirror("ldm", mirror=True)


def test_pictures_have_three_channels(tmp_path):
    data = write(tmp_path / "grids.zarr", channels=lambda one: 3)
    assert (data.channels, data.channel_names) == (3, ("r", "g", "b"))
    assert data.target_batch([2]).shape == (1, 3, 16, 8)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (lambda one: ("train", "train", "test", "test"), "expected crops in every split, got none in val"),
        (
            lambda one: ("train", "train", "val", "val") if one.labels["user"] == "10" else SPLITS,
            "split: expected test data of user 10, got it in train, val only",
        ),
        (
            lambda one: ("test",) * 4 if one.labels["activity"] == "fall" else SPLITS,
            "split: expected train data of activity fall, got it in test only",
        ),
    ],
)
def test_labels_that_cannot_be_trained_or_tested_are_refused_and_leave_nothing(tmp_path, splits, message):
    with pytest.raises(InputError, match=message):
        write(tmp_path / "grids.zarr", splits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (lambda one: 4, "2-walk: expected 1 to 3 channels, got 4"),
        (lambda one: 1 + 2 * (one.key == "10-walk"), "10-walk: expected 1 channels, as before, got 3"),
    ],
)
def test_mixed_channels_are_refused(tmp_path, channels, message):
    with pytest.raises(InputError, match=message):
        write(tmp_path / "grids.zarr", channels=channels)


def test_complex_spectrograms_are_looked_at_as_powers_and_tell_models_how_they_were_made(tmp_path, data):
    found = write(tmp_path / "grids.zarr", channels=lambda one: 2, told={**POWERS, "stft": WINDOWS})
    assert found.powers(found.target_batch([0, 1])).shape == (2, 1, *found.shape)
    assert set(found.metadata) - set(data.metadata) == {"stft"}
    values = data.target_batch([0, 1])
    assert data.powers(values) is values


def test_a_transform_of_other_cells_than_the_axes_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"header: stft\.bins: expected \d+, the cells of velocity, got 1024$"):
        write(tmp_path / "grids.zarr", channels=lambda one: 2, told={**POWERS, "stft": {**WINDOWS, "bins": 1024}})


def test_grids_of_either_family_are_read_by_their_header(tmp_path, data):
    artifacts.write_grids(tmp_path / "grids.zarr")
    assert isinstance(catalog.read(data.path), Spectrograms)
    radar = catalog.read(tmp_path / "grids.zarr")
    assert isinstance(radar, Grids)
    assert (radar.family, radar.rank, radar.channels, radar.shape) == ("radar", 3, 5, artifacts.GRID.shape)
    assert set(radar.metadata) == {"family", "axes", "task", "scaling", "ego_motion", "sweeps"}
    radar.require_mirror("ldm", mirror=True)


def test_a_family_that_is_not_known_is_refused(tmp_path):
    with arrays.writing(tmp_path / "grids.zarr") as writer:
        writer.seal(Header("grids", {}, {}, {"family": "sonar"}))
    with pytest.raises(InputError, match=r"grids\.zarr: expected grids of the family radar or microdoppler, got sonar"):
        catalog.read(tmp_path / "grids.zarr")


@pytest.mark.parametrize("family", ["radar", "microdoppler"])
@pytest.mark.parametrize("content", [{}, {"axes": 3}, {"axes": [{"name": "z"}]}])
def test_a_header_without_what_grids_need_is_refused(tmp_path, family, content):
    with arrays.writing(tmp_path / "grids.zarr") as writer:
        writer.seal(Header("grids", {}, {}, {**content, "family": family}))
    with pytest.raises(InputError, match=r"grids\.zarr: header\..*: missing"):
        catalog.read(tmp_path / "grids.zarr")
