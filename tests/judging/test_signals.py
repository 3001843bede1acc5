"""What a recording tells of itself, on signals whose faults are known."""

import numpy as np
import pytest

from echoes import seeds
from echoes.judging.signals import measure
from echoes.readers.recordings import Picture, Returns, Signal, clipped

RATE_HZ, WAVELENGTH_M = 2000.0, 0.0124


def walker(fastest_hz: float = 300.0, seconds: float = 4.0, noise: float = 1e-3) -> np.ndarray:
    """An echo whose frequency sweeps from -fastest to +fastest and back, in noise."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(fastest_hz * np.sin(np.pi * time_s / 2)) / RATE_HZ
    rng = seeds.rng(0, "walker")
    white = rng.standard_normal(len(time_s)) + 1j * rng.standard_normal(len(time_s))
    return np.exp(1j * phase) + noise * white


def told(samples: np.ndarray):
    return measure(Signal(samples.astype(np.complex64), RATE_HZ, WAVELENGTH_M))


def unbalanced(samples: np.ndarray, gain: float, turn_rad: float) -> np.ndarray:
    return samples.real + 1j * gain * (samples.imag * np.cos(turn_rad) + samples.real * np.sin(turn_rad))


@pytest.mark.parametrize(("gain", "turn_rad"), [(1.12, 0.0), (1.0, 0.09), (0.7, 0.2), (1.08, 0.0)])
def test_the_image_of_an_imbalance_is_that_of_its_gain_and_phase(gain, turn_rad):
    k = gain * np.exp(1j * turn_rad)
    expected_db = 20 * np.log10(abs(1 - k) / abs(1 + np.conj(k)))
    assert told(unbalanced(walker(), gain, turn_rad)).image_db == pytest.approx(expected_db, abs=0.5)


def test_two_movers_that_mirror_each_other_are_no_image():
    swing = walker(seconds=8.0)
    other = np.conj(walker(seconds=8.0)) * np.exp(2j * np.pi * 0.7 * np.arange(len(swing)) / RATE_HZ)
    assert told(swing).image_db is None or told(swing).image_db < -45
    assert told(swing + 0.2 * other).image_db is None


def test_what_is_faster_than_the_rate_tells_folds_over():
    assert told(walker(300.0)).folded == 0
    assert told(walker(1300.0)).folded > 0.01
    assert told(walker(900.0)).folded == 0  # reaches one end, and comes back
    assert told(seeds.rng(1, "noise").standard_normal((8000, 2)) @ [1, 1j]).folded is None


def test_the_share_that_approaches_follows_the_sign_of_the_phase():
    steady = np.exp(2j * np.pi * 200 * np.arange(4000) / RATE_HZ) + 1e-3 * seeds.rng(2, "n").standard_normal(4000)
    assert told(steady).approaching > 0.98
    assert told(steady.conj()).approaching < 0.02
    assert measure(Signal(steady.real.astype(np.float32), RATE_HZ, WAVELENGTH_M)).approaching is None


def test_an_offset_is_told_relative_to_what_changes():
    assert told(walker() + 10).offset_db == pytest.approx(20, abs=1)
    assert told(walker(noise=0.0) - walker(noise=0.0).mean()).offset_db < -60


def test_channels_that_never_change_or_are_one_are_told():
    samples = walker()
    assert told(samples).constant == ""
    assert told(samples.real + 3j).constant == "Q"
    assert told(np.zeros(4000) + 0j).constant == "I and Q"
    assert measure(Signal(np.ones(4000, np.float32), RATE_HZ, WAVELENGTH_M)).constant == "the signal"
    assert (told(samples).one_channel, told(samples.real * (1 - 0.5j)).one_channel) == (False, True)
    scans = Returns(np.arange(3.0), np.arange(3), np.zeros(3, np.float32), np.array([1, 2, 3], np.float32))
    assert measure(scans).constant == "the Doppler"
    assert measure(Picture(np.full((1, 8, 8), 0.06, np.float32))).constant == "the picture"


def test_the_same_recording_has_the_same_digest_and_another_one_has_not():
    samples, other = walker(), walker()
    other[-1] += 1e-3
    assert told(samples).digest == told(samples.copy()).digest
    assert told(samples).digest != told(other).digest


def test_a_recording_too_short_for_spectra_still_tells_of_its_channels():
    found = told(walker()[:60])
    assert (found.folded, found.image_db, found.approaching) == (None, None, None)
    assert found.offset_db is not None


@pytest.mark.parametrize("limit", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("quantum", [1 / 2048, 1 / 32768, None])
def test_samples_at_the_limits_are_counted(limit, quantum):
    wave = np.sin(np.arange(20000) * 0.1237)
    cut = wave.clip(-limit, limit) if quantum is None else np.round(wave.clip(-limit, limit) / quantum).astype(np.int16)
    share = float((np.abs(wave) >= limit).mean())
    assert clipped(cut) == pytest.approx(share, rel=0.05)


@pytest.mark.parametrize("quantum", [1 / 4, 1 / 20, 1 / 128, 1 / 2048, 1 / 32768, None])
def test_what_is_whole_is_not_taken_for_cut_off(quantum):
    """Steps of a quiet recording are coarse, a tone is mostly near its peaks, and silence is 0."""
    rng = seeds.rng(0, "whole")
    for wave in (np.sin(np.arange(20000) * 0.1237), rng.standard_normal(20000), np.abs(rng.standard_normal(20000))):
        assert clipped(wave if quantum is None else np.round(wave / quantum).astype(np.int16)) < 1e-3
    silent = np.concatenate([np.zeros(5000, np.int16), np.arange(100, dtype=np.int16)])
    assert clipped(silent) == clipped(np.zeros(10)) == clipped(np.zeros(0)) == 0
