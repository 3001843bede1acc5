"""The kinematic sieve: its quantities in closed form, and limits that hold for what they were fitted to."""

from dataclasses import asdict

import numpy as np
import pytest

from echoes import params, seeds
from echoes.errors import InputError
from echoes.evaluation import kinematics
from echoes.evaluation.kinematics import QUANTITIES, Limits
from echoes.grids import Axis

SPAN_DB = 40.0
VELOCITY, TIME = Axis("velocity", "m/s", -4.0, 4.0, 64), Axis("time", "s", 0.0, 2.56, 64)
NOTHING = dict.fromkeys(QUANTITIES, 0.0)
WIDE = dict.fromkeys(QUANTITIES, (-9.0, 9.0))


def measured(spectrograms):
    """(N, F, T) of one channel -> quantity -> (N,)."""
    found = kinematics.quantities(np.asarray(spectrograms)[:, None], VELOCITY, TIME, SPAN_DB)
    return dict(zip(QUANTITIES, found.T, strict=True))


def ridge(centre_mps):
    """(F, T) a line of Gaussian width 0.4 m/s, 40 dB above the floor, at (T,) velocities."""
    db = -((VELOCITY.centres[:, None] - np.broadcast_to(centre_mps, TIME.size)) ** 2) / (2 * 0.4**2) * 10 / np.log(10)
    return (1 + 2 * db / SPAN_DB).clip(-1, 1)


def test_a_steady_line_has_its_speed_its_width_and_no_cadence():
    for centre in (1.0, -1.0):  # the faster one, whichever way it goes
        found = measured([ridge(centre)])
        assert found["speed_mps"] == pytest.approx(1.0 + 1.8808 * 0.4, abs=0.01)
        assert found["torso_mps"] == pytest.approx(1.0, abs=1e-6)
        assert found["bandwidth_mps"] == pytest.approx(0.4, abs=2e-3)
        assert found["cadence_hz"] == 0


def test_the_fastest_frame_counts_and_a_swing_has_its_cadence():
    swing = measured([ridge(0.5 + 1.5 * np.sin(2 * np.pi * 1.8 * TIME.centres))])
    assert swing["speed_mps"] == pytest.approx(2.0 + 1.8808 * 0.4, abs=0.02)
    assert swing["cadence_hz"] == pytest.approx(1.8, abs=0.08)


def test_a_speck_that_has_little_power_is_outside_by_its_brightness():
    """20 dB below the body, a hundredth of the power of a frame, and half as bright."""
    picture = np.full((1, 64, 64), -1.0)
    picture[:, 40] = 1
    assert measured(picture)["outside_share"] == 0
    picture[:, 60, :32] = 0
    assert measured(picture)["outside_share"] == pytest.approx(0.25 / 1.25)
    assert measured(np.full((1, 64, 64), -1.0))["outside_share"] == 0


def test_colours_are_measured_by_their_brightness_and_each_spectrogram_alone():
    rng = seeds.rng(0, "noise")
    colours = rng.uniform(-1, 1, (kinematics.BATCH + 3, 3, 64, 64))
    every = kinematics.quantities(colours, VELOCITY, TIME, SPAN_DB)
    np.testing.assert_allclose(every[-2:], kinematics.quantities(colours[-2:], VELOCITY, TIME, SPAN_DB))
    np.testing.assert_allclose(every[:2].T, list(measured(colours[:2].mean(axis=1)).values()))
    assert kinematics.quantities(colours[:0], VELOCITY, TIME, SPAN_DB).shape == (0, len(QUANTITIES))


def test_limits_hold_for_99_in_100_of_what_they_were_fitted_to_each_activity_by_itself():
    values = seeds.rng(0, "values").normal(size=(4000, 5)) + np.repeat([0, 10], 2000)[:, None]
    labels = np.repeat([0, 2], 2000)
    limits = kinematics.fit(values, labels, ("walk", "fly", "run"), NOTHING)
    assert set(limits.of) == {"walk", "run"}
    assert limits.of["walk"]["torso_mps"] == pytest.approx((-2.576, 2.576), abs=0.3)  # of a normal distribution
    for name, own in (("walk", labels == 0), ("run", labels == 2)):
        for i, quantity in enumerate(QUANTITIES):
            least, largest = limits.of[name][quantity]
            inside = (values[own, i] >= least) & (values[own, i] <= largest)
            assert inside.mean() == pytest.approx(0.99, abs=5e-4)
    names = ["walk" if label == 0 else "run" for label in labels]
    assert limits.hold(values, names).mean() == pytest.approx(0.99**5, abs=0.01)
    assert not limits.hold(values, names[::-1]).any()


def test_limits_are_wider_by_what_a_spectrogram_does_not_tell_apart():
    least = kinematics.resolution(VELOCITY, TIME)
    assert (least["speed_mps"], least["cadence_hz"]) == (0.125, 1 / 2.56)
    limits = kinematics.fit(np.ones((3, 5)), np.zeros(3, int), ("walk",), least)
    assert {name: limits.of["walk"][name] for name in QUANTITIES} == {n: (1 - least[n], 1 + least[n]) for n in least}


def test_the_first_quantity_beyond_its_limits_is_named():
    limits = Limits({"walk": {**WIDE, "torso_mps": (0.0, 1.0), "cadence_hz": (0.0, 2.0)}})
    values = np.array([[0, 1, 0, 2, 0], [0, 1.1, 0, 3, 0], [0, 0.5, 0, -0.1, 0]])
    assert limits.broken(values, "walk") == [None, "torso_mps", "cadence_hz"]


def test_limits_survive_as_json_and_what_are_none_is_refused():
    limits = Limits({"walk": WIDE})
    assert params.build(Limits, asdict(limits), "cd: sieve") == limits
    with pytest.raises(InputError, match=r"^cd: sieve\.of\.walk: expected speed_mps, .*, got speed_mps$"):
        params.build(Limits, {"of": {"walk": {"speed_mps": [0, 1]}}}, "cd: sieve")
    with pytest.raises(InputError, match=r"^cd: sieve\.of\.walk\.torso_mps: expected a least and a largest value"):
        params.build(Limits, {"of": {"walk": {**WIDE, "torso_mps": [1, 0]}}}, "cd: sieve")
