"""Waving, falling, sitting down: feet that stay, limbs above the ground, beginnings and ends at rest."""

from pathlib import Path

import numpy as np
import pytest

from echoes.readers.people import body, movements, radar, scenario, scene

ROOT = Path(__file__).resolve().parents[3] / "data" / "raw" / "microdoppler"
PEOPLE = scenario.load(ROOT)
TIMES = radar.instants(2.56)
SIZE = body.lengths(1.7)
STILL = movements.stand(SIZE, TIMES, np.zeros(len(TIMES)))


def moving(user, activity, draw):
    rng = np.random.default_rng(draw)
    return scene.person(PEOPLE, PEOPLE.users[user], activity, TIMES, rng).position


def test_a_movement_with_both_exponents_2_has_minimum_jerk():
    u = np.linspace(0, 1, 11)
    np.testing.assert_allclose(movements.progress(u, 2, 2), 10 * u**3 - 15 * u**4 + 6 * u**5, atol=1e-12)


def test_who_stands_is_as_tall_as_said_and_has_the_soles_on_the_ground():
    at = body.joints(STILL, SIZE)
    assert at.crown[0] == pytest.approx([0, 0, 1.7])
    np.testing.assert_allclose(at.heel[..., 2], 0, atol=1e-12)
    np.testing.assert_allclose(at.toe[..., 2], 0, atol=1e-12)


def test_the_feet_stay_when_someone_sits_down_and_the_thighs_end_level():
    share = np.linspace(0, 1, len(TIMES))
    at = body.joints(movements.sit(STILL, SIZE, share, 0.7, 0.0, np.pi / 2), SIZE)
    np.testing.assert_allclose(at.heel, np.broadcast_to(at.heel[0], at.heel.shape), atol=1e-12)
    assert at.hip[-1, :, 2] == pytest.approx(at.knee[-1, :, 2])
    assert at.pelvis[-1, 0] == pytest.approx(-SIZE.thigh)


@pytest.mark.parametrize("hands", [(True, False), (True, True)])
def test_the_hands_that_wave_are_above_the_elbow_and_the_others_hang(hands):
    swing = np.sin(2 * np.pi * TIMES)
    at = body.joints(movements.wave(STILL, swing, np.array(hands), 1.0, 0.1, 0.5), SIZE)
    above = at.fingertip[..., 2] > at.elbow[..., 2]
    assert above.all(axis=0).tolist() == list(hands)
    assert (~above).all(axis=0).tolist() == [not hand for hand in hands]


def test_tipping_turns_what_stands_forward_onto_the_ground():
    points = np.array([[[0.0, 0.1, 1.5]]])
    np.testing.assert_allclose(movements.tip(points, np.array([np.pi / 2]), np.zeros(3)), [[[1.5, 0.1, 0]]], atol=1e-12)


@pytest.mark.parametrize("user", PEOPLE.users)
@pytest.mark.parametrize("activity", ["wave", "fall", "sit"])
def test_nobody_sinks_into_the_ground_or_outruns_the_radar(user, activity):
    fastest = min(sensor.wavelength_m * sensor.prf_hz / 4 for sensor in PEOPLE.radars.values())
    for draw in range(4):
        position = moving(user, activity, draw)
        assert position[..., 2].min() > -0.12  # a heel that a turn around the toe lifts, or arms beside the body
        assert np.linalg.norm(np.diff(position, axis=0), axis=-1).max() / radar.STEP_S < fastest


@pytest.mark.parametrize("activity", ["fall", "sit"])
@pytest.mark.parametrize("user", PEOPLE.users)
def test_a_fall_and_a_sit_begin_and_end_at_rest_and_go_down(user, activity):
    position = moving(user, activity, 5)
    speed = np.linalg.norm(np.diff(position, axis=0), axis=-1) / radar.STEP_S
    assert speed[:20].max() < 0.1
    assert speed[-20:].max() < 0.1
    assert speed.max() > 1
    lost = position[0, :, 2].max() - position[-1, :, 2].max()
    assert lost > (1.0 if activity == "fall" else 0.2)


def test_a_fall_goes_the_way_that_the_user_falls():
    for user, values in PEOPLE.users.items():
        if values.fall.forward_probability in (0, 1):
            position = moving(user, "fall", 3)
            range_m = np.linalg.norm(position[..., :2], axis=-1).mean(axis=1)
            assert (range_m[-1] < range_m[0]) == bool(values.fall.forward_probability)


def test_waving_is_as_fast_to_as_fro():
    position = moving("4", "wave", 0)
    way = np.linalg.norm(position, axis=-1)
    speed = np.diff(way, axis=0) / radar.STEP_S
    assert speed.max() == pytest.approx(-speed.min(), rel=0.15)
    assert speed.max() > 0.8


@pytest.mark.parametrize("activity", ["walk", "run"])
def test_people_come_and_go_and_are_nearest_at_one_end(activity):
    low, high = PEOPLE.place.range_m
    towards = []
    for draw in range(12):
        middle = moving("3", activity, draw)[..., :2].mean(axis=1)
        range_m = np.linalg.norm(middle, axis=-1)
        towards.append(range_m[-1] < range_m[0])
        assert low - 1e-6 <= range_m.min() <= high + 0.1
    assert 0 < sum(towards) < 12


def test_the_arms_hang_to_both_sides_alike():
    at = body.joints(STILL, SIZE)
    np.testing.assert_allclose(at.fingertip[:, 0] * [1, -1, 1], at.fingertip[:, 1], atol=1e-12)
    assert at.fingertip[0, 0, 1] > at.shoulder[0, 0, 1]
