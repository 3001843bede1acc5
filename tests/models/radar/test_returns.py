"""Returns drawn from cells: as many as in real ones, inside them, and what they measure averages to what these hold."""

from dataclasses import asdict, replace

import numpy as np
import pytest

import artifacts
import tracks
from echoes import params
from echoes.errors import InputError
from echoes.evaluation.bands import BANDS_M
from echoes.models.radar import clouds, returns, validation
from echoes.models.radar.returns import Returns
from echoes.models.radar.thresholds import Validation
from echoes.provenance import Header
from echoes.rasters import voxels
from echoes.rasters.cells import Cells
from echoes.seeds import rng
from echoes.tasks import RADAR, RADAR_FROM_LIDAR

THREE = Returns(0.5, ((0, 0, 7),) * len(BANDS_M))


def cloud_of(frame: int) -> clouds.Cloud:
    return clouds.from_cells(artifacts.radar(frame), RADAR, RADAR)


def drawn(settled: Returns, seed: int = 0) -> np.ndarray:
    return returns.drawn(cloud_of(30), settled, artifacts.GRID, rng(seed, "returns"))


def test_returns_average_to_the_power_the_doppler_and_its_variance_of_their_cells():
    expected = artifacts.radar(30)
    found = voxels.radar_cells(drawn(THREE), artifacts.GRID)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.features, expected.features, rtol=1e-4, atol=1e-4)
    alone = voxels.radar_cells(drawn(Returns(0.5, ((3,),) * 3)), artifacts.GRID)
    np.testing.assert_allclose(alone.features[:, :2], expected.features[:, :2], rtol=1e-5)
    assert not alone.features[:, 2].any()


def test_a_cell_has_as_many_returns_as_those_that_were_counted_in_its_range():
    assert len(drawn(THREE)) == 3 * len(artifacts.radar(30).indices)
    settled = Returns(0.5, ((1, 0, 1), (0, 1, 0), (0, 0, 0)))
    assert settled.below.tolist() == [[0.5, 0.5], [0.0, 1.0], [1 / 3, 2 / 3]]  # as everywhere, where nothing was seen
    of_cell = np.unique(artifacts.GRID.cells(drawn(settled))[0], axis=0, return_counts=True)[1]
    assert set(of_cell.tolist()) == {1, 3}


def test_returns_lie_anywhere_in_their_cell_and_are_others_for_another_seed():
    one, same, other = drawn(THREE), drawn(THREE), drawn(THREE, seed=1)
    np.testing.assert_array_equal(one, same)
    assert not np.isin(one[:, 0], other[:, 0]).any()
    cells, inside = artifacts.GRID.cells(one)
    assert inside.all()
    offsets = (one[:, :3] - artifacts.GRID.centres(cells)) / artifacts.GRID.widths[::-1]
    assert (np.abs(offsets).max(axis=0) > 0.4).all()


def test_the_returns_of_validation_frames_are_counted_cell_by_cell(lidar_track):
    cells = sum(len(artifacts.radar(frame).indices) for frame in (7, 8, 9))
    assert returns.counted(lidar_track.grids) == ((cells, *[0] * (returns.MOST - 1)), *[(0,) * returns.MOST] * 2)


def test_samples_have_as_many_cells_as_the_radar_and_the_stage_keeps_their_threshold(lidar_track):
    once = tracks.consistent(lidar_track)
    kept = validation.calibrate(
        lidar_track.model, lidar_track.cd_params.sigmas, once, lidar_track.grids, lidar_track.conditions
    )
    settled = params.build(Returns, kept["returns"], "returns")
    assert settled.counts == returns.counted(lidar_track.grids)
    choice, frames = Validation(lidar_track.vae, lidar_track.grids, lidar_track.conditions), np.array([7, 8, 9])
    cond = lidar_track.conditions(frames, np.zeros(3, bool))
    made = clouds.from_decoded(once(cond, frames.tolist()), settled.threshold, lidar_track.grids)
    wanted = sum(len(artifacts.radar(int(frame)).indices) for frame in frames)
    assert sum(len(cloud.indices) for cloud in made) == pytest.approx(wanted, abs=1)
    assert set(kept) == {"threshold", "second_sigma", "returns"}
    nothing = [replace(cloud, indices=cloud.indices[:0], features=cloud.features[:0]) for cloud in made]
    assert choice.as_many(lambda _: nothing) == 0.04


def test_what_travels_is_read_again_and_a_model_without_has_one_return_in_each_cell():
    told = Header("cd", {}, {}, {"returns": asdict(tracks.RETURNS)})
    assert returns.stored(told, 0.3) == tracks.RETURNS
    assert returns.stored(replace(told, content={}), 0.3) == Returns(0.3, ((1,),) * 3)
    with pytest.raises(InputError, match=r"^cd: returns\.threshold: expected more than 0 and less than 1, got 1"):
        returns.stored(replace(told, content={"returns": {**asdict(THREE), "threshold": 1.0}}), 0.3)


@pytest.mark.parametrize("counts", [((1,),) * 2, ((1,), (1, 2), (1,)), ((0,),) * 3, ((),) * 3, ((-1, 1),) * 3])
def test_counts_of_nothing_are_refused(counts):
    with pytest.raises(InputError, match=r"^counts: expected "):
        Returns(0.5, counts)


def test_a_cloud_without_a_variance_has_returns_of_one_doppler():
    cells = Cells(artifacts.radar(1).indices, artifacts.radar(1).features[:, :2])
    cloud = clouds.from_cells(cells, RADAR[:3], RADAR[:3])
    found = returns.drawn(cloud, THREE, artifacts.GRID, rng(0, "returns"))
    np.testing.assert_array_equal(found[:, 3], np.repeat(cells.features[:, 1], 3))
    assert RADAR_FROM_LIDAR.makes_radar
