"""Radar quantities of clouds, and errors over matched cells."""

import numpy as np
import pytest

from echoes import seeds
from echoes.evaluation import doppler


def cloud(count: int, purpose: int = 0) -> np.ndarray:
    return seeds.rng(0, "cloud", purpose).normal(size=(count, 5)).astype(np.float32) * 10


def test_quantities_of_a_point_to_the_left_and_above_are_those_by_hand():
    values = doppler.quantities(np.array([[0.0, 3.0, 4.0, -1.5, 20.0]]))
    expected = {"range_m": 5.0, "azimuth_rad": np.pi / 2, "elevation_rad": np.arctan2(4, 3), "doppler_mps": -1.5}
    for name, value in (expected | {"power_db": 20.0}).items():
        np.testing.assert_allclose(values[name], [value])


def test_mean_absolute_error_ignores_signs_and_is_nan_without_cells():
    assert doppler.mean_absolute_error(np.array([1.0, -2.0]), np.array([0.0, 1.0])) == 2.0
    assert np.isnan(doppler.mean_absolute_error(np.zeros(0), np.zeros(0)))


def test_mean_absolute_error_refuses_what_is_not_finite():
    with pytest.raises(ValueError, match="finite"):
        doppler.mean_absolute_error(np.array([np.nan]), np.array([1.0]))


def test_quantiles_pool_the_clouds_and_count_their_points():
    clouds = [cloud(10, 0), cloud(30, 1)]
    values = doppler.quantiles(clouds)
    assert values["points_q50"] == 20.0
    assert values["doppler_mps_q50"] == pytest.approx(np.median(np.concatenate(clouds)[:, 3]))
    assert values["power_db_q05"] < values["power_db_q25"] < values["power_db_q95"]


def test_histograms_are_shares_and_what_lies_outside_still_counts():
    clouds = [np.array([[5.0, 0, 0, 0, 0], [15.0, 0, 0, 0, 0]]), np.array([[99.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0]])]
    shares = doppler.histograms(clouds, {"range_m": np.array([0.0, 10.0, 20.0]), "points": np.array([0.0, 2.0, 4.0])})
    assert shares["range_m"].tolist() == [0.5, 0.25]
    assert shares["points"].tolist() == [0.0, 1.0]
