"""Generated radar frames against real ones: hits and static points by hand, sets as far as they were moved."""

import math

import numpy as np
import pytest

from echoes import seeds
from echoes.evaluation.radar_frames import KEYS, against, compared, paired, static_doppler_mps
from echoes.grids import Grid, Range

GRID = Grid.of(z=Range(0.0, 4.0, 4), y=Range(-8.0, 8.0, 16), x=Range(0.0, 16.0, 16))
UNKNOWN = np.float32([0, 0, 0, np.nan, np.nan])
NOTHING = np.zeros((0, 5), np.float32)


def frames(purpose: str, count: int = 16) -> list[np.ndarray]:
    rng = seeds.rng(0, purpose)
    low, high = [2, -6, 0, -5, 40], [12, 6, 4, 5, 90]
    return [rng.uniform(low, high, (30 + i, 5)).astype(np.float32) for i in range(count)]


def test_a_point_is_a_hit_where_a_real_one_is_near_as_strong_and_as_fast():
    real = np.float32([[5, 0, 1, 0, 60], [9, 0, 1, 4, 80]])
    made = np.float32(
        [
            [5.9, 0, 1, 2.4, 67.9],  # a hit
            [5.0, 0, 1, 0.0, 68.0],  # too strong
            [5.0, 0, 1, 2.5, 60.0],  # too fast
            [6.5, 0, 1, 0.0, 60.0],  # too far
            [9.0, 0, 1, 1.6, 72.1],  # a hit
        ]
    )
    found = paired(made, real)
    assert (found["hit_precision"], found["hit_recall"], found["hit_given_near"]) == (0.4, 1.0, 0.5)
    assert found["hit_f1"] == pytest.approx(4 / 7)
    assert paired(made[1:4], real)["hit_recall"] == 0
    assert paired(real, real)["hit_f1"] == paired(real, real)["hit_given_near"] == 1
    unmeasured = paired(real[:, :5] + UNKNOWN, real)
    assert (unmeasured["hit_f1"], unmeasured["hit_given_near"]) == (0, 0)


def test_empty_frames_agree_with_each_other_alone():
    some = frames("some")[0]
    for made, real, expected in ((NOTHING, NOTHING, 1), (some, NOTHING, 0), (NOTHING, some, 0)):
        found = paired(made, real)
        assert found["hit_precision"] == found["hit_recall"] == found["hit_f1"] == expected
        assert math.isnan(found["hit_given_near"])


def test_points_in_static_cells_tell_their_median_doppler():
    real = np.float32([[5.2, 0.5, 1.5, 0.3, 60], [5.7, 0.5, 1.5, -0.1, 60], [9.5, 0.5, 1.5, 3, 60]])
    made = np.float32([[5.5, 0.1, 1.1, -2, 60], [5.5, 0.2, 1.1, 1, 60], [9.5, 0.5, 1.5, 7, 60], [1.5, 0.5, 1.5, 9, 60]])
    assert static_doppler_mps(made, real, GRID) == pytest.approx(1.5)
    assert math.isnan(static_doppler_mps(made[2:], real, GRID))
    assert math.isnan(static_doppler_mps(made, NOTHING, GRID))


def test_a_set_is_as_far_from_itself_as_it_was_moved():
    real = frames("real")
    assert [compared(real, real, GRID)[key] for key in KEYS] == pytest.approx([0] * len(KEYS), abs=1e-6)
    moved = compared(real, [points + np.float32([2, 0, 0, 1, -3]) for points in real], GRID)
    assert moved["location_w1_m"] == pytest.approx(1.0, abs=1e-4)
    assert moved["doppler_w1_mps"] == pytest.approx(1.0, abs=1e-4)
    assert moved["power_w1_db"] == pytest.approx(3.0, abs=1e-4)
    assert (moved["doppler_jsd"] > 0.01, moved["points_jsd_bev"] > 0.1, moved["points_w1"]) == (True, True, 0)
    assert compared(real, [points[:-2] for points in real], GRID)["points_w1"] == pytest.approx(2)


def test_what_was_not_measured_has_no_distance_and_neither_have_few_frames():
    real, stretches = frames("real"), np.arange(16)
    found = compared(real, [points + UNKNOWN for points in real], GRID)
    assert (found["doppler_jsd"], found["power_w1_db"], found["location_w1_m"]) == (None, None, 0)
    assert compared(real, [NOTHING] * 16, GRID)["points_jsd_bev"] is None
    assert set(against(real[:9], real[:9], stretches[:9], GRID, 0).values()) == {None}
    floor = against(real, real, stretches, GRID, 0)
    apart = against(real, [points + np.float32([0, 0, 0, 4, 0]) for points in real], stretches, GRID, 0)
    assert 0 < floor["doppler_w1_mps"] < 1 < apart["doppler_w1_mps"]
    assert floor["power_w1_db"] == apart["power_w1_db"]
