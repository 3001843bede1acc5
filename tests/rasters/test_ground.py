import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import params
from echoes.errors import InputError
from echoes.rasters import ground
from echoes.rasters.ground import NoGround, PlaneGround
from echoes.seeds import rng

PLANE = PlaneGround(method="plane", height_m=0.3, cell_m=2.0, slope_max=0.2)


def road(seed: int, slope_x: float, slope_y: float, height_m: float) -> np.ndarray:
    """(4000, 3) a rough tilted road, denser near the sensor as a LiDAR sees it."""
    r = rng(seed, "test", "road")
    range_m, azimuth_rad = 40 * r.random(4000) ** 2 + 2, r.uniform(-np.pi, np.pi, 4000)
    x, y = range_m * np.cos(azimuth_rad), range_m * np.sin(azimuth_rad)
    return np.stack([x, y, slope_x * x + slope_y * y + height_m + r.normal(0, 0.03, 4000)], axis=1)


def things(seed: int, slope_x: float, slope_y: float, height_m: float) -> np.ndarray:
    """(6000, 3) cars, two long walls and crowns of trees on that road, from 0.5 m above it."""
    r = rng(seed, "test", "things")
    cars = r.uniform([-2, -1, 0.5], [2, 1, 1.6], (2000, 3)) + r.choice([[9, -4, 0], [-12, 4, 0], [20, 5, 0]], 2000)
    walls = r.uniform([-40, 0, 0.5], [40, 0.2, 6], (2000, 3)) + r.choice([[0, 12, 0], [0, -14, 0]], 2000)
    crowns = r.uniform([-40, 16, 2.5], [40, 30, 7], (2000, 3))
    points = np.concatenate([cars, walls, crowns])
    points[:, 2] += slope_x * points[:, 0] + slope_y * points[:, 1] + height_m
    return points


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    slope_x=st.floats(-0.15, 0.15),
    slope_y=st.floats(-0.15, 0.15),
    height_m=st.floats(-2.5, -0.5),
)
def test_a_tilted_road_goes_and_what_stands_on_it_stays(seed, slope_x, slope_y, height_m):
    flat, standing = (make(seed, slope_x, slope_y, height_m) for make in (road, things))
    kept = ground.keep(np.concatenate([flat, standing]).astype(np.float32), PLANE)
    assert not kept[: len(flat)].any()
    assert kept[len(flat) :].all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_order_of_the_returns_does_not_matter(seed):
    points = np.concatenate([road(seed, 0.05, -0.1, -1.5), things(seed, 0.05, -0.1, -1.5)]).astype(np.float32)
    points[:, 2] = np.round(points[:, 2], 1)  # many equally low ones
    shuffled = rng(seed, "test", "order").permutation(len(points))
    np.testing.assert_array_equal(ground.keep(points, PLANE)[shuffled], ground.keep(points[shuffled], PLANE))


def test_the_lowest_return_of_each_square_is_found_in_any_order():
    points = rng(3, "test", "lowest").uniform([-9, -9, -2], [9, 9, 2], (3000, 3))
    points = np.round(points * 2) / 2  # many equally low ones
    points = points[(np.abs(points[:, :2]) < 9).all(axis=1)]
    found = ground.lowest(points, 3.0)
    squares = [tuple(square) for square in np.floor(found[:, :2] / 3).astype(int)]
    assert squares == [(i, j) for i in range(-3, 3) for j in range(-3, 3)]
    for square, candidate in zip(squares, found, strict=True):
        assert candidate[2] == points[(np.floor(points[:, :2] / 3) == square).all(axis=1), 2].min()
    np.testing.assert_array_equal(found, ground.lowest(points[::-1], 3.0))


def test_the_plane_is_found_to_centimetres():
    candidates = ground.lowest(road(5, 0.07, -0.11, -1.7), 2.0)
    slope_x, slope_y, height_m = ground.plane(candidates, PLANE)
    assert slope_x == pytest.approx(0.07, abs=0.002)
    assert slope_y == pytest.approx(-0.11, abs=0.002)
    assert height_m == pytest.approx(-1.7, abs=0.08)  # the lowest of a rough surface lie below its middle


def test_a_ring_of_one_laser_at_the_height_of_the_sensor_is_not_the_ground():
    flat = road(2, 0.0, 0.0, -1.5)[:1000]  # the ring covers more squares
    azimuth_rad = np.linspace(-np.pi, np.pi, 4000, endpoint=False)
    range_m = 20 + 20 * rng(2, "test", "ring").random(4000)
    ring = np.stack([range_m * np.cos(azimuth_rad), range_m * np.sin(azimuth_rad), np.zeros(4000)], axis=1)
    kept = ground.keep(np.concatenate([flat, ring]), PLANE)
    assert not kept[: len(flat)].any()
    assert kept[len(flat) :].all()


def test_what_lies_below_the_ground_goes_too_and_does_not_bend_it():
    flat, standing = road(4, 0.03, 0.05, -1.5), things(4, 0.03, 0.05, -1.5)
    mirrored = rng(4, "test", "mirrored").uniform([5, -20, -6], [30, 20, -3], (60, 3))
    kept = ground.keep(np.concatenate([flat, mirrored, standing]), PLANE)
    assert not kept[: len(flat) + 60].any()
    assert kept[len(flat) + 60 :].all()


def test_the_margin_is_measured_from_the_plane():
    flat = road(6, 0.0, 0.0, 0.0)
    flat[:, 2] = 0.0
    probes = np.array([[6.0, 1.0, 0.25], [6.0, 1.0, 0.35], [-30.0, 3.0, 0.29], [-30.0, 3.0, 0.31]])
    assert ground.keep(np.concatenate([flat, probes]), PLANE)[-4:].tolist() == [False, True, False, True]


@pytest.mark.parametrize("count", [0, 1, 19])
def test_frames_with_too_few_returns_are_kept_whole(count):
    points = np.stack([np.arange(count) * 3.0, np.zeros(count), np.zeros(count)], axis=1)
    assert ground.keep(points, PLANE).tolist() == [True] * count


def test_the_method_none_keeps_everything():
    assert ground.keep(road(0, 0.0, 0.0, -1.5), NoGround(method="none")).all()


def test_the_section_of_the_params_chooses_the_method():
    section = {"method": "plane", "height_m": 0.3, "cell_m": 2, "slope_max": 0.2}
    assert params.build(ground.Ground, section, "astyx.voxelize.ground") == PLANE
    assert params.build(ground.Ground, {"method": "none"}, "astyx.voxelize.ground") == NoGround("none")
    with pytest.raises(InputError, match=r"astyx\.voxelize\.ground\.cell_m: expected a positive number, got 0\.0"):
        params.build(ground.Ground, section | {"cell_m": 0}, "astyx.voxelize.ground")


def test_the_ground_is_what_was_kept_from_above_it():
    points = np.concatenate([road(7, 0.05, -0.1, -1.5), things(7, 0.05, -0.1, -1.5)])
    plane = ground.fit(points, PLANE)
    assert plane == pytest.approx((0.05, -0.1, -1.5), abs=0.08)
    np.testing.assert_array_equal(ground.above(points, plane, 0.3), ground.keep(points, PLANE))
    assert (ground.height_of(PLANE), ground.height_of(NoGround("none"))) == (0.3, 0.0)


def test_no_ground_is_found_where_none_is_asked_for_or_too_little_is_seen():
    points = road(0, 0.0, 0.0, -1.5)
    assert ground.fit(points, NoGround("none")) is None
    few = np.stack([np.arange(19) * 3.0, np.zeros(19), np.zeros(19)], axis=1)
    assert ground.fit(few, PLANE) is None
    assert ground.fit(np.concatenate([few, few + np.array([0, 3, 0])]), PLANE) is not None


@given(
    seed=st.integers(0, 2**31),
    slopes=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    height_m=st.floats(-3, 3),
    angle_rad=st.floats(-4, 4),
)
def test_what_is_above_the_ground_stays_so_when_points_and_plane_are_turned_alike(seed, slopes, height_m, angle_rad):
    x, y, z = rng(seed, "test", "turned").uniform([-40, -40, -9], [40, 40, 9], (200, 3)).T
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turned = np.stack([x * cos - y * sin, x * sin + y * cos, z], axis=1)
    plane = (*slopes, height_m)
    expected = ground.above(np.stack([x, y, z], axis=1), plane, 0.3)
    np.testing.assert_array_equal(ground.above(turned, ground.rotated(plane, angle_rad), 0.3), expected)
    assert ground.rotated(plane, 0.0) == plane


def test_a_quarter_turn_takes_the_slope_ahead_to_the_left():
    assert ground.rotated((0.1, 0.0, -2.0), np.pi / 2) == pytest.approx((0.0, 0.1, -2.0))
