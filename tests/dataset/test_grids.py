"""Frames survive grids.zarr as cells and as dense batches, and an incomplete data set is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import artifacts
from echoes import arrays
from echoes.dataset.frames import batches_of
from echoes.dataset.grids import Grids
from echoes.errors import InputError
from echoes.rasters.cells import Cells
from echoes.tasks import ENHANCE
from echoes.voxelization.cloud_grids import GridsWriter


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    return artifacts.write_grids(tmp_path_factory.mktemp("data") / "grids.zarr")


def dense_radar(frame):
    """(4, D, H, W): occupancy, power of 40..100 dB as -1..1, Doppler and its deviation per 10 m/s."""
    cells, filled = artifacts.radar(frame), np.zeros((4, *artifacts.GRID.shape))
    power, doppler, variance = cells.features.T
    values = np.ones_like(power), (power - 70) / 30, doppler / 10, np.sqrt(variance) / 10
    filled[(slice(None), *cells.indices.T)] = values
    return filled


def dense_target(frame):
    """(5, D, H, W): occupancy, reflectivity of 0..1 as -1..1, Doppler, whether it is valid, power."""
    cells, filled = artifacts.target(frame), np.zeros((5, *artifacts.GRID.shape))
    reflectivity, doppler, valid, power = cells.features.T
    values = np.ones_like(power), 2 * reflectivity - 1, doppler / 10, valid, np.where(valid > 0, (power - 70) / 30, 0)
    filled[(slice(None), *cells.indices.T)] = values
    return filled


def test_cells_come_back_frame_by_frame_in_physical_units(grids):
    for frame in (13, 0, 5):
        for name, expected in (("input", artifacts.radar(frame)), ("target", artifacts.target(frame))):
            found = grids.cells(name, frame)
            np.testing.assert_array_equal(found.indices, expected.indices)
            np.testing.assert_array_equal(found.features, expected.features)
        np.testing.assert_array_equal(grids.observed(frame), artifacts.observed(frame))


def test_the_splits_hold_every_frame_once_in_order(grids):
    assert {split: grids.frames(split).tolist() for split in ("train", "val", "test")} == {
        "train": [0, 1, 2, 3, 4, 5, 6],
        "val": [7, 8, 9],
        "test": [10, 11, 12, 13],
    }
    assert len(grids) == 14
    np.testing.assert_allclose(grids.stamps(), [0.1 * (i % 5) for i in range(14)])


def test_the_header_tells_axes_channels_sequences_and_the_occupied_share_of_train(grids):
    content = grids.header.content
    assert grids.grid == artifacts.GRID
    assert grids.scaling == artifacts.SCALING
    assert content["sequences"] == ["street-0", "street-1", "street-2"]
    assert content["task"] == {
        "given": "radar",
        "input": ["occupancy", "power", "doppler", "doppler_variance"],
        "target": ["occupancy", "reflectivity", "doppler", "doppler_valid", "power"],
        "enhances": True,
    }
    assert grids.occupied_share == pytest.approx(40 / (8 * 16 * 8))
    assert grids.header.parents == {"raw": "r"}


def test_a_batch_is_the_dense_frames_in_network_range_in_the_order_asked_for(grids):
    frames = np.array([12, 3, 3])
    radar, target, seen = grids.input_batch(frames), grids.target_batch(frames), grids.observed_batch(frames)
    assert (radar.shape, target.shape, seen.shape) == ((3, 4, 8, 16, 8), (3, 5, 8, 16, 8), (3, 8, 16, 8))
    assert {a.dtype for a in (radar, target, seen)} == {np.dtype(np.float32)}
    for i, frame in enumerate(frames.tolist()):
        np.testing.assert_allclose(radar[i], dense_radar(frame), atol=1e-6)
        np.testing.assert_allclose(target[i], dense_target(frame), atol=1e-6)
        np.testing.assert_array_equal(seen[i], artifacts.observed(frame))


def test_the_radar_as_a_target_has_the_channels_of_a_target_all_its_doppler_valid(grids):
    occupied, power, doppler, _ = dense_radar(3)
    found = grids.input_as_target_batch([3, 4])
    assert found.shape == (2, 5, 8, 16, 8)
    np.testing.assert_allclose(found[0], [occupied, 0 * occupied, doppler, occupied, power], atol=1e-6)


def test_a_batch_belongs_to_its_caller(grids):
    dense = (grids.input_batch, grids.input_as_target_batch, grids.target_batch, grids.observed_batch)
    for batch in (*dense, grids.offsets_batch):
        kept = batch([0, 1]).copy()
        batch([0, 1])[:] = 7
        np.testing.assert_array_equal(batch([0, 1]), kept)


def test_offsets_lie_in_the_occupied_cells_of_the_target_in_the_order_z_y_x(grids):
    found = grids.offsets_batch([12, 3])
    assert found.shape == (2, 3, *artifacts.GRID.shape)
    for dense, frame in zip(found, (12, 3), strict=True):
        expected = np.zeros_like(dense)
        expected[(slice(None), *artifacts.target(frame).indices.T)] = artifacts.offsets(frame).T
        np.testing.assert_array_equal(dense, expected)


def test_points_are_kept_of_validation_and_test_frames_and_refused_of_others(grids):
    for frame in (7, 9, 10, 13):
        expected = artifacts.frame_cells(frame)
        np.testing.assert_array_equal(grids.points("input", frame), expected.input_points)
        np.testing.assert_array_equal(grids.points("target", frame), expected.target_points)
    for name, array in (("input", "radar"), ("target", "target")):
        kept = sum(len(grids.points(name, frame)) for frame in range(7, 14))
        assert arrays.Reader(grids.path, "grids").rows_of()[f"{array}_points"][0] == kept
        with pytest.raises(InputError, match=r"grids\.zarr: expected a validation or test frame, .* got 6$"):
            grids.points(name, 6)


def test_stretches_and_the_ground_come_back(tmp_path):
    with arrays.writing(tmp_path / "grids.zarr") as writer:
        written = GridsWriter(writer, artifacts.GRID, ENHANCE)
        for i, split in enumerate(("train", "val", "test")):
            plane = np.array([0.01 * i, -0.02, -4.0 - i])
            written.append(replace(artifacts.frame_cells(i), ground=plane), split, 7 - i)
        written.seal({}, artifacts.SCALING, "recorded", 0.3, None, {})
    found = Grids(tmp_path / "grids.zarr")
    assert found.stretches().tolist() == [7, 6, 5]
    assert [found.ground(i) for i in range(3)] == [(0.0, -0.02, -4.0), (0.01, -0.02, -5.0), (0.02, -0.02, -6.0)]
    assert found.ground_m == 0.3


def test_an_autoencoder_learns_from_unpaired_frames_too_and_nothing_else_does(tmp_path):
    splits = ("train", "unpaired", "val", "unpaired", "test")
    found = artifacts.write_grids(tmp_path / "grids.zarr", splits)
    assert found.targets().tolist() == [0, 1, 3]
    assert {split: found.frames(split).tolist() for split in ("train", "val", "test")} == {
        "train": [0],
        "val": [2],
        "test": [4],
    }
    assert found.occupied_share == len(artifacts.target(0).indices) / np.prod(artifacts.GRID.shape)
    with pytest.raises(InputError, match=r"expected a validation or test frame, .* got 1$"):
        found.points("target", 1)


def test_every_occupied_target_cell_is_observed(grids):
    for frame in range(len(grids)):
        assert grids.observed(frame)[tuple(grids.cells("target", frame).indices.T)].all()


@pytest.mark.parametrize("missing", ["train", "val", "test"])
def test_a_data_set_without_a_frame_in_a_split_is_refused_and_leaves_nothing(tmp_path, missing):
    splits = tuple(split for split in artifacts.SPLITS if split != missing)
    with pytest.raises(InputError, match=f"split: expected frames in every split, got none in {missing}"):
        artifacts.write_grids(tmp_path / "grids.zarr", splits)
    assert list(tmp_path.iterdir()) == []


def test_training_frames_without_a_target_cell_are_refused(tmp_path):
    empty = Cells(np.zeros((0, 3), np.uint8), np.zeros((0, 4), np.float32))

    def write():
        with arrays.writing(tmp_path / "grids.zarr") as writer:
            grids = GridsWriter(writer, artifacts.GRID, ENHANCE)
            for i, split in enumerate(("train", "val", "test")):
                whole = artifacts.frame_cells(i)
                frame = replace(whole, target=empty, offsets=whole.offsets[:0]) if split == "train" else whole
                grids.append(frame, split, 0)
            grids.seal({}, artifacts.SCALING, "recorded", 0.3, None, {})

    with pytest.raises(InputError, match="got none in any training frame"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_no_grids_are_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"grids\.zarr: expected a Zarr group of kind grids"):
        Grids(tmp_path / "grids.zarr")


@given(st.integers(1, 200), st.integers(1, 40))
def test_batches_hold_every_frame_once_and_none_is_alone(count, size):
    pieces = batches_of(np.arange(count), size)
    np.testing.assert_array_equal(np.concatenate(pieces), np.arange(count))
    assert all(len(piece) <= size + 1 for piece in pieces)
    if count > 1 and size > 1:
        assert min(map(len, pieces)) > 1
