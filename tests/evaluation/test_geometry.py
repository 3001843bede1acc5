"""Distances between point sets and overlaps of cells: by hand, and against the plain definition."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_info, threadpool_limits

from echoes.evaluation import geometry
from echoes.evaluation.bands import BANDS_M, band_of, within
from echoes.evaluation.cells import iou
from echoes.seeds import rng

FAR_M = 73.0
clouds = st.integers(1, 12).flatmap(lambda n: arrays(np.float64, (n, 3), elements=st.integers(-20, 20).map(float)))


def test_nearest_distance_of_a_three_four_five_triangle_is_five():
    points = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(geometry.nearest_m(points, np.zeros((1, 3)), FAR_M), [5.0, 1.0])


@given(clouds, clouds)
def test_nearest_distances_agree_with_all_pairs(points, others):
    pairs = np.linalg.norm(points[:, None] - others[None], axis=2)
    np.testing.assert_allclose(geometry.nearest_m(points, others, FAR_M), pairs.min(axis=1))


@pytest.mark.parametrize("others", ["walls", "lattice", "copies"])
def test_nearest_distances_of_large_clouds_agree_with_scipy(others):
    r = rng(0, others)
    points = r.normal(0.0, 20.0, (3000, 3))
    cloud = {
        "walls": r.normal(0.0, 20.0, (5000, 3)) * [1, 1, 0] + [0, 0, 1.5],
        "lattice": np.stack(np.meshgrid(*[np.arange(-8.0, 8.0)] * 3), axis=-1).reshape(-1, 3),
        "copies": np.repeat(r.normal(0.0, 20.0, (3, 3)), 2000, axis=0),
    }[others]
    wanted = cKDTree(cloud).query(points)[0]
    np.testing.assert_allclose(geometry.nearest_m(points, cloud, FAR_M), wanted, rtol=1e-12)


def test_a_search_starts_no_threads():
    tasks = Path("/proc/self/task")
    cloud = rng(0, "threads").normal(0.0, 20.0, (5000, 3))
    with threadpool_limits(4, "openmp"):
        before = len(list(tasks.iterdir()))
        geometry.nearest_m(cloud, cloud, FAR_M)
        assert len(list(tasks.iterdir())) == before
        assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"} == {4}


def test_the_nearest_point_of_an_empty_set_is_far_away():
    assert geometry.nearest_m(np.zeros((2, 3)), np.zeros((0, 3)), FAR_M).tolist() == [FAR_M, FAR_M]
    assert geometry.nearest_m(np.zeros((0, 3)), np.zeros((2, 3)), FAR_M).shape == (0,)


def test_distances_of_two_small_sets_are_those_by_hand():
    of_predicted, of_target = np.array([0.0, 1.0, 8.0]), np.array([0.0, 4.0])
    assert geometry.chamfer_sum_m(of_predicted, of_target) == pytest.approx(3.0 + 2.0)
    assert geometry.hausdorff_m(of_predicted, of_target) == 8.0
    assert geometry.mhd_m(of_predicted, of_target) == 2.0  # medians 1 and 2


def test_a_direction_without_points_takes_the_value_of_the_other():
    none, some = np.zeros(0), np.array([1.0, 3.0])
    assert geometry.chamfer_sum_m(none, some) == geometry.chamfer_sum_m(some, none) == 4.0
    assert geometry.hausdorff_m(none, some) == 3.0
    assert geometry.chamfer_sum_m(none, none) == geometry.mhd_m(none, none) == 0.0


def test_precision_counts_predictions_and_recall_counts_targets():
    of_predicted, of_target = np.array([0.2, 0.9, 0.9, 5.0]), np.array([0.2, 0.9])
    assert geometry.precision_recall(of_predicted, of_target, 0.5) == (0.25, 0.5)
    assert geometry.precision_recall(of_predicted, of_target, 1.0) == (0.75, 1.0)


def test_a_distance_equal_to_the_radius_counts_whatever_the_rounding():
    steps = np.array([5 * 0.1, 0.1 + 0.1 + 0.1 + 0.1 + 0.1, 0.8 - 0.3])
    assert geometry.precision_recall(steps, steps, 0.5) == (1.0, 1.0)
    assert geometry.precision_recall(np.array([np.nextafter(0.5, 1)]), steps, 0.5)[0] == 1.0


def test_an_empty_prediction_has_no_precision_and_two_empty_sets_agree():
    none, far = np.zeros(0), np.full(3, FAR_M)
    assert geometry.precision_recall(none, far, 1.0) == (0.0, 0.0)
    assert geometry.precision_recall(far, none, 1.0) == (0.0, 0.0)
    assert geometry.precision_recall(none, none, 1.0) == (1.0, 1.0)


@given(st.lists(st.one_of(st.floats(0, 80), st.sampled_from([0.0, 20.0, 40.0])), min_size=1))
def test_each_range_is_in_its_band_alone(ranges_m):
    points = np.column_stack([ranges_m, np.zeros((len(ranges_m), 2))])
    bands = band_of(np.array(ranges_m))
    for i, limits_m in enumerate(BANDS_M.values()):
        assert (within(points, *limits_m) == (bands == i)).all()


def test_f1_is_the_harmonic_mean():
    assert geometry.f1(0.5, 1.0) == pytest.approx(2 / 3)
    assert geometry.f1(0.0, 0.0) == 0.0


def test_iou_is_intersection_over_union():
    assert iou(2, 3, 5) == pytest.approx(2 / 6)
    assert iou(0, 0, 4) == 0.0
    assert iou(0, 0, 0) == 1.0
