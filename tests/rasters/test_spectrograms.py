"""Tones light the cell of their velocity, power is kept, gain and a shift by a hop change what they must."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes import params, seeds
from echoes.errors import InputError
from echoes.grids import Axis
from echoes.rasters.spectrograms import StftParams, shares, stft_power, to_network

RATE_HZ, WAVELENGTH_M = 2000.0, 0.0124
GRID = {
    "raster": "stft",
    "velocity": {"start": -6.2, "stop": 6.2, "size": 64},
    "time": {"start": 0.0, "stop": 0.64, "size": 16},
    "hop_s": 0.16,
    "window": "hann",
    "window_s": 0.1,
    "overlap": 0.8,
    "notch_mps": 0.0,
    "quiet_db": None,
    "floor_db": -40.0,
    "ceiling_db": 0.0,
}
ONE_SIDED = {"velocity": {"start": 0.0, "stop": 6.2, "size": 64}}


def grid(**changes):
    return params.build(StftParams, {**GRID, **changes}, "grid")


def tone(velocity_mps, seconds=1.28, rate_hz=RATE_HZ):
    """A target that recedes turns the phase backwards."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.exp(-2j * np.pi * (2 * velocity_mps / WAVELENGTH_M) * t).astype(np.complex64)


def noise(seconds=1.28):
    rng = seeds.rng(0, "noise")
    count = round(seconds * RATE_HZ)
    return (rng.standard_normal(count) + 1j * rng.standard_normal(count)).astype(np.complex64)


@given(st.floats(-6.0, 6.0))
def test_a_tone_lights_the_cell_of_its_velocity_at_every_time(velocity_mps):
    power = stft_power(tone(velocity_mps), RATE_HZ, WAVELENGTH_M, grid())
    assert power.shape == (64, 32)
    centres = grid().axes()[0].centres
    assert np.abs(centres[power.argmax(axis=0)] - velocity_mps).max() <= 12.4 / 64


@given(st.floats(0.3, 6.0), st.booleans())
def test_one_channel_tells_the_speed_of_what_comes_and_of_what_goes(speed_mps, receding):
    samples = tone(speed_mps if receding else -speed_mps).real.astype(np.float32)
    power = stft_power(samples, RATE_HZ, WAVELENGTH_M, grid(**ONE_SIDED))
    centres = grid(**ONE_SIDED).axes()[0].centres
    assert np.abs(centres[power.argmax(axis=0)] - speed_mps).max() <= 2 * 6.2 / 64


@pytest.mark.parametrize("window", ["hann", "blackmanharris", "boxcar"])
@pytest.mark.parametrize("cells", [64, 256])  # wider and narrower than the frequencies that the window can tell
def test_the_sum_over_velocities_is_the_mean_power_of_the_signal(window, cells):
    whole = {"velocity": {"start": -6.2, "stop": 6.2, "size": cells}, "window": window}
    # The axis reaches to the highest velocity, wavelength * rate / 4
    power = stft_power(3 * tone(1.7), RATE_HZ, WAVELENGTH_M, grid(**whole))
    np.testing.assert_allclose(power.sum(axis=0), 9.0, rtol=2e-3)
    rough = stft_power(noise(), RATE_HZ, WAVELENGTH_M, grid(**whole))
    assert rough.sum(axis=0).mean() == pytest.approx(2.0, rel=0.05)


def test_the_power_of_one_channel_is_that_of_the_signal():
    power = stft_power(tone(1.7).real.astype(np.float32), RATE_HZ, WAVELENGTH_M, grid(**ONE_SIDED))
    np.testing.assert_allclose(power.sum(axis=0), 0.5, rtol=2e-2)


def test_a_steady_tone_is_as_bright_at_the_ends_as_in_the_middle():
    power = stft_power(noise() * 0 + tone(2.0), RATE_HZ, WAVELENGTH_M, grid())
    np.testing.assert_allclose(power.sum(axis=0), 1.0, rtol=2e-3)


def test_the_notch_takes_what_stands_and_leaves_what_moves():
    samples = 100 + tone(2.0)
    power = stft_power(samples, RATE_HZ, WAVELENGTH_M, grid(notch_mps=0.4))
    np.testing.assert_allclose(power.sum(axis=0), 1.0, rtol=0.05)
    velocity = grid().axes()[0]
    assert (power[np.abs(velocity.centres) < 0.25] == 0).all()
    assert stft_power(samples, RATE_HZ, WAVELENGTH_M, grid()).sum(axis=0).min() > 9000


@given(st.floats(1e-3, 1e3))
def test_the_gain_of_a_recording_changes_nothing(gain):
    levels = to_network(stft_power(noise(), RATE_HZ, WAVELENGTH_M, grid()), -40.0, 0.0)
    louder = to_network(stft_power(np.float32(gain) * noise(), RATE_HZ, WAVELENGTH_M, grid()), -40.0, 0.0)
    np.testing.assert_allclose(louder, levels, atol=1e-4)


def test_a_shift_by_one_hop_is_a_roll():
    cells, samples = grid().hop_cells, noise(2.56)
    hop = round(0.16 * RATE_HZ)
    power = stft_power(samples, RATE_HZ, WAVELENGTH_M, grid())
    shifted = stft_power(samples[hop:], RATE_HZ, WAVELENGTH_M, grid())
    inside = slice(2, -2)  # windows stick out of the recording at its begin
    np.testing.assert_allclose(shifted[:, inside], power[:, cells:][:, inside], rtol=1e-4)


def test_an_event_lies_in_its_cell_of_time():
    samples = np.zeros(2560, np.complex64)
    samples[round(0.5 * RATE_HZ) : round(0.52 * RATE_HZ)] = tone(2.0)[:40]
    power = stft_power(samples, RATE_HZ, WAVELENGTH_M, grid(window_s=0.02))
    assert power.sum(axis=0).argmax() == int(0.51 / 0.04)


def test_windows_lie_evenly_around_the_middle_of_a_cell():
    samples = np.zeros(2560, np.complex64)
    samples[1000] = 1.0  # in the middle of cell 12
    before, middle, after = stft_power(samples, RATE_HZ, WAVELENGTH_M, grid()).sum(axis=0)[11:14]
    assert before == pytest.approx(after, rel=0.05)
    assert before < middle


def test_every_cell_of_time_has_a_window_whatever_rate_and_overlap():
    for rate_hz, overlap in ((1999.0, 0.0), (1023.7, 0.97), (2100.0, 0.5)):
        layout = grid(overlap=overlap, velocity={"start": -3.1, "stop": 3.1, "size": 64})
        power = stft_power(tone(1.0, rate_hz=rate_hz), rate_hz, WAVELENGTH_M, layout)
        np.testing.assert_allclose(power.sum(axis=0), 1.0, rtol=2e-2)


def test_levels_are_linear_in_db_from_the_floor_to_the_ceiling():
    power = np.concatenate([np.full(5000, 10.0), [1.0, 1e-1, 1e-2, 1e-9, 0.0, 1e5]])
    levels = to_network(power, -20.0, 0.0)
    np.testing.assert_allclose(levels[-6:], [0.0, -1.0, -1.0, -1.0, -1.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(to_network(power, -40.0, 20.0)[[0, -6, -5]], [1 / 3, 0.0, -1 / 3], atol=1e-6)


@given(st.lists(st.floats(0.1, 3.0), min_size=1, max_size=6), st.floats(-2.0, 2.0))
def test_shares_of_what_lies_inside_sum_to_one(widths, low):
    edges = Axis("v", "m/s", -3.0, 6.0, 18).edges
    begins = np.full(len(widths), low)
    np.testing.assert_allclose(shares(begins, begins + np.array(widths), edges).sum(axis=0), 1.0)


def test_silence_is_refused():
    with pytest.raises(InputError, match="expected power inside the grid, got none"):
        to_network(np.zeros((4, 4)), -40.0, 0.0)


def test_a_crop_moves_where_a_cell_is_as_loud_as_is_asked():
    rows = np.full((4, 1, 2, 3), -1.0, dtype=np.float16)
    rows[1, 0, 1, 2], rows[2, 0, 0, 0], rows[3] = 0.0, 0.1, -0.1  # -20, -18 and -22 dB
    assert grid(quiet_db=-20.0).moving(rows).tolist() == [False, True, True, False]
    assert grid(quiet_db=None).moving(rows).all()


@pytest.mark.parametrize(
    ("changes", "samples", "message"),
    [
        ({}, tone(1.0).real, r"^grid\.velocity\.start: expected 0 or more, as one channel .* got -6\.2"),
        (
            {"velocity": {"start": 0.0, "stop": 8.0, "size": 64}},
            tone(1.0),
            r"^grid\.velocity: expected at most 6\.2 m/s, which 2000 Hz can tell, got 8",
        ),
        ({"window_s": 0.0004}, tone(1.0), r"^grid\.window_s: expected more samples at 2000 Hz, got 1"),
    ],
)
def test_an_axis_that_the_signal_cannot_fill_is_refused(changes, samples, message):
    with pytest.raises(InputError, match=message):
        stft_power(samples, RATE_HZ, WAVELENGTH_M, grid(**changes))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("window", "kaiserr", r"grid\.window: expected a SciPy window without parameters, got 'kaiserr'"),
        ("window_s", 1.0, r"grid\.window_s: expected more than 0, up to half of a crop = 0\.32, got 1\.0"),
        ("overlap", 1.0, r"grid\.overlap: expected 0 or more and less than 1, got 1\.0"),
        ("hop_s", 0.05, r"grid\.hop_s: expected a multiple of 0\.04, a cell of time, got 0\.05"),
        ("hop_s", 0.0, r"grid\.hop_s: expected a multiple of 0\.04, a cell of time, got 0\.0"),
        ("notch_mps", -1.0, r"grid\.notch_mps: expected 0 or more"),
        ("ceiling_db", -40.0, r"grid\.ceiling_db: expected more than floor_db = -40\.0"),
        ("quiet_db", -40.0, r"grid\.quiet_db: expected more than floor_db = -40, up to ceiling_db = 0, .* got -40\.0"),
        ("quiet_db", 1.0, r"grid\.quiet_db: expected more than floor_db = -40, .* or null, got 1\.0"),
        ("time", {"start": 0.1, "stop": 1.0, "size": 16}, r"grid\.time\.start: expected 0, the begin of a crop"),
        ("time", {"start": 0.0, "stop": 1.0, "size": 4}, r"grid\.time\.size: expected at least 8, .*, got 4"),
        ("velocity", {"start": 0.0, "stop": 1.0, "size": 4}, r"grid\.velocity\.size: expected at least 8, .*, got 4"),
    ],
)
def test_bad_parameters_are_refused_by_name(key, value, message):
    with pytest.raises(InputError, match=message):
        grid(**{key: value})
