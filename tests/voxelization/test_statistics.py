"""What voxelize counts: every listed frame once, and means over the frames that were kept."""

import logging
from dataclasses import replace

import numpy as np
import pytest

import artifacts
from echoes.rasters.cells import Cells
from echoes.rasters.sweeps import Sweeps
from echoes.tasks import ENHANCE, aged
from echoes.voxelization.pairs import Pair
from echoes.voxelization.statistics import Statistics


def pair(i, velocity=(3.0, 4.0, 0.0), target=None):
    cells = replace(artifacts.frame_cells(i), target=target or artifacts.target(i))
    return Pair(cells, np.array(velocity), 50 + i, 1 + i % 2)


def test_frames_are_counted_by_what_became_of_them(caplog):
    statistics = Statistics(ENHANCE, listed=9, refused=2, purged=1, clock_jumps=3, swept=None)
    for i, split in enumerate(["train", "train", "test", "val", None, None]):
        statistics.take(None if split is None else pair(i), split or "train")
    with caplog.at_level(logging.INFO):
        found = statistics.summary()
    counts = {key: value for key, value in found.items() if not key.startswith("mean_")}
    assert counts == {
        "clock_jumps": 3,
        "frames_listed": 9,
        "frames_refused": 2,
        "frames_purged": 1,
        "frames_empty": 2,
        "frames_train": 2,
        "frames_val": 1,
        "frames_test": 1,
    }
    assert caplog.messages == ["voxelize: 2 frames without points skipped"]


def test_means_are_over_frames():
    statistics = Statistics(ENHANCE, listed=2, refused=0, purged=0, clock_jumps=0, swept=None)
    statistics.take(pair(0), "train")
    statistics.take(pair(4), "test")
    found = statistics.summary()
    radar = artifacts.radar(0), artifacts.radar(4)
    assert found["mean_points"] == 52
    assert found["mean_speed_mps"] == pytest.approx(5.0)
    assert found["mean_radar_cells"] == 22
    assert found["mean_target_cells"] == 40
    assert found["mean_power_db"] == pytest.approx(np.mean([cells.features[:, 0].mean() for cells in radar]))
    assert found["mean_observed_share"] == pytest.approx(np.mean([artifacts.observed(i).mean() for i in (0, 4)]))
    still = [(np.abs(cells.features[:, 1]) < 0.5).mean() for cells in radar]
    assert found["mean_still_share"] == pytest.approx(np.mean(still))
    valid = [artifacts.target(i).features[:, 2].mean() for i in (0, 4)]
    assert found["mean_doppler_valid_share"] == pytest.approx(np.mean(valid))


def test_a_frame_whose_target_is_empty_counts_with_zeros():
    statistics = Statistics(ENHANCE, listed=1, refused=0, purged=0, clock_jumps=0, swept=None)
    statistics.take(pair(0, target=Cells(np.zeros((0, 3), np.uint8), np.zeros((0, 4), np.float32))), "train")
    found = statistics.summary()
    assert (found["mean_target_cells"], found["mean_doppler_valid_share"]) == (0, 0)
    assert all(np.isfinite(value) for value in found.values())


def test_a_track_that_does_not_know_its_speed_reports_none_instead_of_standing_still():
    statistics = Statistics(ENHANCE, listed=1, refused=0, purged=0, clock_jumps=0, swept=None)
    statistics.take(pair(0, velocity=(np.nan,) * 3), "train")
    assert "mean_speed_mps" not in statistics.summary()


def test_frames_with_fewer_sweeps_than_asked_for_are_counted_and_told(caplog):
    statistics = Statistics(aged(ENHANCE), listed=3, refused=0, purged=0, clock_jumps=0, swept=Sweeps(2, 0.5))
    for i in range(3):
        given = pair(i)
        cells = replace(given.cells, input=with_age(given.cells.input))
        statistics.take(replace(given, cells=cells), "train")
    with caplog.at_level(logging.INFO):
        found = statistics.summary()
    assert found["frames_short_of_sweeps"] == 2
    assert found["mean_sweeps"] == pytest.approx(4 / 3)
    assert caplog.messages[-1].startswith("voxelize: 2 of 3 frames have fewer than 2 sweeps: ")


def with_age(cells):
    return replace(cells, features=np.column_stack([cells.features, np.zeros(len(cells.features))]))
