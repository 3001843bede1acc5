"""A street with a known radar: its numbers come back from frames alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echoes import seeds
from echoes.commands import radar_fit, radar_summary
from echoes.commands.radar_summary import Frames
from echoes.readers.ego_motion import Doppler
from echoes.readers.street import radar as sensor
from echoes.readers.street import scenario
from echoes.readers.street.scenario import Radar

STREET = scenario.load(Path(__file__).resolve().parents[2] / "data" / "raw" / "radar")
DOPPLER = Doppler(span_mps=None, static_mps=0.3, static_share=0.2, max_speed_mps=30.0)
TRUE = replace(
    STREET.radar,
    range_m=(3.0, 60.0),
    azimuth_deg=(-45.0, 50.0),
    elevation_deg=(-12.0, 14.0),
    max_doppler_mps=15.0,
    noise_power_db=20.0,
    power_at_1m_db=112.0,
    sensitivity_control_range_m=40.0,
    beam_elevation_deg=6.0,
    doppler_noise_mps=0.12,
    clutter=replace(STREET.radar.clutter, false_alarms=40.0),
)
TURNED = (
    "power_at_1m_db",
    "sensitivity_control_range_m",
    "beam_elevation_deg",
    "doppler_noise_mps",
    "clutter.false_alarms",
)


def recorded(radar: Radar, count: int) -> Frames:
    """Frames of other streets and other noise than the fit simulates."""
    clouds = []
    for i, m in enumerate(radar_fit.moments(STREET, count)):
        rng = seeds.rng(99, "recording", i)
        cloud = sensor.scan(m.shapes, m.scatterers, STREET.materials, m.walls, m.ego_velocity, radar, rng)
        clouds.append(cloud.astype(float))
    return radar_summary.gather(clouds, replace(DOPPLER, span_mps=2 * radar.max_doppler_mps))


@pytest.fixture(scope="module")
def frames() -> Frames:
    patch = pytest.MonkeyPatch()
    patch.setattr(radar_fit, "SEED", 1)
    yield recorded(TRUE, 24)
    patch.undo()


def test_extents_span_and_floor_are_read_off(frames):
    read = radar_fit.read_off(frames, STREET.radar, DOPPLER).radar
    assert read.range_m == pytest.approx(TRUE.range_m, abs=1.0)
    assert read.azimuth_deg == pytest.approx(TRUE.azimuth_deg, abs=1.5)
    assert read.elevation_deg == pytest.approx(TRUE.elevation_deg, abs=1.0)
    assert read.max_doppler_mps == pytest.approx(15.0, abs=0.1)
    assert read.noise_power_db == pytest.approx(20.0, abs=0.1)
    assert read.power_at_1m_db - read.noise_power_db == pytest.approx(
        STREET.radar.power_at_1m_db - STREET.radar.noise_power_db
    )


def test_what_needs_a_simulation_comes_back_within_a_step_from_a_scenario_with_other_numbers(frames, monkeypatch):
    monkeypatch.setattr(radar_fit, "KNOBS", tuple(k for k in radar_fit.KNOBS if k.paths[0] in TURNED))
    reading = radar_fit.read_off(frames, STREET.radar, DOPPLER)
    tries: list[None] = []
    found = radar_fit.fit(frames, STREET, reading, radar_fit.moments(STREET, 16), DOPPLER, lambda: tries.append(None))
    assert 10 < len(tries) < 60
    for knob in found.knobs:
        (path,) = knob.paths
        true, start, fitted = (radar_fit.get(r, path) for r in (TRUE, reading.radar, found.radar))
        if knob.ratio:
            true, start, fitted = np.log([true, start, fitted])
        assert abs(true - fitted) < 1.0 * knob.step, path
        assert abs(true - fitted) < abs(true - start) or abs(true - start) < knob.step, path


def test_a_linear_problem_is_solved_exactly():
    rng = np.random.default_rng(0)
    matrix, wanted = rng.normal(size=(9, 3)), np.array([1.0, -2.0, 0.5])
    found, slope = radar_fit.minimised(lambda x: matrix @ (x - wanted), 3)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    np.testing.assert_allclose(slope, matrix)


def test_a_turn_stays_within_its_bounds_and_keeps_the_floor_and_the_proportion():
    steps = np.full(len(radar_fit.KNOBS), 100.0)
    turned = radar_fit.turned(STREET.radar, radar_fit.KNOBS, steps)
    assert turned.detection_snr_db == 25.0
    assert turned.detection_snr_db + turned.noise_power_db == pytest.approx(52.0)
    assert turned.azimuth_resolution_deg == 15.0
    assert turned.elevation_resolution_deg / turned.azimuth_resolution_deg == pytest.approx(2.5)
    assert radar_fit.turned(STREET.radar, radar_fit.KNOBS, 0 * steps) == STREET.radar


def flat(cloud_columns: dict[int, float], frames: Frames) -> Frames:
    """The frames with constant columns of their points."""
    points = frames.points.copy()
    for column, value in cloud_columns.items():
        points[:, column] = value
    clouds = [points[frames.frame == i] for i in range(frames.count)]
    return radar_summary.gather(clouds, DOPPLER)


def test_a_radar_without_elevation_or_power_keeps_what_they_tell(frames):
    reading = radar_fit.read_off(flat({2: 0.0, 4: 7.0}, frames), STREET.radar, DOPPLER)
    assert reading.radar.elevation_deg == STREET.radar.elevation_deg
    assert reading.radar.noise_power_db == STREET.radar.noise_power_db
    assert {"beam_elevation_deg", "sensitivity_control_range_m"} <= reading.fixed
    assert {note.split(":")[0] for note in reading.notes} >= {"elevation", "power"}


def test_a_standing_radar_does_not_tell_its_doppler_noise_nor_where_doppler_repeats(frames):
    reading = radar_fit.read_off(flat({3: 0.0}, frames), STREET.radar, DOPPLER)
    assert "doppler_noise_mps" in reading.fixed
    assert {note.split(":")[0] for note in reading.notes} >= {"doppler_noise_mps", "doppler_resolution_mps"}


def test_the_span_that_the_source_names_is_taken(frames):
    named = replace(DOPPLER, span_mps=12.5)
    assert radar_fit.read_off(frames, STREET.radar, named).radar.max_doppler_mps == 6.25


def test_a_doppler_with_one_long_end_does_not_show_where_it_repeats(frames):
    shifted = flat({}, replace(frames, points=np.add(frames.points, (0, 0, 0, 9, 0))))
    reading = radar_fit.read_off(shifted, STREET.radar, DOPPLER)
    assert reading.radar.max_doppler_mps == pytest.approx(24.0, abs=0.1)
    assert any(note.startswith("max_doppler_mps") for note in reading.notes)


def test_radars_spread_by_what_varies_more_than_in_the_streets(frames):
    view = radar_summary.View(60.0, 0.7)
    none = radar_fit.spread(frames, frames, flat({}, frames), view)
    assert set(vars(none).values()) == {0.0}
    louder = recorded(replace(TRUE, power_at_1m_db=TRUE.power_at_1m_db + radar_fit.LOUDER_DB), 8)
    fitted, measured = recorded(TRUE, 8), recorded(replace(TRUE, power_at_1m_db=TRUE.power_at_1m_db + 3), 8)
    spread = radar_fit.spread(measured, fitted, louder, view)
    assert spread.power_at_1m_db == pytest.approx(3.0, rel=0.3)
