"""The CW radar: lines where physics puts them, levels in dB, rotors as sums of their points."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echoes.readers.people import drone, radar, scenario
from echoes.readers.people.body import Scatterers

ROOT = Path(__file__).resolve().parents[3] / "data" / "raw" / "microdoppler"
PEOPLE = scenario.load(ROOT)
SENSORS = list(PEOPLE.radars.values())
SECONDS = 0.5
QUIET = {"noise_db": -200.0, "leakage_db": -200.0, "static_clutter_db": -200.0, "moving_clutter_db": -200.0}


def rng():
    return np.random.default_rng(3)


def points(*position, rcs=1.0):
    position = np.stack(position, axis=1)
    up = np.broadcast_to([0.0, 0, 1], position.shape)
    return Scatterers(position, up, np.full(position.shape[1], rcs), np.ones(position.shape[1]))


def straight(start_m, velocity_mps, height_m):
    times = radar.instants(SECONDS)
    return np.stack([start_m + velocity_mps * times, 0 * times, 0 * times + height_m], axis=-1)


def peak_hz(samples, rate_hz):
    spectrum = np.abs(np.fft.fft(samples * np.hanning(len(samples)), 1 << 18))
    return np.fft.fftfreq(1 << 18, 1 / rate_hz)[spectrum.argmax()]


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("velocity", [-7.0, -0.5, 1.0, 6.0])
def test_what_recedes_at_v_gives_a_line_at_minus_2_v_over_the_wavelength(sensor, velocity):
    count = round(SECONDS * sensor.prf_hz)
    samples = radar.echo(points(straight(8.0, velocity, sensor.height_m)), sensor, count, rng(), 0.0)
    assert peak_hz(samples, sensor.prf_hz) == pytest.approx(-2 * velocity / sensor.wavelength_m, abs=0.5)


def test_an_echo_has_the_power_of_its_cross_section_and_falls_with_the_fourth_power_of_range():
    sensor = SENSORS[0]
    count = round(SECONDS * sensor.prf_hz)
    for range_m, rcs in ((1.0, 1.0), (2.0, 1.0), (5.0, 0.1)):
        samples = radar.echo(points(straight(range_m, 0, sensor.height_m), rcs=rcs), sensor, count, rng(), 0.0)
        np.testing.assert_allclose(np.abs(samples) ** 2, rcs / range_m**4, rtol=1e-4)


def test_an_ellipsoid_answers_less_from_its_end_by_the_fourth_power_of_its_slenderness():
    slenderness = np.array([1.0, 2.0, 2.5])
    np.testing.assert_allclose(radar.aspect(np.zeros(3), slenderness) ** 2, 1)
    np.testing.assert_allclose(radar.aspect(np.ones(3), slenderness) ** 2, slenderness**-4.0)


def test_a_curved_path_between_the_instants_is_right_to_a_small_part_of_the_wavelength():
    sensor = SENSORS[-1]
    count = round(SECONDS * sensor.prf_hz)

    def range_m(times):
        return 5 + 0.2 * np.sin(2 * np.pi * 5 * times)  # faster than any limb

    instants = radar.instants(SECONDS)
    path = np.stack([range_m(instants), 0 * instants, 0 * instants + sensor.height_m], axis=-1)
    samples = radar.echo(points(path), sensor, count, rng(), 0.0)
    exact = np.exp(-4j * np.pi * range_m(np.arange(count) / sensor.prf_hz) / sensor.wavelength_m)
    turned = np.unwrap(np.angle(samples * exact.conj()))
    assert np.ptp(turned) < 0.05


def test_noise_leakage_and_clutter_have_the_powers_of_the_scenario():
    sensor = replace(SENSORS[0], **QUIET)
    still = np.zeros(40_000, np.complex64)
    for name, level in (("noise_db", -30.0), ("leakage_db", -10.0), ("static_clutter_db", -20.0)):
        samples = radar.receive(still, replace(sensor, **{name: level}), rng())
        assert 10 * np.log10(np.mean(np.abs(samples) ** 2)) == pytest.approx(level, abs=0.2)
        spread = np.std(samples) / np.sqrt(np.mean(np.abs(samples) ** 2))
        assert spread == pytest.approx(1 if name == "noise_db" else 0, abs=0.03)


def test_moving_clutter_is_slow():
    sensor = replace(SENSORS[0], moving_clutter_mps=0.06)
    samples = radar.clutter(replace(sensor, static_clutter_db=-200.0), 40_000, rng())
    power = np.abs(np.fft.fft(samples)) ** 2
    velocity = np.abs(np.fft.fftfreq(len(samples), 1 / sensor.prf_hz)) * sensor.wavelength_m / 2
    assert power[velocity < 0.3].sum() > 0.99 * power.sum()


def test_an_imbalance_of_i_and_q_mirrors_the_spectrum_at_its_level():
    sensor = replace(SENSORS[0], **QUIET, image_db=-30.0)
    tone = np.exp(2j * np.pi * 500 / sensor.prf_hz * np.arange(3600)).astype(np.complex64)
    spectrum = np.abs(np.fft.fft(radar.receive(tone, sensor, rng())))
    assert 20 * np.log10(spectrum[-500] / spectrum[500]) == pytest.approx(-30, abs=0.1)


def test_a_rotor_is_the_sum_of_its_points_when_no_line_is_left_out():
    angle = np.linspace(0, 2 * np.pi, 257)
    wavenumber, radius_m, blades = 300.0, 0.1, 2
    radii = radius_m * (np.arange(64) + 0.5) / 64
    exact = np.mean(
        [np.exp(-1j * wavenumber * radii[:, None] * np.cos(angle + np.pi * b)).mean(axis=0) for b in range(blades)],
        axis=0,
    )
    lines = drone.blade_lines(radius_m, blades, wavenumber, 40)
    np.testing.assert_allclose(drone.rotor(lines, blades, angle), exact, atol=1e-9)


def test_lines_of_a_rotor_are_as_far_apart_as_its_blades_pass_and_symmetric():
    lines = drone.blade_lines(0.12, 2, 900.0, 9)
    np.testing.assert_allclose(np.abs(lines), np.abs(lines[::-1]))
    samples = drone.rotor(lines, 2, 2 * np.pi * 80 * np.arange(3600) / 3600)
    spectrum = np.abs(np.fft.fft(samples)) / 3600
    np.testing.assert_allclose(spectrum[160 * np.arange(10)], np.abs(lines[9:]), atol=1e-12)
    assert np.delete(spectrum, 160 * np.arange(-9, 10)).max() < 1e-12


def test_a_hovering_drone_is_symmetric_around_its_velocity():
    hover = replace(PEOPLE.drone, speed_mps=(0.0, 0.0), hover_m=(0.0, 0.0), turns_wander=0.0)
    sensor = SENSORS[0]
    samples = drone.fly(hover, PEOPLE.place, sensor, 1.0, rng())
    power = np.abs(np.fft.fft(samples)) ** 2
    up, down = power[20 : len(power) // 2].sum(), power[len(power) // 2 : -20].sum()
    assert up == pytest.approx(down, rel=0.05)
    assert up > 0
