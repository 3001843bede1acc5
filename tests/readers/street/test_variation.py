"""One radar for all streets, or one for each around that of the scenario."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echoes.errors import InputError
from echoes.readers import simulated
from echoes.readers.ego_motion import Doppler
from echoes.readers.street import scenario, variation
from echoes.readers.street.scenario import Spread

ROOT = Path(__file__).resolve().parents[3] / "data" / "raw" / "radar"
RADAR = scenario.load(ROOT).radar
SPREAD = Spread(power_at_1m_db=2.0, noise_power_db=0.5, ground_returns=0.3, false_alarms=0.6)
DOPPLER = Doppler(span_mps=40.0, static_mps=0.25, static_share=0.2, max_speed_mps=40.0)
SOURCE = simulated.Source("simulated", 2, 2, 7, "recorded", DOPPLER)


def street(folder: Path, spread: str) -> Path:
    text = (ROOT / scenario.FILE).read_text()
    (folder / scenario.FILE).write_text(text.replace("\nradar:\n", f"\nradar:\n  spread: {spread}\n"))
    return folder


def frames(root: Path) -> list[bytes]:
    read = [simulated.read(root, SOURCE, entry) for entry in simulated.index(root, SOURCE)]
    return [frame.radar.tobytes() + frame.target.tobytes() + frame.pose.tobytes() for frame in read]


def test_the_shipped_street_has_one_radar():
    assert RADAR.spread is None
    assert variation.of_sequence(RADAR, 0, 3) is RADAR


@pytest.mark.parametrize(
    "spread", ["null", "{power_at_1m_db: 0, noise_power_db: 0, ground_returns: 0, false_alarms: 0}"]
)
def test_no_spread_and_one_of_zeros_give_the_bytes_of_the_street_without(tmp_path, spread):
    assert frames(street(tmp_path, spread)) == frames(ROOT)


def test_a_spread_changes_what_the_radar_sees_and_nothing_else(tmp_path):
    root = street(tmp_path, "{power_at_1m_db: 6, noise_power_db: 0, ground_returns: 0, false_alarms: 0}")
    entry = simulated.index(root, SOURCE)[2]
    one, other = (simulated.read(folder, SOURCE, entry) for folder in (ROOT, root))
    assert one.radar.tobytes() != other.radar.tobytes()
    np.testing.assert_array_equal(one.target, other.target)
    np.testing.assert_array_equal(one.ego_velocity, other.ego_velocity)


def test_radars_differ_between_sequences_by_the_spread():
    radar = replace(RADAR, spread=SPREAD)
    drawn = [variation.of_sequence(radar, 0, i) for i in range(4000)]
    assert drawn[5] == variation.of_sequence(radar, 0, 5)
    assert drawn[5] != variation.of_sequence(radar, 1, 5)
    power = np.array([r.power_at_1m_db for r in drawn]) - RADAR.power_at_1m_db
    alarms = np.log([r.clutter.false_alarms / RADAR.clutter.false_alarms for r in drawn])
    ground = np.log([r.clutter.ground_returns / RADAR.clutter.ground_returns for r in drawn])
    noise = np.array([r.noise_power_db for r in drawn]) - RADAR.noise_power_db
    deviations = [values.std() for values in (power, noise, ground, alarms)]
    np.testing.assert_allclose(deviations, [2.0, 0.5, 0.3, 0.6], rtol=0.05)
    np.testing.assert_allclose(np.corrcoef([power, noise, ground, alarms]), np.eye(4), atol=0.06)
    assert np.abs(power).max() <= variation.MAX_DEVIATIONS * 2.0
    assert {replace(r, power_at_1m_db=0, noise_power_db=0, clutter=RADAR.clutter) for r in drawn} == {
        replace(radar, power_at_1m_db=0, noise_power_db=0)
    }


@pytest.mark.parametrize(
    ("spread", "message"),
    [
        ("{power_at_1m_db: 1}", r"street.yaml.radar.spread.noise_power_db: missing"),
        (
            "{power_at_1m_db: -1, noise_power_db: 0, ground_returns: 0, false_alarms: 0}",
            r"street.yaml.radar.spread.power_at_1m_db: expected 0 to 20, got -1",
        ),
        (
            "{power_at_1m_db: 1, noise_power_db: 0, ground_returns: 3, false_alarms: 0}",
            r"street.yaml.radar.spread.ground_returns: expected 0 to 1, got 3",
        ),
        ("wide", r"street.yaml.radar.spread: expected a mapping or null, got 'wide'"),
    ],
)
def test_a_spread_that_no_radar_has_is_refused_naming_file_and_key(tmp_path, spread, message):
    with pytest.raises(InputError, match=message):
        scenario.load(street(tmp_path, spread))
