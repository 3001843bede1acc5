"""Quantities of spectrograms whose motion is known, and distances of sets that are known to differ."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import seeds
from echoes.evaluation import spectrograms

SPAN_DB = 60.0
FRAME_S = 0.04
VELOCITY_MPS = (np.arange(64) + 0.5 - 32) / 8  # 64 bins from -4 to 4 m/s
TIME_S = np.arange(64) * FRAME_S


def ridge(centre_mps: np.ndarray, deviation_mps: float, loss_db: float = 3.0) -> np.ndarray:
    """(F, T) in network range: a Gaussian in linear power around (T,) `centre_mps`, its peak below the ceiling."""
    below_db = 10 / np.log(10) * (VELOCITY_MPS[:, None] - centre_mps) ** 2 / (2 * deviation_mps**2) + loss_db
    return (1 - 2 * below_db / SPAN_DB).clip(-1, 1)


def still(centre_mps: float, deviation_mps: float = 0.4) -> np.ndarray:
    return ridge(np.full(64, centre_mps), deviation_mps)


def swinging(frequency_hz: float, phase: float = 0.0, reach_mps: float = 0.8) -> np.ndarray:
    return ridge(1.0 + reach_mps * np.sin(2 * np.pi * frequency_hz * TIME_S + phase), 0.3)


def motion(pictures: np.ndarray, velocity_mps: np.ndarray = VELOCITY_MPS) -> spectrograms.Motion:
    return spectrograms.motion(pictures, velocity_mps, FRAME_S, SPAN_DB)


def walkers(count: int, purpose: str) -> np.ndarray:
    rng = seeds.rng(0, purpose)
    return np.stack([swinging(rng.uniform(1, 2.5), rng.uniform(0, 6), rng.uniform(0.3, 1)) for _ in range(count)])


def test_power_counts_from_the_floor_up():
    assert spectrograms.power_above_floor(np.array([-1.0, 1.0, -2.0, 3.0]), 20.0) == pytest.approx([0, 99, 0, 99])
    assert spectrograms.power_above_floor(np.array([0.0]), 20.0) == pytest.approx([9])


@pytest.mark.parametrize("centre", [-2.0, -0.31, 0.0, 1.07, 2.2])
def test_a_gaussian_ridge_has_its_width_and_percentiles(centre):
    pictures = still(centre)[None]
    power = spectrograms.power_above_floor(pictures, SPAN_DB)
    assert spectrograms.bandwidth_mps(power, VELOCITY_MPS) == pytest.approx(0.4, abs=2e-3)
    lower, upper = spectrograms.envelopes_mps(power, VELOCITY_MPS)
    assert upper == pytest.approx(centre + 1.8808 * 0.4, abs=0.01)  # the 97 % quantile of a normal distribution
    assert lower == pytest.approx(centre - 1.8808 * 0.4, abs=0.01)
    assert spectrograms.torso_mps(pictures, VELOCITY_MPS, FRAME_S) == pytest.approx(centre, abs=1e-9)


def test_one_bin_has_its_velocity_and_envelopes_inside_it():
    picture = np.full((1, 64, 4), -1.0)
    picture[:, 40] = 0.5
    power = spectrograms.power_above_floor(picture, SPAN_DB)
    lower, upper = spectrograms.envelopes_mps(power, VELOCITY_MPS)
    assert spectrograms.bandwidth_mps(power, VELOCITY_MPS) == pytest.approx(0.0)
    assert lower == pytest.approx(VELOCITY_MPS[40] - 0.47 / 8)
    assert upper == pytest.approx(VELOCITY_MPS[40] + 0.47 / 8)


def test_traces_of_a_decoder_in_silent_frames_are_no_motion():
    silent = seeds.rng(0, "traces").uniform(-1, -1 + 1.8 / SPAN_DB, (1, 64, 64))
    for found in vars(motion(silent)).values():
        assert not found.any()
    seen = np.maximum(silent, still(1.0))
    assert motion(seen).upper_mps == pytest.approx(1.0 + 1.8808 * 0.4, abs=0.01)


def test_the_torso_is_the_strongest_return_and_not_the_mean():
    leg = still(2.5, 0.3) - 20 / SPAN_DB  # 10 dB weaker
    both = np.maximum(still(0.5, 0.3), leg)[None]
    assert spectrograms.torso_mps(both, VELOCITY_MPS, FRAME_S) == pytest.approx(0.5, abs=1e-6)
    shares = spectrograms.power_above_floor(both, SPAN_DB)
    assert (np.einsum("nft,f->nt", shares, VELOCITY_MPS) / shares.sum(axis=1)).min() > 0.6  # the mean


def test_the_torso_line_averages_out_what_lasts_a_single_frame():
    picture = still(0.5, 0.3)
    picture[:, 30] = still(2.5, 0.3)[:, 30]
    found = spectrograms.torso_mps(picture[None], VELOCITY_MPS, FRAME_S)
    assert np.abs(found - 0.5).max() < 0.25


def test_a_torso_at_the_end_of_the_axis_stays_on_it():
    for end in (0, -1):
        picture = np.full((1, 64, 8), -1.0)
        picture[:, end] = 0.0
        assert (spectrograms.torso_mps(picture, VELOCITY_MPS, FRAME_S) == VELOCITY_MPS[end]).all()


def test_a_spectrogram_at_its_floor_shows_no_motion():
    found = motion(np.full((2, 64, 64), -1.0))
    for name in ("lower_mps", "upper_mps", "torso_mps", "bandwidth_mps", "cadence_hz"):
        assert (getattr(found, name) == 0).all(), name


@pytest.mark.parametrize("frequency", [0.8, 1.8, 2.7, 4.0])
@pytest.mark.parametrize("phase", [0.0, 2.0])
def test_an_envelope_that_oscillates_has_that_cadence(frequency, phase):
    found = motion(swinging(frequency, phase)[None]).cadence_hz
    assert found == pytest.approx(frequency, abs=0.08)  # a fifth of the resolution of 2.56 s


def test_a_limb_that_only_one_envelope_sees_has_a_cadence_too():
    body, leg = still(1.0, 0.2), ridge(1.0 - 1.5 * np.abs(np.sin(2 * np.pi * 0.9 * TIME_S)), 0.2, loss_db=8.0)
    for picture in (np.maximum(body, leg), np.maximum(body, leg)[::-1]):
        assert motion(picture[None]).cadence_hz == pytest.approx(1.8, abs=0.06)


def test_both_envelopes_have_a_say_in_the_cadence():
    steady, swing = np.zeros((1, 64)), np.sin(2 * np.pi * 1.8 * TIME_S)[None]
    for pair in ((steady, swing), (swing, steady), (0.5 * np.sin(2 * np.pi * 3 * TIME_S)[None], swing)):
        assert spectrograms.cadence_hz(*pair, FRAME_S) == pytest.approx(1.8, abs=0.06)


def test_what_does_not_oscillate_has_no_cadence():
    steady = motion(np.stack([still(0.7), ridge(np.linspace(-1, 1, 64), 0.4)])).cadence_hz
    assert steady[0] == 0.0
    walking = motion(swinging(1.8)[None]).cadence_hz
    assert walking == pytest.approx(1.8, abs=0.06)


def test_what_is_shorter_than_a_period_of_the_fastest_limb_has_no_cadence():
    moving = np.sin(np.arange(8))[None]
    np.testing.assert_array_equal(spectrograms.cadence_hz(moving, moving, 0.02), [0.0])


def test_cadence_lies_among_those_of_limbs():
    noise = seeds.rng(0, "noise").uniform(-1, 1, (20, 64, 64))
    found = motion(noise).cadence_hz
    assert (found >= 1 / (64 * FRAME_S)).all()
    assert (found <= 5.0).all()


def test_a_set_is_not_apart_from_itself():
    found, labels = motion(walkers(6, "a")), np.array([0, 0, 1, 1, 2, 2])
    assert all(value == 0 for value in spectrograms.distances(found, labels, found, labels).values())


@settings(max_examples=15, deadline=None)
@given(st.floats(-2, 2))
def test_a_shift_of_all_velocities_is_the_distance(shift):
    first, labels = motion(walkers(4, "a")), np.array([0, 0, 1, 1])
    second = motion(walkers(4, "a"), VELOCITY_MPS + shift)
    found = spectrograms.distances(first, labels, second, labels)
    assert found["envelope_w1_mps"] == pytest.approx(abs(shift), abs=1e-9)
    assert found["torso_w1_mps"] == pytest.approx(abs(shift), abs=1e-9)
    assert found["bandwidth_w1_mps"] == pytest.approx(0, abs=1e-9)
    assert found["cadence_w1_hz"] == 0


def test_distances_are_symmetric_and_do_not_depend_on_order():
    first, second = motion(walkers(6, "a")), motion(walkers(8, "b"))
    labels, others = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 0, 1, 1, 1])
    there = spectrograms.distances(first, labels, second, others)
    back = spectrograms.distances(second, others, first, labels)
    assert there == pytest.approx(back)
    order = seeds.rng(0, "order").permutation(8)
    mixed = spectrograms.distances(first, labels, second.take(order), others[order])
    assert there == pytest.approx(mixed)


def test_labels_are_compared_each_with_its_own_and_weigh_the_same():
    slow, fast = motion(np.stack([still(0.5)] * 3)), motion(np.stack([still(0.5), still(2.0)]))
    swapped = motion(np.stack([still(2.0), still(0.5)]))
    assert spectrograms.distances(fast, np.array([0, 1]), swapped, np.array([0, 1]))["torso_w1_mps"] == pytest.approx(
        1.5
    )
    mixed = spectrograms.distances(slow, np.array([0, 0, 1]), fast, np.array([0, 1]))
    assert mixed["torso_w1_mps"] == pytest.approx(0.75)  # 0 for label 0, 1.5 for label 1


def test_a_label_of_one_set_only_does_not_count_and_none_in_common_is_refused():
    first, second = motion(np.stack([still(0.5), still(1.0)])), motion(np.stack([still(0.5), still(-3.0)]))
    assert spectrograms.distances(first, np.array([0, 1]), second, np.array([0, 2]))["torso_w1_mps"] == 0
    with pytest.raises(ValueError, match="label that both sets have"):
        spectrograms.distances(first, np.array([0, 1]), second, np.array([2, 3]))
