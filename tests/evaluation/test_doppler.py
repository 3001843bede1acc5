"""Errors over matched cells."""

import numpy as np
import pytest

from echoes.evaluation import doppler


def test_mean_absolute_error_ignores_signs_and_is_nan_without_cells():
    assert doppler.mean_absolute_error(np.array([1.0, -2.0]), np.array([0.0, 1.0])) == 2.0
    assert np.isnan(doppler.mean_absolute_error(np.zeros(0), np.zeros(0)))


def test_mean_absolute_error_refuses_what_is_not_finite():
    with pytest.raises(ValueError, match="finite"):
        doppler.mean_absolute_error(np.array([np.nan]), np.array([1.0]))
