"""Ego velocity from Doppler: exact on points that move with the ground, robust, and honest when it cannot tell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import seeds
from echoes.errors import InputError
from echoes.readers import ego_motion
from echoes.readers.ego_motion import Doppler, compensate, directions, estimate, over_ground

PLAIN = Doppler(span_mps=None, static_mps=0.2, static_share=0.2, max_speed_mps=40.0)
WRAPPING = Doppler(span_mps=10.4, static_mps=0.2, static_share=0.2, max_speed_mps=40.0)


def scene(velocity, count=400, moving=0.0, noise_mps=0.0, span_mps=None, seed=0):
    """(N, 5) points over +-50 degrees; a share `moving` of them has a Doppler of its own."""
    rng = seeds.rng(seed, "scene")
    azimuth, elevation = rng.uniform(-0.9, 0.9, count), rng.uniform(-0.2, 0.2, count)
    range_m = rng.uniform(2.0, 90.0, count)
    level = range_m * np.cos(elevation)
    xyz = np.column_stack([level * np.cos(azimuth), level * np.sin(azimuth), range_m * np.sin(elevation)])
    doppler = -directions(xyz) @ np.asarray(velocity) + rng.normal(0, noise_mps, count)
    doppler[: int(moving * count)] += rng.uniform(1.0, 4.5, int(moving * count))
    if span_mps is not None:
        doppler -= span_mps * np.round(doppler / span_mps)
    return np.column_stack([xyz, doppler, np.full(count, 60.0)])


@settings(deadline=None, max_examples=25)
@given(st.floats(-25, 25), st.floats(-3, 3), st.integers(0, 10**6))
def test_static_points_alone_give_the_ego_velocity(forward, left, seed):
    fit = estimate(scene((forward, left, 0.0), seed=seed), PLAIN)
    np.testing.assert_allclose(fit.velocity, (forward, left, 0.0), atol=1e-3)
    assert fit.static.all()


@settings(deadline=None, max_examples=25)
@given(st.floats(-25, 25), st.floats(-3, 3), st.integers(0, 10**6))
def test_a_doppler_that_repeats_gives_the_same_velocity(forward, left, seed):
    radar = scene((forward, left, 0.0), span_mps=10.4, seed=seed)
    fit = estimate(radar, WRAPPING)
    np.testing.assert_allclose(fit.velocity, (forward, left, 0.0), atol=1e-3)


def test_moving_points_do_not_bend_the_velocity_and_are_not_static():
    radar = scene((9.0, 0.5, 0.1), moving=0.45, noise_mps=0.05)
    fit = estimate(radar, PLAIN)
    np.testing.assert_allclose(fit.velocity, (9.0, 0.5, 0.1), atol=0.05)
    assert not fit.static[:180].any()
    assert fit.static[180:].mean() > 0.99
    np.testing.assert_allclose(fit.residual_mps[180:], 0, atol=0.3)


def test_the_same_points_in_any_order_give_the_same_velocity():
    radar = scene((9.0, 0.5, 0.0), moving=0.4, noise_mps=0.1)
    shuffled = seeds.rng(1, "order").permutation(radar)
    np.testing.assert_allclose(estimate(radar, PLAIN).velocity, estimate(shuffled, PLAIN).velocity, atol=1e-9)


def test_pairs_are_made_across_the_field_of_view_whatever_the_order_of_the_points():
    """Two layers of the same azimuths: neighbours in the list of the points would tell nothing."""
    layer = scene((9.0, 0.5, 0.0), count=100)
    layer[:, 2] = 0
    layer[:, 3] = -directions(layer) @ np.array([9.0, 0.5, 0.0])
    twice = np.concatenate([layer, layer])
    np.testing.assert_allclose(estimate(twice, PLAIN).velocity, (9.0, 0.5, 0.0), atol=1e-3)


def test_the_velocity_is_the_least_squares_fit_to_the_points_it_calls_static():
    radar = scene((9.0, 0.5, 0.1), moving=0.3, noise_mps=0.1)
    fit = estimate(radar, PLAIN)
    expected = np.linalg.lstsq(directions(radar)[fit.static], -radar[fit.static, 3], rcond=None)[0]
    np.testing.assert_allclose(fit.velocity, expected, atol=2e-2)
    np.testing.assert_allclose(fit.velocity[:2], expected[:2], atol=1e-3)
    np.testing.assert_array_equal(fit.static, np.abs(fit.residual_mps) < PLAIN.static_mps)


def test_a_radar_without_elevation_gives_a_velocity_in_its_plane():
    radar = scene((9.0, 0.5, 0.0))
    radar[:, 2] = 0
    radar[:, 3] = -directions(radar) @ np.array([9.0, 0.5, 0.0])
    np.testing.assert_allclose(estimate(radar, PLAIN).velocity, (9.0, 0.5, 0.0), atol=1e-3)


def test_a_handful_of_points_near_the_horizon_leaves_the_vertical_velocity_near_zero():
    radar = scene((9.0, 0.0, 0.0), count=12, noise_mps=0.1)
    radar[:, 2] *= 0.05
    assert abs(estimate(radar, PLAIN).velocity[2]) < 0.5


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_points_give_no_velocity(count):
    assert estimate(scene((9.0, 0.0, 0.0))[:count], PLAIN) is None


def test_points_in_one_direction_give_no_velocity():
    radar = scene((9.0, 0.0, 0.0))
    radar[:, 1] = 0
    assert estimate(radar, PLAIN) is None


def test_points_at_the_radar_itself_give_no_velocity():
    assert estimate(np.zeros((50, 5)), PLAIN) is None


def test_points_that_agree_on_nothing_give_no_velocity():
    radar = scene((0.0, 0.0, 0.0))
    radar[:, 3] = seeds.rng(0, "chaos").uniform(-40, 40, len(radar))
    assert estimate(radar, PLAIN) is None


@given(st.floats(-30, 30), st.floats(-3, 3), st.sampled_from([None, 10.4]))
def test_compensation_makes_static_points_stand_still_and_touches_nothing_else(forward, left, span_mps):
    velocity = np.array([forward, left, 0.0])
    radar = scene(velocity, count=50, span_mps=span_mps)
    compensated = compensate(radar, velocity, span_mps)
    np.testing.assert_allclose(compensated[:, 3], 0, atol=1e-9)
    np.testing.assert_array_equal(compensated[:, [0, 1, 2, 4]], radar[:, [0, 1, 2, 4]])


def test_a_point_that_recedes_over_ground_keeps_that_velocity():
    point = np.array([[10.0, 0.0, 0.0, 3.0 - 9.0, 60.0]])
    assert over_ground(point, np.array([9.0, 0.0, 0.0]), None) == pytest.approx([3.0])
    point[0, 3] += 10.4
    assert over_ground(point, np.array([9.0, 0.0, 0.0]), 10.4) == pytest.approx([3.0])


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"static_mps": 0.0}, "static_mps"),
        ({"max_speed_mps": -1.0}, "max_speed_mps"),
        ({"static_share": 1.0}, "static_share"),
        ({"span_mps": 0.3}, "span_mps"),
    ],
)
def test_impossible_parameters_are_refused_by_name(changed, word):
    values = {"span_mps": None, "static_mps": 0.2, "static_share": 0.2, "max_speed_mps": 40.0}
    with pytest.raises(InputError, match=f"^{word}: "):
        Doppler(**(values | changed))


def test_the_voters_are_spread_over_all_points():
    assert ego_motion._spread(5, 3).tolist() == [0, 2, 4]
    assert ego_motion._spread(2, 3).tolist() == [0, 1]
