"""Walkers and runners: speed, cycle, feet on the ground, limbs that keep their length."""

from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from echoes.readers.people import body, gait, scenario

ROOT = Path(__file__).resolve().parents[3] / "data" / "raw" / "microdoppler"
PEOPLE = scenario.load(ROOT)
SIZE = body.lengths(1.75)
PHASE = np.linspace(0, 3, 3001)
WALKING = gait.Walking(1.3, 1.0, 1.0, 0.0, 1.0, 1.0, 0.03)
RUNNING = gait.Running(3.2, 2.8, 0.34, 0.5, 1.5, 0.33, 0.04, 0.1)
GAITS = {
    "walk": (gait.walk(WALKING, SIZE, PHASE), gait.walking_cycle_s(WALKING, SIZE), 1.3),
    "run": (gait.run(RUNNING, SIZE, PHASE), gait.running_cycle_s(RUNNING), 3.2),
}


def velocity(position, cycle_s):
    return np.gradient(position, PHASE * cycle_s, axis=0)


def test_the_cycle_of_a_walker_is_that_of_the_model():
    relative = 1.3 / SIZE.leg
    assert gait.walking_cycle_s(WALKING, SIZE) == pytest.approx(1.346 * relative**0.5 / relative)
    assert gait.walking_cycle_s(WALKING._replace(cadence=1.1), SIZE) == pytest.approx(1.346 / relative**0.5 / 1.1)


@pytest.mark.parametrize("name", GAITS)
def test_the_body_goes_as_fast_as_commanded(name):
    posture, cycle_s, speed_mps = GAITS[name]
    way = posture.pelvis[-1] - posture.pelvis[0]
    np.testing.assert_allclose(way, [3 * cycle_s * speed_mps, 0, 0], atol=1e-9)


@pytest.mark.parametrize("name", GAITS)
def test_a_gait_repeats_itself_and_the_left_leg_does_what_the_right_one_did_half_a_cycle_before(name):
    posture, _, _ = GAITS[name]
    for field in ("hip", "knee", "ankle", "shoulder", "elbow"):
        angle = getattr(posture, field)
        np.testing.assert_allclose(angle[1000:], angle[:-1000], atol=1e-9)
        np.testing.assert_allclose(angle[500:, 0], angle[:-500, 1], atol=1e-9)


@pytest.mark.parametrize("name", GAITS)
def test_segments_keep_their_lengths(name):
    at = body.joints(GAITS[name][0], SIZE)
    for start, end in body.SEGMENTS.values():
        length = np.linalg.norm(getattr(at, end) - getattr(at, start), axis=-1)
        np.testing.assert_allclose(length, length.flat[0], rtol=1e-9)


@pytest.mark.parametrize(("name", "flat"), [("walk", (0.12, 0.38)), ("run", (0.03, 0.31))])
def test_a_standing_foot_stays_where_it_is(name, flat):
    posture, cycle_s, speed_mps = GAITS[name]
    at = body.joints(posture, SIZE)
    phase = PHASE % 1
    standing = (phase > flat[0]) & (phase < flat[1])
    ankle = velocity(at.ankle[:, 1], cycle_s)[standing]
    assert np.abs(ankle[:, 0]).max() < 0.25 * speed_mps
    assert np.abs(ankle[:, 0]).mean() < 0.12 * speed_mps
    sole = np.minimum(at.heel[..., 2], at.toe[..., 2])
    assert sole.min() > -0.02
    assert sole[standing, 1].max() < 0.05


def test_a_runner_flies_and_a_walker_does_not():
    lowest = {n: np.min(body.joints(p, SIZE).toe[..., 2], axis=1).max() for n, (p, _, _) in GAITS.items()}
    assert lowest["walk"] < 0.05 < lowest["run"]


def test_a_swinging_foot_passes_the_body_and_the_torso_bobs_twice_per_cycle():
    posture, cycle_s, speed_mps = GAITS["walk"]
    foot = velocity(body.joints(posture, SIZE).toe[:, :, 0], cycle_s)
    assert 3 * speed_mps < foot.max() < 5 * speed_mps
    spectrum = np.abs(np.fft.rfft(posture.pelvis[:3000, 2] - posture.pelvis[:3000, 2].mean()))
    assert spectrum.argmax() == 2 * 3


def corner(section, end):
    """A style made of the ends of the spans of a section, with degrees in radians."""
    values = [(f.name, getattr(section, f.name)) for f in fields(section)]
    return [np.deg2rad(v[end]) if n.endswith("_deg") else v[end] for n, v in values]


@pytest.mark.parametrize("user", PEOPLE.users)
@pytest.mark.parametrize("end", [0, 1])
def test_all_users_keep_below_the_fastest_velocity_of_the_radars(user, end):
    values = PEOPLE.users[user]
    size = body.lengths(values.height_m)
    walking, running = gait.Walking(*corner(values.walk, end)), gait.Running(*corner(values.run, end))
    fastest = min(radar.wavelength_m * radar.prf_hz / 4 for radar in PEOPLE.radars.values())
    for posture, cycle_s in (
        (gait.walk(walking, size, PHASE), gait.walking_cycle_s(walking, size)),
        (gait.run(running, size, PHASE), gait.running_cycle_s(running)),
    ):
        for joint in body.joints(posture, size):
            assert np.linalg.norm(velocity(joint, cycle_s), axis=-1).max() < fastest


@settings(max_examples=25, deadline=None)
@given(st.floats(0.7, 2.0), st.floats(1.3, 2.2), st.floats(0.75, 1.3), st.floats(0.6, 1.5))
def test_every_walk_that_the_scenario_allows_is_finite_and_on_the_ground(speed, height, cadence, knee_lift):
    style = WALKING._replace(speed_mps=speed, cadence=cadence, knee_lift=knee_lift)
    size = body.lengths(height)
    at = body.joints(gait.walk(style, size, PHASE[:1001]), size)
    assert min(at.heel[..., 2].min(), at.toe[..., 2].min()) == pytest.approx(0, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(st.floats(1.8, 4.5), st.floats(1.3, 2.2), st.floats(2.2, 3.6), st.floats(0.25, 0.45), st.floats(0.1, 0.45))
def test_every_run_that_the_scenario_allows_is_finite(speed, height, steps, duty, lift):
    assume(duty * speed * 2 / steps <= scenario.LONGEST_SUPPORT * height)
    style = RUNNING._replace(speed_mps=speed, steps_hz=steps, duty=duty, lift=lift)
    posture = gait.run(style, body.lengths(height), PHASE[:1001])
    assert all(np.isfinite(values).all() for values in posture)


def test_a_reach_and_a_bend_are_inverse():
    way = np.array([[0.2, -0.8], [-0.3, -0.6], [0.0, -0.85]])
    thigh, knee = gait._bend(way, SIZE)
    calf = thigh - knee
    x = SIZE.thigh * np.sin(thigh) + SIZE.calf * np.sin(calf)
    z = -SIZE.thigh * np.cos(thigh) - SIZE.calf * np.cos(calf)
    np.testing.assert_allclose(np.stack([x, z], axis=-1), way, atol=1e-12)
    assert (knee > 0).all()


def test_heights_of_the_joints_of_someone_upright_are_those_of_drillis_and_contini():
    upright = body.lengths(1.0)
    assert upright.leg == pytest.approx(0.530)
    assert upright.leg + upright.torso == pytest.approx(0.818)
    assert upright.leg + upright.torso + upright.head == pytest.approx(1.0)
    assert all(a >= b for a, b in pairwise([upright.torso, upright.calf, upright.thigh, upright.upper_arm]))
