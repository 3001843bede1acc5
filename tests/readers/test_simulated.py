"""Reader `simulated`: frames that repeat, stamps, and scenario files that are refused."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from echoes.errors import InputError
from echoes.readers import simulated
from echoes.readers.ego_motion import Doppler
from echoes.readers.street import echo, scenario, scene

ROOT = Path(__file__).resolve().parents[2] / "data" / "raw" / "radar"
STREET = scenario.load(ROOT)
RADAR = STREET.radar
DOPPLER = Doppler(span_mps=40.0, static_mps=0.25, static_share=0.2, max_speed_mps=40.0)
SOURCE = simulated.Source("simulated", 3, 4, 7, "recorded", DOPPLER)


def test_stamps_come_at_10_hz_in_sequences_of_equal_length():
    entries = simulated.index(ROOT, SOURCE)
    assert [e.sequence for e in entries] == [f"street-{i:03d}" for i in range(3) for _ in range(4)]
    for a, b in pairwise(entries):
        if a.sequence == b.sequence:
            assert b.stamp - a.stamp == pytest.approx(0.1)
    assert {e.offset_s for e in entries} == {0.0}


def frame_bytes(frame):
    return b"".join(np.asarray(a).tobytes() for a in (frame.radar, frame.target, frame.ego_velocity, frame.pose))


def test_a_frame_has_the_same_bytes_whatever_was_read_before():
    entries = simulated.index(ROOT, SOURCE)
    forward = [frame_bytes(simulated.read(ROOT, SOURCE, entry)) for entry in entries]
    scene.generate.cache_clear()
    backward = [frame_bytes(simulated.read(ROOT, SOURCE, entry)) for entry in reversed(entries)]
    assert forward == backward[::-1]
    assert len(set(forward)) == len(forward)


def test_a_frame_does_not_depend_on_how_many_there_are():
    entry = simulated.index(ROOT, SOURCE)[5]
    more = replace(SOURCE, sequences=5, frames=8)
    assert simulated.index(ROOT, more)[8 + 1].key == entry.key
    assert frame_bytes(simulated.read(ROOT, more, entry)) == frame_bytes(simulated.read(ROOT, SOURCE, entry))


def test_the_noise_is_another_one_in_every_frame():
    entry = simulated.index(ROOT, SOURCE)[1]
    one, other = (simulated.read(ROOT, SOURCE, replace(entry, key=key)) for key in ("0/1", "0/2"))
    np.testing.assert_array_equal(one.pose, other.pose)  # the same instant
    assert one.target.tobytes() != other.target.tobytes()
    assert one.radar.tobytes() != other.radar.tobytes()
    assert not np.array_equal(one.ego_velocity, other.ego_velocity)


def test_another_seed_is_another_street():
    entry = simulated.index(ROOT, SOURCE)[0]
    other = simulated.read(ROOT, replace(SOURCE, seed=8), entry)
    assert frame_bytes(other) != frame_bytes(simulated.read(ROOT, SOURCE, entry))


def test_a_frame_lies_in_the_view_of_its_sensors():
    frame = simulated.read(ROOT, SOURCE, simulated.index(ROOT, SOURCE)[0])
    assert 300 < len(frame.radar) < 1500
    assert len(frame.target) > 20_000
    assert echo.in_view(frame.radar[:, :3].astype(float), RADAR).mean() > 0.99
    assert (np.abs(frame.radar[:, 3]) <= RADAR.max_doppler_mps).all()
    assert (frame.radar[:, 4] > RADAR.noise_power_db + RADAR.detection_snr_db - 1e-3).all()
    assert ((frame.target[:, 3] >= 0) & (frame.target[:, 3] <= 1)).all()
    assert frame.target[:, 2].min() > -RADAR.height_m - 0.2
    assert frame.target_origin == STREET.lidar.position_m


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("frame_rate_hz: 10.0", "frame_rate_hz: fast", r"street.yaml.frame_rate_hz: expected a number, got 'fast'"),
        ("frame_rate_hz: 10.0", "", r"street.yaml.frame_rate_hz: missing"),
        ("frame_rate_hz: 10.0", "frame_rate_hz: 10.0\nfog: 1", r"street.yaml.fog: unknown"),
        ("frame_rate_hz: 10.0", "frame_rate_hz: 0", r"street.yaml.frame_rate_hz: expected more than 0, got 0"),
        ("frame_rate_hz: 10.0", "frame_rate_hz: [", r"street.yaml: expected YAML"),
        ("[10.0, 22.0]", "[22.0, 10.0]", r"buildings.length_m: expected \[low, high\], got \[22.0, 10.0\]"),
        ("van_share: 0.15", "van_share: 1.5", r"vehicles.van_share: expected 0 to 1, got 1.5"),
        ("lamp_radius_m: 0.1", "lamp_radius_m: -0.1", r"furniture.lamp_radius_m: expected more than 0, got -0.1"),
        ("clearance_m: 0.25", "clearance_m: 2.5", r"vehicles.clearance_m: expected less than the body of a car"),
        ("rcs_spread_db: 8.0", "rcs_spread_db: -8.0", r"facade.rcs_spread_db: expected 0 or more, got -8.0"),
        ("beams: 40", "beams: 40.5", r"lidar.fans\[1\].beams: expected a whole number, got 40.5"),
        ("length_m: 240.0", "length_m: 60.0", r"road.length_m: expected at least 86 for 4 frames, got 60"),
    ],
)
def test_a_scenario_that_makes_no_street_is_refused_naming_file_and_key(tmp_path, old, new, message):
    text = (ROOT / scenario.FILE).read_text()
    assert old in text
    (tmp_path / scenario.FILE).write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as raised:
        simulated.index(tmp_path, SOURCE)
    assert "\n" not in str(raised.value)
    assert str(tmp_path / scenario.FILE) in str(raised.value)


def test_a_folder_without_scenario_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"street.yaml: no such file"):
        simulated.index(tmp_path, SOURCE)


def test_a_source_without_frames_is_refused():
    with pytest.raises(InputError, match="frames: expected at least 1, got 0"):
        replace(SOURCE, frames=0)


HUGE = {
    "a street of a thousand kilometres": ("road.length_m", 1e6, "length_m: expected at most 2000"),
    "houses of a micrometre": ("buildings.length_m", [1e-6, 1.0], "length_m: expected at least 1"),
    "a billion beams": ("lidar.azimuth_resolution_deg", 1e-3, "fans: expected 1 to 2000000 beams in a turn"),
    "scatterers like sand": ("materials.facade.scatterers_per_m2", 1000.0, "expected scatterers_per_m2 for 300000 po"),
    "powers that overflow": ("radar.power_at_1m_db", 1e5, "power_at_1m_db: expected at most 300"),
    "a LiDAR on the moon": ("lidar.position_m", [0.0, 0.0, 3.8e8], "position_m: expected at most 2000"),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_street_too_large_to_simulate_is_refused_before_it_takes_the_memory(tmp_path, name):
    key, value, message = HUGE[name]
    values = yaml.safe_load((ROOT / "street.yaml").read_text())
    *above, last = key.split(".")
    section = values
    for part in above:
        section = section[part]
    section[last] = value
    (tmp_path / "street.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match=f"street.yaml.*{message}"):
        [simulated.read(tmp_path, SOURCE, entry) for entry in simulated.index(tmp_path, SOURCE)]
