"""Means over frames and their intervals."""

import json

import numpy as np
import pytest
from scipy import stats

from echoes import metrics, seeds
from echoes.evaluation import blocks, bootstrap
from echoes.evaluation.cells import Cells, Target
from echoes.evaluation.clouds import evaluate_frame
from echoes.evaluation.points import evaluate_points
from echoes.grids import Grid, Range

GRID = Grid.of(z=Range(-2.0, 2.0, 4), y=Range(-24.0, 24.0, 48), x=Range(0.0, 32.0, 32))


def frame(count: int, number: int, valid: bool = True) -> dict[str, float]:
    """Metrics of `count` predicted cells against 300 true ones, none of them beyond 40 m."""
    rng, shift = seeds.rng(0, "frame", number), np.array([0, 9, 0])
    flat = rng.choice(4 * 30 * 32, 300, replace=False), rng.choice(4 * 30 * 32, count, replace=False)
    truth, predicted = (
        Cells(np.stack(np.unravel_index(f, (4, 30, 32)), axis=1) + shift, np.ones(len(f)), np.ones(len(f)))
        for f in flat
    )
    return evaluate_frame(predicted, Target(truth, np.full(300, valid), np.ones(GRID.shape, dtype=bool)), GRID)


def test_means_are_over_frames():
    frames = [frame(count, i) for i, count in enumerate((100, 300, 500))]
    summary = bootstrap.summarise(frames, np.arange(len(frames)), seed=0, resamples=100)
    assert summary["count_ratio"] == pytest.approx((1 / 3 + 1 + 5 / 3) / 3)
    assert summary["chamfer_m"] == pytest.approx(np.mean([f["chamfer_m"] for f in frames]))


def test_frames_without_a_value_are_left_out_of_its_mean_and_counted():
    frames = [frame(300, 0), frame(300, 1, valid=False), frame(0, 2)]
    summary = bootstrap.summarise(frames, np.arange(len(frames)), seed=0, resamples=100)
    assert summary["doppler_mae_mps"] == 0.0
    assert summary["frames_doppler"] == 1
    assert summary["empty_frames"] == 1
    assert summary["frames_0-20m"] == 3
    assert "empty" not in summary


def test_empty_predictions_stay_in_the_mean():
    frames = [frame(300, 0), frame(0, 1)]
    summary = bootstrap.summarise(frames, np.arange(len(frames)), seed=0, resamples=100)
    assert summary["chamfer_m"] == pytest.approx((frames[0]["chamfer_m"] + GRID.diagonal_m) / 2)


def test_what_no_frame_has_is_none_and_everything_can_be_written(tmp_path):
    summary = bootstrap.summarise([frame(300, i, valid=False) for i in range(3)], np.arange(3), seed=0, resamples=100)
    assert summary["doppler_mae_mps"] is None
    assert summary["chamfer_m_40+m"] is summary["chamfer_m_40+m_lo"] is summary["chamfer_m_40+m_hi"] is None
    assert summary["frames_40+m"] == 0
    metrics.write(tmp_path / "evaluate.json", {"radar": summary})
    assert json.loads((tmp_path / "evaluate.json").read_text())["radar"]["iou_3d"] == pytest.approx(
        summary["iou_3d"], rel=1e-5
    )


def test_every_main_key_has_an_interval_around_its_mean():
    summary = bootstrap.summarise([frame(50 * i, i) for i in range(1, 9)], np.arange(8), seed=0, resamples=500)
    for key in bootstrap.WITH_INTERVAL:
        if summary[key] is not None:
            assert summary[f"{key}_lo"] <= summary[key] <= summary[f"{key}_hi"], key
    assert summary["chamfer_m_lo"] < summary["chamfer_m_hi"]


def test_keys_are_the_same_whatever_the_frames_hold():
    full, poor = ([frame(300, 0), frame(200, 1)], [frame(0, 0, valid=False)])
    first, second = (list(bootstrap.summarise(f, np.arange(len(f)), seed=0, resamples=50)) for f in (full, poor))
    assert first == second


def test_the_interval_agrees_with_scipy():
    values = seeds.rng(0, "values").gamma(2.0, size=60)
    lo, hi = bootstrap.interval(values, seed=3, resamples=20_000)
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=seeds.rng(0, "scipy"))
    width = expected.confidence_interval.high - expected.confidence_interval.low
    assert lo == pytest.approx(expected.confidence_interval.low, abs=0.03 * width)
    assert hi == pytest.approx(expected.confidence_interval.high, abs=0.03 * width)


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide_on_each_side():
    values = seeds.rng(0, "normal").normal(size=400)
    lo, hi = bootstrap.interval(values, seed=0, resamples=4000)
    assert (hi - lo) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.05)


def test_intervals_repeat_and_follow_the_seed():
    values = seeds.rng(0, "values").normal(size=20)
    assert (
        bootstrap.interval(values, 1, 200) == bootstrap.interval(values, 1, 200) != bootstrap.interval(values, 2, 200)
    )


def test_one_value_is_its_own_interval():
    assert bootstrap.interval(np.array([2.5]), 0, 50) == (2.5, 2.5)


def test_intervals_resample_stretches_so_that_frames_of_one_stretch_tell_no_more_than_one_frame():
    frames = [frame(100 + 40 * (i // 4), i // 4) for i in range(12)]  # three stretches of four equal frames
    once = bootstrap.summarise(frames[::4], np.arange(3), seed=0, resamples=300)
    found = bootstrap.summarise(frames, np.repeat([5, 2, 9], 4), seed=0, resamples=300)
    alone = bootstrap.summarise(frames, np.arange(12), seed=0, resamples=300)
    for key in ("chamfer_m", "f1@1.0m"):
        assert found[key] == pytest.approx(once[key])
        ends = [(s[f"{key}_lo"], s[f"{key}_hi"]) for s in (found, alone)]
        assert ends[0][1] - ends[0][0] > 1.5 * (ends[1][1] - ends[1][0])
        values = np.array([f[key] for f in frames])
        assert ends[0] == blocks.block_interval(values, np.repeat([5, 2, 9], 4), 0, 300)


def points_frame(shift: float, number: int) -> dict[str, float]:
    """Numbers of 50 points that are `shift` metres above the true ones."""
    true = seeds.rng(0, "points", number).uniform((3, -20, 0), (30, 20, 2), (50, 3))
    return evaluate_points(true + np.array([0, 0, shift]), true, GRID.diagonal_m)


def test_points_stand_beside_their_ratio_to_the_radars():
    radar = [points_frame(0.2, i) for i in range(6)]
    better = [points_frame(0.05, i) for i in range(6)]
    found = bootstrap.summarise_points(better, radar, np.arange(6) // 2, seed=0, resamples=100)
    assert all(key.startswith("points_") for key in found)
    assert found["points_chamfer_m"] == pytest.approx(0.05)
    assert found["points_chamfer_ratio"] == pytest.approx(0.25)
    assert found["points_chamfer_ratio_lo"] == pytest.approx(0.25) == found["points_chamfer_ratio_hi"]
    assert (found["points_f1@1.0m"], found["points_f1_ratio"]) == (1.0, 1.0)
    assert found["points_empty_frames"] == 0
    assert {"points_to_target_m_lo", "points_from_target_m_hi", "points_precision@1.0m_lo"} <= set(found)
    itself = bootstrap.summarise_points(radar, radar, np.arange(6), seed=0, resamples=100)
    ends = ("points_chamfer_ratio", "points_chamfer_ratio_lo", "points_chamfer_ratio_hi", "points_f1_ratio")
    assert [itself[key] for key in ends] == [1.0] * 4


def test_a_ratio_to_a_radar_that_is_never_wrong_is_none():
    perfect, other = [points_frame(0.0, 0)], [points_frame(0.1, 0)]
    found = bootstrap.summarise_points(other, perfect, np.zeros(1, int), seed=0, resamples=10)
    assert found["points_chamfer_ratio"] is found["points_chamfer_ratio_lo"] is None
    assert found["points_f1_ratio"] == 1.0


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match="at least one frame"):
        bootstrap.summarise([], np.arange(0), seed=0, resamples=10)
