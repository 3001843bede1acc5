"""What radar frames are compared by, on frames whose answer is known."""

import numpy as np
import pytest

from echoes.commands import radar_summary
from echoes.commands.radar_summary import View
from echoes.readers.ego_motion import Doppler, directions

DOPPLER = Doppler(span_mps=None, static_mps=0.3, static_share=0.2, max_speed_mps=30.0)
VIEW = View(range_m=100.0, height_m=1.0)


def scene(count: int, rng: np.random.Generator, speed_mps: float = 10.0, noise_mps: float = 0.0) -> np.ndarray:
    """Static points on a wall of random distances, seen from a radar that drives forward."""
    azimuth, range_m = rng.uniform(-1, 1, count), rng.uniform(5, 95, count)
    points = np.column_stack([range_m * np.cos(azimuth), range_m * np.sin(azimuth), np.zeros(count)])
    doppler = -directions(points) @ np.array([speed_mps, 0, 0]) + noise_mps * rng.standard_normal(count)
    return np.column_stack([points, doppler, rng.uniform(40, 60, count)])


def test_values_on_a_lattice_show_its_step_and_others_none():
    rng = np.random.default_rng(0)
    assert radar_summary.lattice(0.25 * rng.integers(-40, 40, 5000)) == pytest.approx(0.25)
    assert radar_summary.lattice(rng.normal(size=5000)) is None
    assert radar_summary.lattice(np.zeros(5000)) is None
    assert radar_summary.lattice(rng.choice(rng.normal(size=40), 5000)) is None


def test_points_of_each_frame_are_counted_and_empty_frames_too():
    rng = np.random.default_rng(0)
    frames = radar_summary.gather([scene(40, rng), np.zeros((0, 5)), scene(7, rng)], DOPPLER)
    assert frames.per_frame().tolist() == [40, 0, 7]
    assert frames.per_frame(frames.range_m > 1e3).tolist() == [0, 0, 0]


def test_the_deviation_of_doppler_over_ground_is_that_of_its_noise():
    rng = np.random.default_rng(0)
    frames = radar_summary.gather([scene(3000, rng, noise_mps=0.05) for _ in range(4)], DOPPLER)
    (measured,) = radar_summary.summary(frames, VIEW)["Doppler over ground, 25 % [m/s]"]
    assert measured == pytest.approx(0.05 * 0.3186, rel=0.05)  # the first quartile of |N(0, 1)|


def test_a_standing_radar_tells_no_noise_of_its_doppler():
    frames = radar_summary.gather([scene(300, np.random.default_rng(0), speed_mps=0.0)], DOPPLER)
    assert np.isnan(radar_summary.summary(frames, VIEW)["Doppler over ground, 25 % [m/s]"]).all()


def test_a_point_far_from_all_others_is_alone():
    cloud = np.zeros((4, 5))
    cloud[:, 0] = (10, 12, 14, 30)
    assert radar_summary.gather([cloud], DOPPLER).alone.tolist() == [False, False, False, True]


def test_a_weak_point_at_the_range_and_doppler_of_a_strong_one_is_its_sidelobe():
    def at(range_m: float, azimuth_deg: float, doppler: float, power: float) -> list[float]:
        a = np.deg2rad(azimuth_deg)
        return [range_m * np.cos(a), range_m * np.sin(a), 0.0, doppler, power]

    cloud = np.array(
        [at(20.5, 0, 1, 80), at(20.5, 20, 1, 55), at(20.5, 20, 9, 55), at(20.5, 1, 1, 55), at(20.5, 20, 1, 75)]
    )
    assert radar_summary.gather([cloud], DOPPLER).sidelobe.tolist() == [False, True, False, False, False]


def test_equal_summaries_do_not_differ_and_what_is_left_out_does_not_count():
    rng = np.random.default_rng(0)
    one, other = (radar_summary.summary(radar_summary.gather([scene(n, rng)], DOPPLER), VIEW) for n in (900, 300))
    assert not radar_summary.difference(one, one, set()).any()
    assert radar_summary.difference(one, other, set())[0] == pytest.approx(np.log(1 / 3) / 0.05)
    assert not radar_summary.difference(one, other, set(radar_summary.QUANTITIES)).any()
