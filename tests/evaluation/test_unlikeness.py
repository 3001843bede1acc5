"""Unlike the training: what is the same is not told, what differs is told by name, in numbers by hand."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import params, seeds
from echoes.errors import InputError
from echoes.evaluation.unlikeness import NORMAL, SCALARS, Seen, fit, summary

NAMES = tuple(SCALARS)


def frame(*purpose: str | int) -> np.ndarray:
    """A street: a few hundred points, static ones receding as the car drives, 60 dB and less with range."""
    rng = seeds.rng(0, "unlike", *purpose)
    count = int(rng.lognormal(np.log(300), 0.2))
    range_m, azimuth_rad = rng.gamma(3.0, 7.0, count), rng.normal(0, 0.5, count)
    doppler_mps = -rng.uniform(6, 12) * np.cos(azimuth_rad) + rng.normal(0, 0.3, count)
    power_db = 60 + rng.normal(0, 2) - 0.3 * range_m + rng.normal(0, 6, count)
    x, y = range_m * np.cos(azimuth_rad), range_m * np.sin(azimuth_rad)
    return np.stack([x, y, rng.normal(0.5, 0.7, count), doppler_mps, power_db], axis=1).astype(np.float32)


def recording(name: str, count: int = 20) -> list[np.ndarray]:
    return [frame(name, i) for i in range(count)]


def summaries(frames: list[np.ndarray]) -> np.ndarray:
    return np.stack([summary(points) for points in frames])


@pytest.fixture(scope="module")
def seen() -> Seen:
    return fit(summaries(recording("training", 400)))


def quantities(lines: list[str]) -> set[str]:
    return {line.split(":")[0] for line in lines}


@pytest.mark.parametrize("number", range(10))
def test_a_recording_like_the_training_is_not_told(seen, number):
    assert seen.tell(summaries(recording(f"alike {number}"))) == []


def test_about_one_frame_in_a_hundred_is_unlike_in_a_scalar(seen):
    unlike = seen.unlike(summaries(recording("frames", 300)))
    assert unlike.mean(axis=0).max() < 0.04


def test_another_power_is_told_in_its_unit_and_nothing_else_is(seen):
    table = summaries([points + np.array([0, 0, 0, 0, 30], np.float32) for points in recording("loud")])
    here_db, words = np.median(table, axis=0), {1: "lower tenth", 2: "median", 3: "upper tenth"}
    away = {k: (here_db[k] - seen.median[k]) / seen.deviation[k] for k in words}
    k = max(away, key=away.__getitem__)
    compared = f"{words[k]} {here_db[k]:.1f} dB, {seen.median[k]:.1f} dB in training"
    assert seen.tell(table) == [f"power: {compared}: {away[k]:.0f} deviations"]
    assert here_db[k] - seen.median[k] == pytest.approx(30, abs=3)


def test_a_tenth_of_the_points_is_told_as_points(seen):
    (line,) = seen.tell(summaries([points[::10] for points in recording("thin")]))
    assert line.startswith("points: median 3")
    assert f", {10 ** seen.median[0]:.0f} a frame in training: " in line


@pytest.mark.parametrize("factor", [3.6, -1.0])
def test_doppler_in_another_unit_or_of_the_other_sign_is_told(seen, factor):
    frames = recording("doppler")
    for points in frames:
        points[:, 3] *= factor
    lines = seen.tell(summaries(frames))
    assert quantities(lines) == {"Doppler"}
    assert "m/s in training" in lines[0]


def test_points_all_near_are_told_as_range_and_as_shares(seen):
    near = [points[np.hypot(*points[:, :2].T) < 10] for points in recording("near")]
    assert {"range", "share of points"} <= quantities(seen.tell(summaries(near)))


def test_axes_in_another_order_are_told_as_height(seen):
    turned = [points[:, [0, 2, 1, 3, 4]] for points in recording("axes")]
    assert "height" in quantities(seen.tell(summaries(turned)))


def test_a_line_is_the_one_by_hand():
    median, deviation, limit = (np.full(len(NAMES), value) for value in (0.0, 1.0, 3.0))
    median[[0, 2]], deviation[2] = [2.0, 71.0], 4.0
    known = Seen(NAMES, *(tuple(map(float, values)) for values in (median, deviation, limit)))
    frames = np.tile(median, (3, 1))
    assert known.tell(frames) == []
    frames[:, 2] = [11.0, 12.3, 90.0]
    frames[:, 1] = 9.0  # nine deviations in the lower tenth of the power: fewer
    frames[:, NAMES.index("share_0-20m")] = -3.1
    assert known.tell(frames) == [
        "power: median 12.3 dB, 71.0 dB in training: 15 deviations",
        "share of points: in 0-20m -3.10, 0.00 in training: 3 deviations",
    ]
    frames[:, 0] = 22.0
    assert known.tell(frames)[0] == f"points: median {10**22} a frame, 100 a frame in training: 20 deviations"


def test_the_summary_of_a_few_points_is_the_one_by_hand():
    points = np.array([[3, 4, 0, -2, 50], [30, 0, 1, 0, 60], [0, 50, 2, 2, 70]], np.float32)
    values = dict(zip(NAMES, summary(points), strict=True))
    assert values["points_log10"] == pytest.approx(np.log10(3))
    assert [values[f"power_db_q{q}"] for q in (10, 50, 90)] == pytest.approx([52, 60, 68])
    assert [values[f"range_m_q{q}"] for q in (10, 50, 90)] == pytest.approx([10, 30, 46])
    assert [values[f"height_m_q{q}"] for q in (10, 50, 90)] == pytest.approx([0.2, 1, 1.8])
    assert [values[f"share_{band}"] for band in ("0-20m", "20-40m", "40+m")] == pytest.approx([1 / 3] * 3)
    assert values["doppler_median_mps"] == 0
    assert values["doppler_spread_mps"] == pytest.approx(3.2)


def test_median_deviation_and_limit_are_those_by_hand():
    frames = np.zeros((101, len(NAMES)))
    frames[:, 1] = np.arange(101)  # power: median 50, absolute deviations 0..50, their median 25
    frames[:, 2] = [0.0] * 95 + [74.0] * 6  # constant but for a few: the least deviation counts
    known = fit(frames)
    assert (known.median[1], known.deviation[1]) == (50.0, pytest.approx(NORMAL * 25))
    assert known.limit[1] == 3.0
    assert (known.median[2], known.deviation[2]) == (0.0, 0.2)
    assert known.limit[2] == pytest.approx(74 / 0.2)
    assert known.score(frames)[100, 1] == pytest.approx(50 / (NORMAL * 25))
    assert known.score(frames)[0, 1] == -known.score(frames)[100, 1]


def test_a_few_broken_training_frames_do_not_hide_what_differs(seen):
    frames = recording("training", 400)
    broken = [points * np.array([1, 1, 1, 100, 100], np.float32) for points in frames[:3]]
    tougher = fit(summaries(broken + frames[3:]))
    louder = [points + np.array([0, 0, 0, 0, 30], np.float32) for points in recording("loud")]
    assert quantities(tougher.tell(summaries(louder))) == {"power"}


def test_frames_without_points_are_few_points_and_nothing_else(seen):
    nothing = summary(np.zeros((0, 5), np.float32))
    assert np.isnan(nothing[1:]).all()
    assert quantities(seen.tell(np.stack([nothing] * 3))) == {"points"}
    some = np.concatenate([summaries(recording("alike 0")), nothing[None]])
    assert seen.tell(some) == []
    assert fit(np.concatenate([summaries(recording("training", 400)), nothing[None]])).median == pytest.approx(
        seen.median, abs=0.1
    )


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 30))
def test_neither_the_order_of_points_nor_that_of_frames_matters(shuffle, count):
    table = summaries(recording("order", count))
    order = list(range(count))
    shuffle.shuffle(order)
    assert fit(table[order]) == fit(table)
    points = frame("points")
    rows = list(range(len(points)))
    shuffle.shuffle(rows)
    np.testing.assert_allclose(summary(points[rows]), summary(points))


@settings(max_examples=20, deadline=None)
@given(st.floats(-40, 40), st.integers(0, 100))
def test_a_shift_of_power_shifts_its_scores_alone(shift_db, number):
    known = fit(summaries(recording("shift", 30)))
    points = frame("shifted", number).astype(np.float64)
    moved = known.score(summary(points + np.array([0, 0, 0, 0, shift_db]))) - known.score(summary(points))
    of_power = np.array([name.startswith("power") for name in NAMES])
    np.testing.assert_allclose(moved, np.where(of_power, shift_db / np.array(known.deviation), 0), atol=1e-9)


def test_what_was_seen_survives_json(seen):
    assert params.build(Seen, json.loads(json.dumps(asdict(seen))), "seen") == seen


def test_what_does_not_fit_is_refused(seen):
    told = asdict(seen)
    for key, value, message in (
        ("names", ["power"], "seen.names: expected points_log10"),
        ("median", [0.0], f"seen.median: expected {len(NAMES)} numbers"),
        ("deviation", [0.0] * len(NAMES), "seen.deviation: expected numbers above 0"),
    ):
        with pytest.raises(InputError, match=message):
            params.build(Seen, told | {key: value}, "seen")
    with pytest.raises(ValueError, match="none in 2 frames"):
        fit(summaries([np.zeros((0, 5))] * 2))
