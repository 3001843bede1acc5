"""Findings: a sane recording has no warnings, and each fault has one, with its number."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.readers.test_ego_motion import scene

from echoes.judging import doppler_span
from echoes.judging.findings import FINDINGS, findings
from echoes.judging.found import Findings
from echoes.judging.measurements import Measurements, measure
from echoes.readers import simulated
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import Entry, Frame

ROOT = Path(__file__).resolve().parents[2] / "data" / "raw" / "radar"
DOPPLER = Doppler(span_mps=None, static_mps=0.5, static_share=0.2, max_speed_mps=30.0)
SOURCE = simulated.Source("simulated", 4, 2, 0, "recorded", DOPPLER)
ENTRIES = simulated.index(ROOT, SOURCE)
FRAMES = [simulated.read(ROOT, SOURCE, entry) for entry in ENTRIES]


def gathered(frames: Sequence[Frame]) -> list[Measurements]:
    return [measure(frame, DOPPLER) for frame in frames]


SANE = gathered(FRAMES)


def scaled(*factors: float) -> list[Frame]:
    """All frames with the columns of their radar multiplied."""
    return [replace(frame, radar=frame.radar * np.float32(factors)) for frame in FRAMES]


def texts(of: Findings) -> list[str]:
    return [finding.text for finding in of.found]


def warnings(frames: Sequence[Frame]) -> list[str]:
    return texts(findings(ENTRIES, gathered(frames), DOPPLER))


def test_a_sane_recording_has_no_warnings() -> None:
    found = findings(ENTRIES, SANE, DOPPLER)
    assert found.found == []
    text = found.text()
    assert text.endswith("no warnings")
    assert "8 in 4 sequences" in text
    assert "10.00 Hz" in text
    assert "8 of 8 frames" in text
    assert len({name for name, _ in found.lines}) >= 12


def test_a_clock_that_jumps_back_is_told() -> None:
    assert "clock" not in dict(findings(ENTRIES, SANE, DOPPLER).lines)
    jumping = [replace(entry, jumps_back=entry is ENTRIES[2]) for entry in ENTRIES]
    found = dict(findings(jumping, SANE, DOPPLER).lines)
    assert found["clock"] == "the clock jumps back 1 time; a new sequence begins there: street-001"


def test_of_clouds_that_share_a_stamp_it_is_told_how_many_are_left_out_and_another_clock_proposed() -> None:
    listed = [replace(ENTRIES[0], repeated=11), *ENTRIES[1:]]
    (warning,) = findings(listed, SANE, DOPPLER).found
    assert warning.text.startswith(
        "stamps: 11 of 19 radar clouds left out, as a later one has the same stamp; does its "
    )
    assert "`stamps: receipt`" in warning.text
    (few,) = findings([replace(ENTRIES[0], repeated=1), *ENTRIES[1:]], SANE, DOPPLER).found
    assert few.text == "stamps: 1 of 9 radar clouds left out, as a later one has the same stamp"


def test_the_estimated_velocity_is_the_recorded_one() -> None:
    for found, frame in zip(SANE, FRAMES, strict=True):
        assert found.motion is not None
        np.testing.assert_allclose(found.motion.velocity[:2], frame.ego_velocity[:2], atol=0.2)
        assert found.motion.static_share > 0.5
        assert found.motion.residual_mps < 0.1


def test_points_that_move_do_not_count_for_the_residual() -> None:
    rng = np.random.default_rng(0)
    busy = replace(FRAMES[0], radar=FRAMES[0].radar.copy())
    moving = rng.random(len(busy.radar)) < 0.6
    busy.radar[moving, 3] += rng.uniform(3, 15, moving.sum()).astype(np.float32)
    (found,) = gathered([busy])
    assert found.motion is not None
    assert found.motion.static_share < 0.5
    assert found.motion.residual_mps < 0.1


def test_doppler_of_the_wrong_sign_is_found_by_the_direction_of_travel_and_by_the_recorded_velocity() -> None:
    forward, recorded = warnings(scaled(1, 1, 1, -1, 1))
    assert forward.startswith("Doppler sign: the ego velocity points backwards in 100% of ")
    assert "flip the sign" in forward
    assert recorded.startswith("ego velocity: recorded and from Doppler are ")
    assert "with the sign of Doppler flipped" in recorded
    (alone,) = warnings([replace(frame, ego_velocity=None) for frame in scaled(1, 1, 1, -1, 1)])
    assert alone == forward


def test_doppler_without_its_ego_velocity_is_not_taken_for_relative() -> None:
    frames = []
    for frame, found in zip(FRAMES, SANE, strict=True):
        assert found.motion is not None
        toward = frame.radar[:, :3] / np.linalg.norm(frame.radar[:, :3], axis=1, keepdims=True)
        frames.append(replace(frame, radar=frame.radar.copy()))
        frames[-1].radar[:, 3] += toward @ found.motion.velocity.astype(np.float32)
    (warning,) = warnings(frames)
    assert "taken out already" in warning


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ((1, 1, 1, 3.6, 1), "ego velocity: recorded and from Doppler are"),
        ((1, 1, 1, 10, 1), "is it in m/s?"),
        ((1, 1, 1, 0, 1), "Doppler: reaches 0 m/s"),
        ((1, 1, 1, 1, 0), "power: spans 0 dB"),
        ((1, 1, 1, 1, 100), "is it in dB?"),
        ((100, 100, 100, 1, 1), "are these metres?"),
        ((0.01, 0.01, 0.01, 1, 1), "are these metres?"),
        ((-1, 1, 1, 1, 1), "axes: 0% of the points lie ahead"),
        ((1, -1, 1, 1, 1), "alignment: the radar fits better mirrored left to right"),
        ((1, 1, -1, 1, 1), "alignment: the radar fits better upside down"),
    ],
)
def test_wrong_units_and_axes_are_warned_of(factors: tuple[float, ...], message: str) -> None:
    assert any(message in warning for warning in warnings(scaled(*factors)))


@pytest.mark.parametrize("spread_db", [5.0, 7.0])
def test_linear_power_is_found_and_decibels_above_0_are_not(spread_db: float) -> None:
    rng = np.random.default_rng(0)
    frames = {"linear": [], "dB": []}
    for frame in FRAMES:
        power_db = rng.normal(0, spread_db, len(frame.radar))
        for unit, power in (("linear", 10 ** (power_db / 10)), ("dB", spread_db * rng.exponential(1, len(power_db)))):
            frames[unit].append(replace(frame, radar=np.column_stack([frame.radar[:, :4], power]).astype(np.float32)))
    found = {unit: findings(ENTRIES, gathered(of), DOPPLER).found for unit, of in frames.items()}
    assert [finding.name for finding in found["linear"]] == ["linear_power"]
    assert found["dB"] == []


def test_a_warning_ends_with_the_name_that_stops_a_track_at_it() -> None:
    found = findings(ENTRIES, gathered(scaled(1, 1, 1, -1, 1)), DOPPLER)
    assert [finding.name for finding in found.found] == ["doppler_sign", "ego_velocity"]
    assert [line[-15:] for line in found.text().splitlines()[-2:]] == [" [doppler_sign]", " [ego_velocity]"]
    assert {finding.name for finding in found.found} < set(FINDINGS)


def test_frames_without_any_point_are_one_finding() -> None:
    found = findings(ENTRIES, gathered([replace(frame, radar=frame.radar[:0]) for frame in FRAMES]), DOPPLER)
    assert [finding.name for finding in found.found] == ["empty_frames"]


def test_swapped_axes_are_warned_of() -> None:
    swapped = [replace(frame, radar=frame.radar[:, [1, 0, 2, 3, 4]]) for frame in FRAMES]
    assert any("drives sideways" in warning for warning in warnings(swapped))


def test_doppler_beyond_its_span_is_warned_of() -> None:
    found = findings(ENTRIES, SANE, replace(DOPPLER, span_mps=20.0)).found
    assert any("beyond half of span_mps = 20" in finding.text for finding in found)


def test_noise_for_doppler_is_warned_of() -> None:
    rng = np.random.default_rng(0)
    noisy = [replace(frame, radar=frame.radar.copy()) for frame in FRAMES]
    for frame in noisy:
        frame.radar[:, 3] = rng.uniform(-25, 25, len(frame.radar))
    assert any("agree on one ego velocity in 0 of 8 frames" in warning for warning in warnings(noisy))


def driving(span_mps: float | None) -> list[np.ndarray]:
    """Frames of 2 to 28 m/s in which 40 % of the points move."""
    return [
        scene((forward, 0.3, 0.0), 150, moving=0.4, noise_mps=0.05, span_mps=span_mps, seed=i)
        for i, forward in enumerate(np.linspace(2, 28, 12))
    ]


@pytest.mark.parametrize(("span_mps", "declared"), [(3.84, None), (7.7, None), (7.7, 15.4), (7.7, 6.0)])
def test_the_span_of_a_doppler_that_repeats_is_found_at_its_edges(span_mps: float, declared: float | None) -> None:
    found = doppler_span.repeating(driving(span_mps), replace(DOPPLER, span_mps=declared))
    assert found is not None
    assert found.span_mps == pytest.approx(span_mps, rel=0.005)
    assert found.static > found.declared + 0.1
    assert found.static == pytest.approx(0.6, abs=0.08)


def test_no_span_is_found_where_the_right_one_is_declared_where_none_is_and_at_the_edges_of_clutter() -> None:
    assert doppler_span.repeating(driving(7.7), replace(DOPPLER, span_mps=7.7)) is None
    assert doppler_span.repeating(driving(None), DOPPLER) is None
    clutter = [radar.copy() for radar in driving(None)[:4]]
    for i, radar in enumerate(clutter):
        radar[:, 3] = np.random.default_rng(i).uniform(-4, 4, len(radar))
    assert doppler_span.edges(np.concatenate(clutter)[:, 3]) == pytest.approx(8, abs=0.1)
    assert doppler_span.repeating(clutter, DOPPLER) is None


def test_the_step_of_a_doppler_belongs_to_its_span() -> None:
    bins = np.tile(np.arange(-64, 64) * 0.0812, 20)  # as of the radar of Astyx HiRes
    assert doppler_span.edges(bins) == pytest.approx(10.3936)
    assert doppler_span.edges(np.append(bins, [-99.0, 60.0])) == pytest.approx(10.3936, rel=0.01)


def test_a_doppler_that_repeats_unsaid_is_warned_of_with_its_span() -> None:
    frames = [Frame("a", 0.1 * i, radar.astype(np.float32)) for i, radar in enumerate(driving(7.7))]
    (warning,) = [warning for warning in warnings(frames) if "repeats" in warning]
    told = r"Doppler: it repeats after 7\.(69|70) m/s, it seems \(span_mps\); \d\d% of the points fit one ego velocity"
    assert re.fullmatch(rf"{told} then, \d\d% as declared", warning)


@pytest.mark.parametrize(("spread_db", "told"), [(8.0, True), (5.0, True), (3.0, False)])
def test_a_linear_power_is_warned_of_and_decibels_are_not(spread_db: float, told: bool) -> None:
    frames = [replace(frame, radar=frame.radar.copy(), target=None) for frame in FRAMES]
    for i, frame in enumerate(frames):
        frame.radar[:, 4] = 10 ** (np.random.default_rng(i).normal(0, spread_db, len(frame.radar)) / 10)
    found = [warning for warning in warnings(frames) if "never negative" in warning]
    assert bool(found) == told
    assert all(warning.endswith("is it linear, with `power: {unit: linear}`?") for warning in found)


def turning(aside: float, sign: float, offset_mps: float = 0.0) -> list[Frame]:
    """Frames of a radar ahead of the axle that turns to the left and to the right; sign -1: y points to the right."""
    frames = []
    for i, left in enumerate(aside * np.sin(np.linspace(0, 9, 14)) + offset_mps):
        radar = scene((8.0, left, 0.0), 150, moving=0.2, noise_mps=0.05, seed=i).astype(np.float32)
        radar[:, 1] *= sign
        frames.append(Frame("a", 0.1 * i, radar, ego_velocity=np.array([8.0, left, 0.0])))
    return frames


def test_axes_to_the_right_are_told_while_the_radar_turns() -> None:
    told = [warning for warning in warnings(turning(1.0, -1)) if "left and right" in warning]
    start = r"axes: recorded and from Doppler are 1\.\d\d m/s apart to the side in \d+ turning frames, 0\.\d\d m/s "
    assert len(told) == 1
    assert re.match(start, told[0])
    assert told[0].endswith("Axes forward, right, down are FRD")
    for straight in (turning(1.0, 1), turning(0.2, -1), turning(0.2, -1, 2.0)):  # the last looks aside, and never turns
        assert not any("left and right" in warning for warning in warnings(straight))


def test_a_lidar_of_other_frames_does_not_fit() -> None:
    others = [replace(frame, target=other.target) for frame, other in zip(FRAMES, FRAMES[3:] + FRAMES[:3], strict=True)]
    (warning,) = warnings(others)
    assert warning.startswith("alignment: radar points are ")
    assert warning.endswith("expected < 1.5 m")


def test_a_moved_lidar_is_warned_of_with_its_offset() -> None:
    moved = [
        replace(frame, target=frame.target + np.float32([0, 1, 0, 0])) for frame in FRAMES if frame.target is not None
    ]
    (warning,) = warnings(moved)
    assert re.match(r"alignment: the radar lies x [+-]0\.[0-3]\d, y -(1\.0|0\.9)\d m beside the target", warning)


def test_empty_frames_are_counted() -> None:
    empty = [replace(FRAMES[0], radar=FRAMES[0].radar[:0]), *FRAMES[1:]]
    assert warnings(empty) == ["points: 1 of 8 frames have none"]


def test_missing_and_empty_targets_are_counted() -> None:
    none = [replace(frame, target=None) for frame in FRAMES]
    found = findings(ENTRIES, gathered(none), DOPPLER)
    assert found.found == []
    assert ("target", "none: the recording can be enhanced, not trained on") in found.lines
    assert warnings([*none[:3], *FRAMES[3:]]) == ["target: missing in 3 of 8 frames"]
    bare = replace(FRAMES[0], target=np.zeros((0, 4), np.float32))
    assert warnings([bare, *FRAMES[1:]]) == ["target: no points in 1 of 8 frames"]


def entries(*stamps: float, offset_s: float | None = 0.0, refused: str = "") -> list[Entry]:
    return [Entry("a", stamp, str(i), offset_s, refused) for i, stamp in enumerate(stamps)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (entries(0.0, 0.1, 0.2, 0.9), "stamps: 1 gaps of more than 2.5 periods, the longest 0.700 s, a at 0.900 s"),
        (entries(0.0, 0.1, 0.05, 0.2), "stamps: 1 of 3 steps do not go forward in time"),
        (entries(0.0, 0.1, offset_s=0.08), "stamps: target and radar are +0.0800 s apart (median)"),
        (entries(0.0, 0.1, refused="too far"), "pairs: 2 of 2 refused, the first: too far"),
    ],
)
def test_stamps_that_are_not_sane_are_warned_of(given: list[Entry], message: str) -> None:
    assert texts(findings(given, SANE, DOPPLER)) == [message]


def test_rates_are_within_sequences_and_differences_keep_their_sign() -> None:
    two = [*entries(0.0, 0.05, offset_s=-0.02), Entry("b", 100.0, "9", 0.01)]
    lines = dict(findings(two, SANE, DOPPLER).lines)
    assert lines["rate"].startswith("20.00 Hz")
    assert "-0.0200 s (median), -0.0200 s (largest)" in lines["pairs"]
    assert findings(two[2:], SANE, DOPPLER).lines[1] == ("rate", "unknown: no sequence has two frames")
