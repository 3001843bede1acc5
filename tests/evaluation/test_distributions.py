"""Distances of distributions: golden values, closed forms, and the libraries that have them too."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from echoes import seeds
from echoes.evaluation import distributions, parts

histograms = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=20)


def test_jensen_shannon_distances_are_the_golden_ones():
    assert distributions.jensen_shannon(np.array([1, 0]), np.array([0, 1])) == pytest.approx(0.8325546112, abs=1e-10)
    assert distributions.jensen_shannon(np.array([0.5, 0.5]), np.array([0.9, 0.1])) == pytest.approx(
        0.3189815435, abs=1e-10
    )


@given(histograms)
def test_jensen_shannon_agrees_with_scipy(pairs):
    first, second = np.array(pairs).T
    if first.sum() and second.sum():
        with np.errstate(invalid="ignore"):
            expected = np.nan_to_num(jensenshannon(first, second))  # NaN where rounding went below zero
        # the root magnifies rounding of a divergence near zero
        assert distributions.jensen_shannon(first, second) == pytest.approx(expected, rel=1e-9, abs=1e-7)


def test_an_empty_histogram_is_as_far_as_can_be_unless_both_are_empty():
    assert distributions.jensen_shannon(np.zeros(3), np.array([1, 2, 3])) == pytest.approx(np.sqrt(np.log(2)))
    assert distributions.jensen_shannon(np.zeros(3), np.zeros(3)) == 0.0


def test_frechet_distance_of_two_shifted_and_scaled_gaussians_is_the_golden_one():
    eye = np.eye(16)
    value = distributions.frechet_of_gaussians(np.zeros(16), eye, np.full(16, 0.5), 1.44 * eye)
    assert value == pytest.approx(4.64)  # 16 * (.25 + (1.2 - 1)^2)


def test_frechet_distance_of_covariances_that_do_not_commute_is_the_golden_one():
    first, second = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.3], [-0.3, 2.0]])
    value = distributions.frechet_of_gaussians(np.zeros(2), first, np.array([1.0, -1.0]), second)
    assert value == pytest.approx(2.575425893305, abs=1e-10)


def test_frechet_distance_of_singular_covariances_is_finite():
    flat = np.diag([1.0, 0.0, 0.0])
    assert distributions.frechet_of_gaussians(np.zeros(3), flat, np.zeros(3), np.eye(3)) == pytest.approx(2.0)


def test_frechet_distance_of_fewer_samples_than_features_is_finite():
    few = seeds.rng(0, "few").normal(size=(5, 16))
    assert distributions.frechet(few, few + 1.0) == pytest.approx(16.0)


def test_frechet_distance_of_features_is_that_of_their_moments():
    rng = seeds.rng(0, "features")
    features = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4))
    assert distributions.frechet(features, features) == pytest.approx(0.0, abs=1e-9)
    assert distributions.frechet(features, features + 1.0) == pytest.approx(4.0)
    assert distributions.frechet(features, 2 * features) == pytest.approx(
        np.trace(np.cov(features.T)) + (features.mean(0) ** 2).sum()
    )


def test_frechet_distance_of_equal_distributions_has_the_bias_that_theory_gives():
    size, count = 16, 1000
    draws = [seeds.rng(0, "bias", i).normal(size=(2, count, size)) for i in range(8)]
    expected = (2 * size + size * (size + 1) / 2) / count
    assert np.mean([distributions.frechet(*pair) for pair in draws]) == pytest.approx(expected, rel=0.1)


def test_kernel_distance_of_a_shift_is_the_closed_form():
    # E of (x.y / 16 + 1)^3 under a shift of .5 in each of 16 dimensions: 1.029296875
    draws = [seeds.rng(0, "kid", i).normal(size=(2, 500, 16)) for i in range(20)]
    shifted = [distributions.kid(x, y + 0.5) for x, y in draws]
    same = [distributions.kid(x, y) for x, y in draws]
    assert np.mean(shifted) == pytest.approx(1.029296875, abs=4 * np.std(shifted) / np.sqrt(20))
    assert np.mean(same) == pytest.approx(0.0, abs=4 * np.std(same) / np.sqrt(20))
    assert min(same) < 0  # unbiased: it must be able to fall below zero


def test_kernel_distance_of_two_samples_each_is_the_one_by_hand():
    x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [-1.0]])
    # off-diagonal kernels: (0 + 1)^3 and (-2 + 1)^3; between: 1, 1, 27, 0
    assert distributions.kid(x, y) == pytest.approx(1.0 - 1.0 - 2 * 29 / 4)


def test_kernel_distance_in_parts_is_that_of_whole_matrices(monkeypatch):
    x, y = seeds.rng(0, "a").normal(size=(40, 8)), 1.1 * seeds.rng(0, "b").normal(size=(33, 8))
    within_x, within_y, between = ((a @ b.T / 8 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    inner = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (within_x, within_y)]
    expected = sum(inner) - 2 * between.mean()
    assert distributions.kid(x, y) == expected  # to the last bit: a set that is one part
    monkeypatch.setattr(parts, "PART", 7)
    assert distributions.kid(x, y) == pytest.approx(expected, rel=1e-10)


class Given(nn.Module):
    """The features that a metric is given are those it compares."""

    num_features = 16

    def forward(self, features: Tensor) -> Tensor:
        return features


def by_torchmetrics(metric: Metric, first: np.ndarray, second: np.ndarray) -> Metric:
    metric.set_dtype(torch.float64)
    for features, real in ((first, True), (second, False)):
        metric.update(torch.from_numpy(features), real=real)
    return metric


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save")
def test_frechet_and_kernel_distances_are_those_of_torchmetrics():
    rng = seeds.rng(0, "correlated")
    mixing = rng.normal(size=(2, 16, 16)) / 4
    first, second = (rng.normal(size=(300, 16)) @ m + i for i, m in enumerate(mixing))
    frechet = by_torchmetrics(FrechetInceptionDistance(feature=Given()), first, second)
    assert distributions.frechet(first, second) == pytest.approx(float(frechet.compute()), rel=1e-6)
    kid = by_torchmetrics(KernelInceptionDistance(feature=Given(), subsets=1, subset_size=300), first, second)
    assert distributions.kid(first, second) == pytest.approx(float(kid.compute()[0]), rel=1e-5)


@pytest.mark.parametrize("shapes", [((1, 3), (5, 3)), ((5, 3), (5, 4)), ((5,), (5, 3))])
def test_features_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match="expected"):
        distributions.frechet(*(np.zeros(shape) for shape in shapes))
