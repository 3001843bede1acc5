"""Complex spectra of a signal lead back to it, show its tones where they are, and tell what is of no signal."""

import numpy as np
import pytest

from echoes import params, seeds
from echoes.errors import InputError
from echoes.rasters import complex_stft, stft
from echoes.rasters.complex_stft import ComplexStftParams, stft_complex

RATE_HZ, WAVELENGTH_M = 2000.0, 0.0124  # which the velocities fill: 2000 * 0.0124 / 4 = 6.2 m/s
GRID = {
    "raster": "stft_complex",
    "velocity": {"start": -6.2, "stop": 6.2, "size": 32},
    "time": {"start": 0.0, "stop": 0.08, "size": 16},
    "hop_s": 0.04,
    "window": "hann",
    "window_s": 0.015,
    "hop": 10,
    "compression": 0.5,
    "notch_mps": 0.0,
    "quiet_db": None,
    "floor_db": -40.0,
    "ceiling_db": 0.0,
}


def grid(**changes) -> ComplexStftParams:
    return params.build(ComplexStftParams, {**GRID, **changes}, "grid")


def tone(velocity_mps: float, rate_hz: float = RATE_HZ) -> np.ndarray:
    """A target that recedes turns the phase backwards."""
    t = np.arange(round(0.16 * rate_hz)) / rate_hz
    return np.exp(-4j * np.pi * velocity_mps / WAVELENGTH_M * t).astype(np.complex64)


def noise() -> np.ndarray:
    rng = seeds.rng(0, "noise")
    return (rng.standard_normal(320) + 1j * rng.standard_normal(320)).astype(np.complex64)


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 5000.0])
@pytest.mark.parametrize("velocity_mps", [-5.0, 0.1, 3.3])
def test_a_tone_lights_the_cell_of_its_velocity_whatever_the_rate(rate_hz, velocity_mps):
    found = stft_complex(tone(velocity_mps, rate_hz), rate_hz, WAVELENGTH_M, grid())
    assert found.shape == (32, 32)
    centres = grid().axes()[0].centres
    strongest = centres[np.abs(found[:, 2:-2]).argmax(axis=0)]
    assert np.abs(strongest - velocity_mps).max() <= grid().velocity.stop / 32 + 1e-6


def test_samples_of_the_spectra_of_a_signal_are_the_signal_but_for_a_phase():
    signal, of = noise(), grid(ceiling_db=60.0)  # nothing is clipped
    values = complex_stft.to_network(stft_complex(signal, RATE_HZ, WAVELENGTH_M, of), of)
    made = stft.samples(values, of.stft)
    assert made.shape == (320,)
    ratio = (np.vdot(made, signal) / np.vdot(made, made)).item()
    np.testing.assert_allclose(ratio * made, signal, atol=1e-3)
    assert stft.inconsistency(values, of.stft) < 1e-5


def test_a_crop_leads_back_to_its_part_of_the_signal():
    signal, of = noise(), grid(ceiling_db=60.0)
    values = complex_stft.to_network(stft_complex(signal, RATE_HZ, WAVELENGTH_M, of), of)[..., 8:24]
    made, part = stft.samples(values, of.stft), signal[80:240]
    np.testing.assert_allclose(np.vdot(made, part) / np.vdot(made, made) * made, part, atol=1e-3)


def test_what_is_no_spectrum_of_a_signal_is_off_by_what_the_nearest_one_lacks():
    """Of white noise in F T cells the spectra of T hop samples hold their share: the rest is the inconsistency."""
    of = grid(compression=1.0, window="boxcar", window_s=0.01, hop=10).stft
    values = seeds.rng(0, "noise").standard_normal((2, 32, 400)) / 10
    assert stft.inconsistency(values, of) ** 2 == pytest.approx(1 - 10 / 32, abs=0.02)  # 10 new samples in 32 bins


def test_a_tone_as_loud_as_the_ceiling_has_amplitude_one():
    of = grid()
    values = complex_stft.to_network(stft_complex(tone(of.axes()[0].centres[20]), RATE_HZ, WAVELENGTH_M, of), of)
    np.testing.assert_allclose(np.abs(stft.samples(values, of.stft))[40:-40], 1, atol=0.02)


def test_powers_are_linear_in_db_whatever_the_compression():
    for compression in (0.3, 1.0):
        magnitude = np.array([1.0, 0.1, 0.01, 0.0]) ** compression  # 0, -20, -40 dB, nothing
        values = np.stack([0.6 * magnitude, -0.8 * magnitude]).reshape(2, 1, 4)
        np.testing.assert_allclose(stft.powers(values, compression, -40.0, 0.0).ravel(), [1, 0, -1, -1], atol=1e-6)


def test_powers_of_what_has_no_two_parts_are_refused():
    with pytest.raises(InputError, match=r"^stft: expected spectrograms of 2 channels, got 1$"):
        stft.powers(np.zeros((3, 1, 8, 8)), 0.5, -40.0, 0.0)


def test_a_crop_is_quiet_by_its_powers():
    rows = np.zeros((2, 2, 32, 16), np.float16)
    rows[:, 1, 3, 4] = 0.5, -0.05  # squares of these are amplitudes: -12 and -52 dB
    np.testing.assert_array_equal(grid(quiet_db=-20.0).moving(rows), [True, False])


def test_compression_keeps_the_phase_and_the_ceiling_the_magnitude():
    found = stft_complex(noise(), RATE_HZ, WAVELENGTH_M, grid())
    real, imaginary = complex_stft.to_network(found, grid(compression=0.3))
    np.testing.assert_allclose(np.angle(real + 1j * imaginary), np.angle(found), atol=1e-4)
    assert np.hypot(real, imaginary).max() == pytest.approx(1, abs=1e-6)


def test_what_is_slower_than_the_notch_is_left_out():
    still, moving = tone(0.2), tone(4.0)
    both, alone = (
        stft_complex(signal, RATE_HZ, WAVELENGTH_M, grid(notch_mps=0.5)) for signal in (still + moving, moving)
    )
    np.testing.assert_allclose(both[:, 4:-4], alone[:, 4:-4], atol=0.5)
    assert np.abs(alone).max() > 10


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"velocity": {"start": 0.0, "stop": 6.2, "size": 32}}, r"^grid\.velocity\.start: expected -6\.2, got 0$"),
        ({"compression": 0.0}, r"^grid\.compression: expected more than 0, up to 1, got 0"),
        ({"window_s": 0.02}, r"^grid\.window_s: expected from a cell .*, 0\.005 to 0\.016 s, got 0\.02$"),
        ({"window_s": 0.005}, r"^grid\.window_s: expected more, as such windows every 0\.005 s leave gaps"),
        ({"window": "kaiser"}, r"^grid\.window: expected a SciPy window without parameters, got 'kaiser'$"),
        ({"hop": 0}, r"^grid\.hop: expected a sample or more"),
    ],
)
def test_a_grid_that_leads_back_to_no_samples_is_refused(changes, told):
    with pytest.raises(InputError, match=told):
        grid(**changes)


@pytest.mark.parametrize(
    ("samples", "wavelength_m", "told"),
    [
        (tone(1.0).real, WAVELENGTH_M, r"^grid\.raster: expected stft for one channel, .*, got stft_complex$"),
        (tone(1.0), 0.0039, r"^grid\.velocity: expected -1\.95 to 1\.95 m/s, .* of 3\.9 mm, got -6\.2 to 6\.2$"),
        (tone(1.0, 1000.0), WAVELENGTH_M, r"^grid\.velocity: expected at most 3\.1 m/s, which 1000 Hz can tell"),
    ],
)
def test_a_signal_that_does_not_fit_is_refused(samples, wavelength_m, told):
    with pytest.raises(InputError, match=told):
        stft_complex(samples, len(samples) / 0.16, wavelength_m, grid())
