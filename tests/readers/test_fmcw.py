"""Range profiles: simulated targets land where they are, and the fast transform is the plain sum."""

import numpy as np
import pytest
from scipy.constants import speed_of_light

from echoes import seeds
from echoes.readers import adc, fmcw
from echoes.readers.chirps import FrameParams

CHIRPS, ANTENNAS, SAMPLES = 64, 3, 32
CHIRP_S, SAMPLED_S, START_HZ, BANDWIDTH_HZ = 1e-3, 5e-5, 77e9, 600e6
WAVELENGTH_M = speed_of_light / (START_HZ + BANDWIDTH_HZ / 2)
RANGES_M = np.arange(SAMPLES) * speed_of_light / (2 * BANDWIDTH_HZ)


def target(range_m, velocity_mps, real=False):
    """The beat signal of one target from the two-way delay: transmitted times conjugate of received."""
    chirp, sample = np.meshgrid(np.arange(CHIRPS), np.arange(SAMPLES), indexing="ij")
    fast_s = sample / SAMPLES * SAMPLED_S
    delay_s = 2 * (range_m + velocity_mps * (chirp * CHIRP_S + fast_s)) / speed_of_light
    phase = 2 * np.pi * (START_HZ * delay_s + BANDWIDTH_HZ / SAMPLED_S * delay_s * fast_s)
    steering = np.exp(1j * 0.7 * np.arange(ANTENNAS))[:, None]
    beat = np.exp(1j * phase)[:, None] * steering
    return beat.real if real else beat


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize(("range_m", "velocity_mps"), [(1.5, 0.4), (2.6, -0.7), (3.0, 0.0), (0.8, 0.9)])
def test_a_target_is_in_the_cell_of_its_range(range_m, velocity_mps, real):
    power = (np.abs(fmcw.range_profiles(target(range_m, velocity_mps, real))) ** 2).mean(axis=(0, 1))
    assert RANGES_M[np.argmax(power)] == pytest.approx(range_m, abs=0.51 * RANGES_M[1])


@pytest.mark.parametrize("velocity_mps", [0.5, -0.5])
def test_the_slow_time_signal_turns_forward_when_the_target_approaches(velocity_mps):
    wall = 30 * target(3.5, 0.0)
    (samples,) = fmcw.slow_time([wall + target(1.5, velocity_mps)])
    assert (samples.shape, samples.dtype) == ((CHIRPS,), np.complex64)
    moving = samples - samples.mean()
    assert np.abs(moving).mean() == pytest.approx(SAMPLES / 2, rel=0.1)  # in its own cell, not beside the wall
    frequency_hz = np.angle(np.vdot(moving[:-1], moving[1:])) / (2 * np.pi * CHIRP_S)
    assert -frequency_hz * WAVELENGTH_M / 2 == pytest.approx(velocity_mps, abs=0.05)


def test_the_signal_is_taken_from_the_antenna_that_sees_the_mover_best():
    gains = np.array([0.1, 1.0, 0.3])[:, None]
    cube = target(1.5, 0.5) * gains
    np.testing.assert_allclose(fmcw.slow_time([cube]), fmcw.slow_time([cube[:, 1:2]]), rtol=1e-6)


def test_frames_after_each_other_are_one_signal_of_one_range_cell():
    cube = (30 * target(3.5, 0.0) + target(1.5, 0.5))[:, :1]
    halves = fmcw.slow_time([cube[:32], cube[32:]])
    np.testing.assert_allclose(halves.reshape(-1), fmcw.slow_time([cube])[0], rtol=1e-6)


def test_a_profile_is_the_plain_sum_over_samples_with_its_phase_turned_around():
    rng = seeds.rng(0, "cube")
    cube = rng.standard_normal((8, 2, 4)) + 1j * rng.standard_normal((8, 2, 4))
    sample = np.arange(4)
    for cell in range(4):
        kernel = (0.5 - 0.5 * np.cos(2 * np.pi * sample / 4)) * np.exp(-2j * np.pi * cell * sample / 4)
        np.testing.assert_allclose(fmcw.range_profiles(cube)[..., cell], np.conj((cube * kernel).sum(axis=2)))


@pytest.mark.parametrize(
    ("name", "antennas", "cell"), [("doppler_example_1.npy", 8, 60), ("simple_frame_1.npy", 1, 41)]
)
def test_the_strongest_mover_of_the_real_frames_is_in_the_cell_where_the_plain_sum_has_it(
    recordings, name, antennas, cell
):
    """The cell of the peak of the range-Doppler map without the chirps' mean, from sums written out."""
    axes = ("chirps", "antennas", "samples") if antennas > 1 else ("chirps", "samples")
    frame = FrameParams(128, antennas, 128, 1, CHIRP_S, None, 1e7, START_HZ)
    (cube,) = adc.Recording(
        recordings / "openradar-adc" / name, adc.Source("adc", axes, "normal", True, "chirps", frame)
    )
    chirps, _, samples = cube.shape
    still = cube - cube.mean(axis=0)
    sums = np.exp(-2j * np.pi * np.outer(np.arange(samples), np.arange(samples)) / samples)
    beats = (still * np.hanning(samples)) @ sums
    turns = np.exp(-2j * np.pi * np.outer(np.arange(chirps), np.arange(chirps)) / chirps)
    plain = (np.abs(np.einsum("vc,car->var", turns, beats * np.hanning(chirps)[:, None, None])) ** 2).mean(axis=1)
    assert np.unravel_index(np.argmax(plain), plain.shape)[1] == cell
    assert np.argmax(fmcw.range_profiles(cube).var(axis=0).mean(axis=0)) == cell
