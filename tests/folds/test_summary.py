"""Numbers over all folds, in closed form."""

import json

import numpy as np
import pytest

from echoes import metrics
from echoes.evaluation.blocks import block_interval
from echoes.folds.summary import Measured, summarise

LONG, SHORT = 1.0, 4.0  # m, Chamfer distance of the radar in the frames of a long and of a short stretch
STRETCHES = [(0, "s0", 6, LONG), (1, "s1", 2, SHORT), (1, "s2", 1, SHORT), (1, "s3", 1, SHORT)]  # fold, name, frames


def rows(scale: dict[int, float], method: str = "ldm", protocol: str = "points", f1: float = 0.5) -> list[Measured]:
    """Rows of a method that is `scale` times as far off as the radar in each fold."""
    return [
        Measured(fold, f"{name}/{i}", name, protocol, method, {"chamfer_m": scale[fold] * far, "f1@1.0m": f1})
        for fold, name, frames, far in STRETCHES
        for i in range(frames)
    ]


RADAR = rows({0: 1.0, 1: 1.0}, "radar", f1=0.25)


def test_means_are_over_the_frames_of_all_folds_and_over_folds():
    found = summarise(RADAR, 0, 100)
    assert (found["folds"], found["stretches"], found["frames"]) == (2, 4, 10)
    radar = found["radar"]
    assert radar["points_chamfer_m"] == pytest.approx((6 * LONG + 4 * SHORT) / 10)
    assert (radar["points_chamfer_m_fold_0"], radar["points_chamfer_m_fold_1"]) == (LONG, SHORT)
    assert radar["points_chamfer_m_mean_of_folds"] == (LONG + SHORT) / 2
    assert radar["points_f1@1.0m"] == 0.25
    assert radar["points_precision@1.0m"] is radar["chamfer_m"] is radar["chamfer_ratio"] is None


def test_means_have_intervals_over_stretches():
    values = [LONG] * 6 + [SHORT] * 4
    ends = block_interval(np.array(values), np.repeat([0, 1, 2, 3], [6, 2, 1, 1]), 5, 300)
    radar = summarise(RADAR, 5, 300)["radar"]
    assert (radar["points_chamfer_m_lo"], radar["points_chamfer_m_hi"]) == ends
    assert ends[0] < radar["points_chamfer_m"] < ends[1]


def test_a_method_that_is_everywhere_so_many_times_as_good_has_that_ratio_for_certain():
    found = summarise(RADAR + rows({0: 0.5, 1: 0.5}), 0, 100)
    assert [found["ldm"][f"points_chamfer_ratio{end}"] for end in ("", "_lo", "_hi")] == pytest.approx([0.5] * 3)
    assert [found["ldm"][f"points_f1_ratio{end}"] for end in ("", "_lo", "_hi")] == pytest.approx([2.0] * 3)
    assert [found["radar"][f"points_chamfer_ratio{end}"] for end in ("", "_lo", "_hi")] == [1.0] * 3
    assert (found["ldm"]["points_worse_than_radar"], found["radar"]["points_worse_than_radar"]) == (0, 0)


def test_a_track_that_is_given_a_lidar_is_compared_with_it():
    found = summarise(rows({0: 1.0, 1: 1.0}, "lidar") + rows({0: 0.5, 1: 2.0}), 0, 100)["ldm"]
    assert (found["points_worse_than_lidar"], "points_worse_than_radar" in found) == (1, False)
    assert found["points_chamfer_ratio"] == pytest.approx((6 * 0.5 * LONG + 4 * 2 * SHORT) / (6 * LONG + 4 * SHORT))


def test_a_ratio_is_of_the_means_over_all_frames_and_its_interval_spans_the_folds():
    found = summarise(RADAR + rows({0: 0.5, 1: 2.0}), 0, 1000)["ldm"]
    assert found["points_chamfer_ratio"] == pytest.approx((6 * 0.5 * LONG + 4 * 2 * SHORT) / (6 * LONG + 4 * SHORT))
    assert 0.5 < found["points_chamfer_ratio_lo"] < found["points_chamfer_ratio"]
    assert found["points_chamfer_ratio_hi"] == pytest.approx(2.0)  # only the second fold: a third of the resamples
    assert found["points_worse_than_radar"] == 1


def test_protocols_are_counted_apart():
    found = summarise(RADAR + rows({0: 1.0, 1: 1.0}, "radar", "cells") + rows({0: 3.0, 1: 3.0}, "ldm", "cells"), 0, 100)
    assert found["ldm"]["chamfer_ratio"] == pytest.approx(3.0)
    assert (found["ldm"]["worse_than_radar"], found["ldm"]["points_worse_than_radar"]) == (2, 0)
    assert found["ldm"]["points_chamfer_m"] is found["ldm"]["points_chamfer_ratio"] is None
    assert found["frames"] == 10


def test_frames_without_a_value_are_left_out_of_a_mean_and_of_both_sides_of_a_ratio():
    ldm = [row for row in rows({0: 0.5, 1: 2.0}) if row.stretch != "s0"]
    ldm += [Measured(0, f"s0/{i}", "s0", "points", "ldm", {"f1@1.0m": 0.5}) for i in range(6)]
    found = summarise(RADAR + ldm, 0, 100)["ldm"]
    assert found["points_chamfer_m"] == found["points_chamfer_m_mean_of_folds"] == 2 * SHORT
    assert found["points_chamfer_m_fold_0"] is None
    assert found["points_chamfer_ratio"] == pytest.approx(2.0)
    assert found["points_f1_ratio"] == pytest.approx(2.0)
    assert found["points_worse_than_radar"] == 1


def test_a_radar_that_finds_nothing_has_no_ratio_and_everything_can_be_written(tmp_path):
    blind = rows({0: 1.0, 1: 1.0}, "radar", f1=0.0)
    found = summarise(blind + rows({0: 1.0, 1: 1.0}), 0, 100)
    assert found["ldm"]["points_f1_ratio"] is found["ldm"]["points_f1_ratio_lo"] is None
    metrics.write(tmp_path / "folds.json", found)
    assert json.loads((tmp_path / "folds.json").read_text())["ldm"]["points_f1@1.0m"] == 0.5


def test_the_same_stretch_and_frame_of_two_folds_are_two():
    found = summarise([Measured(fold, "7", "0", "points", "radar", {"chamfer_m": 1.0}) for fold in (0, 1)], 0, 100)
    assert (found["frames"], found["stretches"]) == (2, 2)
