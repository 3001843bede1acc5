"""Reader `simulated_people`: labels, signals that repeat, and scenario files that are refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echoes.errors import InputError
from echoes.readers import simulated_people
from echoes.readers.people import scenario, scene

ROOT = Path(__file__).resolve().parents[2] / "data" / "raw" / "microdoppler"
PEOPLE = scenario.load(ROOT)
SOURCE = simulated_people.Source("simulated_people", ("k24", "w77"), 4, 2.56, 7)


def recorded(key, source=SOURCE):
    return next(r for r in simulated_people.index(ROOT, source) if r.key == key)


def read(key, source=SOURCE):
    return simulated_people.read(ROOT, source, recorded(key, source))


def test_every_user_does_everything_and_the_drone_flies():
    entries = simulated_people.index(ROOT, SOURCE)
    labels = {tuple(r.labels.values()) for r in entries}
    assert labels == {(u, a) for u in "123456" for a in scene.ACTIVITIES} | {("drone", "fly")}
    assert len({r.key for r in entries}) == len(entries) == 31 * SOURCE.recordings
    assert {tuple(r.labels) for r in entries} == {("user", "activity")}
    assert {r.duration_s for r in entries} == {2.56}


def test_the_radars_take_turns():
    for turn, name in enumerate(("k24", "w77", "k24", "w77")):
        signal, radar = read(f"3-walk-{turn:03d}"), PEOPLE.radars[name]
        assert (signal.rate_hz, signal.wavelength_m) == (radar.prf_hz, radar.wavelength_m)
        assert signal.samples.shape == (round(2.56 * radar.prf_hz),)
        assert signal.samples.dtype == np.complex64
        assert np.isfinite(signal.samples).all()


def test_velocities_up_to_8_mps_are_measured_without_ambiguity():
    for radar in PEOPLE.radars.values():
        assert radar.wavelength_m * radar.prf_hz / 4 > 8


@pytest.mark.parametrize("key", ["3-walk-001", "1-fall-000", "drone-fly-002"])
def test_the_same_key_gives_the_same_bytes_and_other_seeds_and_keys_give_others(key):
    samples = read(key).samples.tobytes()
    assert samples == read(key).samples.tobytes()
    assert samples == read(key, replace(SOURCE, recordings=9)).samples.tobytes()
    assert samples != read(key, replace(SOURCE, seed=8)).samples.tobytes()
    assert (
        samples != read(key[:-1] + "3", replace(SOURCE, radars=SOURCE.radars[int(key[-1]) % 2 :][:1])).samples.tobytes()
    )


def test_a_walker_is_seen_at_the_speed_of_the_torso():
    for turn in range(4):
        signal = read(f"3-walk-{turn:03d}")
        spectrum = np.abs(np.fft.fft(signal.samples * np.hanning(len(signal.samples)))) ** 2
        velocity = -np.fft.fftfreq(len(spectrum), 1 / signal.rate_hz) * signal.wavelength_m / 2
        moving = np.abs(velocity) > 0.4
        mean = (velocity * spectrum)[moving].sum() / spectrum[moving].sum()
        assert 0.9 < abs(mean) < 1.6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("height_m: 1.58", "height_m: tall", r"people.yaml.users.1.height_m: expected a number, got 'tall'"),
        ("height_m: 1.58", "height_m: 3.0", r"people.yaml.users.1.height_m: expected 1.3 to 2.2, got 3.0"),
        ("    height_m: 1.58\n", "", r"people.yaml.users.1.height_m: missing"),
        ("carrier_ghz: 24.125", "carrier_ghz: 0", r"people.yaml.radars.k24.carrier_ghz: expected 1 to 300, got 0.0"),
        ("range_m: [4.0, 6.5]", "range_m: [6.5, 4.0]", r"people.yaml.place.range_m: expected \[low, high\], got"),
        ("points: 4}", "points: 0}", r"people.yaml.body.torso.points: expected 1 to 20, got 0"),
        ("blades: 2", "blades: 2\n  lights: 1", r"people.yaml.drone.lights: unknown"),
        (
            "steps_hz: [2.97",
            "steps_hz: [2.2",
            r"people.yaml.users.6.run.duty: expected a way over a standing foot up to",
        ),
        ("users:", "users: {}\nothers:", r"people.yaml.users: expected at least one|people.yaml.others: unknown"),
        ('"1":', '"1-a":', r"people.yaml.users.1-a: expected a name without a dash"),
        ("begin_s: [0.15, 0.75]", "begin_s: [0.15, 2.0]", r"users.1.fall.duration_s: expected an end within 2.56 s"),
    ],
)
def test_a_scenario_that_makes_no_people_is_refused_naming_file_and_key(tmp_path, old, new, message):
    text = (ROOT / scenario.FILE).read_text()
    assert old in text
    (tmp_path / scenario.FILE).write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as raised:
        simulated_people.index(tmp_path, SOURCE)
    assert "\n" not in str(raised.value)
    assert str(tmp_path / scenario.FILE) in str(raised.value)


def test_a_folder_without_scenario_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"people.yaml: no such file"):
        simulated_people.index(tmp_path, SOURCE)


def test_a_radar_that_is_not_in_the_scenario_is_refused_naming_those_that_are():
    with pytest.raises(InputError, match=r"source.radars: expected names among k24, w77 of .*, got 'x10'"):
        simulated_people.index(ROOT, replace(SOURCE, radars=("k24", "x10")))


@pytest.mark.parametrize(("field", "value"), [("recordings", 0), ("seconds", 0.0), ("radars", ())])
def test_a_source_without_recordings_is_refused(field, value):
    with pytest.raises(InputError, match=f"{field}: expected"):
        replace(SOURCE, **{field: value})
