"""Decoded grids become the cells above the threshold, in the units that scaling came from."""

import numpy as np
import pytest
import torch

import artifacts
from echoes.models.radar import clouds
from echoes.rasters.cells import Cells
from echoes.tasks import LIDAR, LIDAR_AND_RADAR, RADAR, RADAR_FROM_LIDAR


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    return artifacts.write_grids(tmp_path_factory.mktemp("data") / "grids.zarr")


def sure(dense, masks=(0, 3)):
    """What a decoder would say that knows a target: logits of 20 and -20 for its masks."""
    said = torch.from_numpy(dense.copy())
    said[:, masks] = 40 * said[:, masks] - 20
    return said


def test_decoding_undoes_the_scaling_of_a_target(grids):
    found = clouds.from_decoded(sure(grids.target_batch([2, 5])), 0.5, grids)
    for cloud, frame in zip(found, (2, 5), strict=True):
        target = artifacts.target(frame)
        np.testing.assert_array_equal(cloud.indices, target.indices)
        reflectivity, doppler, valid, power = target.features.T
        np.testing.assert_allclose(cloud.features[:, 0], 1.0, atol=1e-6)
        np.testing.assert_allclose(cloud.features[:, 1], reflectivity, atol=1e-6)
        np.testing.assert_allclose(cloud.features[valid > 0, 2], doppler[valid > 0], atol=1e-5)
        np.testing.assert_allclose(cloud.features[valid > 0, 3], power[valid > 0], atol=1e-4)


def test_a_cell_is_taken_from_the_threshold_on(grids):
    decoded = torch.zeros(1, 5, 1, 1, 3)
    decoded[0, 0, 0, 0] = torch.tensor([0.4, 0.5, 0.6]).logit()
    for threshold, taken in ((0.399, 3), (0.45, 2), (0.55, 1), (0.65, 0)):
        (cloud,) = clouds.from_decoded(decoded, threshold, grids)
        assert len(cloud.indices) == taken
        assert cloud.features.shape == (taken, 4)
    (cloud,) = clouds.from_decoded(torch.zeros(1, 5, 1, 1, 3), 0.5, grids)
    assert len(cloud.indices) == 3
    np.testing.assert_allclose(cloud.features[:, 0], 0.5)


def test_a_higher_threshold_gives_a_part_of_the_cloud(grids):
    torch.manual_seed(0)
    decoded = torch.randn(2, 5, 4, 8, 8)
    many, few = (clouds.from_decoded(decoded, threshold, grids) for threshold in (0.3, 0.7))
    for low, high in zip(many, few, strict=True):
        kept = low.features[:, 0] >= 0.7
        np.testing.assert_array_equal(low.indices[kept], high.indices)
        np.testing.assert_array_equal(low.features[kept], high.features)


def test_frames_keep_their_order_and_an_empty_one_stays_empty(grids):
    decoded = torch.full((3, 5, 4, 8, 8), -9.0)
    decoded[2, 0, 1, 2, 3] = 9.0
    found = clouds.from_decoded(decoded, 0.5, grids)
    assert [len(cloud.indices) for cloud in found] == [0, 0, 1]
    assert found[2].indices.tolist() == [[1, 2, 3]]


def test_reflectivity_stays_within_its_range(grids):
    decoded = torch.full((1, 5, 1, 1, 2), 9.0)
    decoded[0, 1, 0, 0] = torch.tensor([-5.0, 5.0])
    assert clouds.from_decoded(decoded, 0.5, grids)[0].features[:, 1].tolist() == [0.0, 1.0]


def test_measured_cells_are_certain_and_keep_what_they_measured():
    indices = np.array([[1, 2, 3]], np.uint8)
    radar = clouds.from_cells(Cells(indices, np.array([[61.0, -4.0, 0.5]], np.float32)), RADAR, LIDAR_AND_RADAR)
    assert radar.features.tolist() == [[1.0, 0.0, -4.0, 61.0]]
    measured = np.array([[0.25, 3.0, 1.0, 70.0]], np.float32)
    target = clouds.from_cells(Cells(indices, measured), LIDAR_AND_RADAR, LIDAR_AND_RADAR)
    assert target.features.tolist() == [[1.0, 0.25, 3.0, 70.0]]
    assert radar.indices.tolist() == target.indices.tolist() == [[1, 2, 3]]
    predicted = target.predicted()
    assert (predicted.doppler_mps.tolist(), predicted.power_db.tolist()) == ([3.0], [70.0])


def test_a_target_says_where_its_doppler_is_known_and_what_was_observed(grids):
    found, expected = clouds.target(grids, 3), artifacts.target(3)
    np.testing.assert_array_equal(found.cells.indices, expected.indices)
    np.testing.assert_array_equal(found.doppler_valid, expected.features[:, 2] > 0)
    np.testing.assert_array_equal(found.cells.doppler_mps, expected.features[:, 1])
    np.testing.assert_array_equal(found.cells.power_db, expected.features[:, 3])
    np.testing.assert_array_equal(found.observed, artifacts.observed(3))


def test_a_cloud_of_a_radar_has_the_columns_of_a_radar_and_its_doppler_is_known_everywhere(tmp_path):
    grids = artifacts.write_grids(tmp_path / "grids.zarr", task=RADAR_FROM_LIDAR)
    (cloud,) = clouds.from_decoded(sure(grids.target_batch([2]), masks=[0]), 0.5, grids)
    assert cloud.columns == ("probability", "power", "doppler", "doppler_variance")
    measured = artifacts.radar(2).features
    np.testing.assert_allclose(cloud.features[:, 1:], measured, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(cloud.predicted().power_db, cloud.column("power"))
    assert cloud.column("reflectivity") is None
    assert clouds.target(grids, 2).doppler_valid.all()
    given = clouds.from_cells(grids.cells("input", 2), LIDAR, RADAR)
    assert given.columns == cloud.columns
    assert not given.features[:, 1:].any()
