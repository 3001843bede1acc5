"""Returns light the cells of their velocity and time, power is kept, and scans that jitter leave no gaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes import params
from echoes.errors import InputError
from echoes.rasters.doppler_time import DopplerTimeParams, doppler_time_power

GRID = {
    "raster": "doppler_time",
    "velocity": {"start": -2.0, "stop": 2.0, "size": 16},
    "time": {"start": 0.0, "stop": 1.6, "size": 16},
    "hop_s": 0.1,
    "notch_mps": 0.0,
    "quiet_db": None,
    "resolution_mps": 0.25,
    "floor_db": -40.0,
    "ceiling_db": 0.0,
}
SCANS = np.arange(16) * 0.1 + 0.05


def grid(**changes):
    return params.build(DopplerTimeParams, {**GRID, **changes}, "grid")


def power_of(scan, doppler, power, stamps=SCANS, **changes):
    layout = grid(**changes)
    given_arrays = np.array(scan, np.int64), np.array(doppler, np.float32), np.array(power, np.float32)
    return doppler_time_power(stamps, *given_arrays, layout.whole(1.6), layout)


def test_a_return_lies_in_the_cell_of_its_velocity_and_of_its_scan():
    found = power_of([3, 3, 9], [-1.875, 0.125, 1.625], [1.0, 4.0, 2.0])
    expected = np.zeros((16, 16))
    expected[0, 3], expected[8, 3], expected[14, 9] = 1.0, 4.0, 2.0
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_return_is_spread_over_the_resolution_of_the_sensor():
    found = power_of([3], [0.125], [4.0], resolution_mps=1.0)
    np.testing.assert_allclose(found[6:11, 3], [0.5, 1.0, 1.0, 1.0, 0.5], atol=1e-6)
    assert found.sum() == pytest.approx(4.0)


@given(st.lists(st.tuples(st.integers(0, 15), st.floats(-1.5, 1.5), st.floats(0.1, 100.0)), min_size=1, max_size=30))
def test_all_power_inside_the_grid_is_kept(returns):
    scan, doppler, power = (list(values) for values in zip(*returns, strict=True))
    assert power_of(scan, doppler, power).sum() == pytest.approx(sum(power), rel=1e-5)


def test_what_is_slower_than_the_notch_or_beyond_the_axis_is_dropped():
    found = power_of([1, 1, 2, 3], [0.2, -0.2, 3.0, 1.0], [1.0, 1.0, 1.0, 1.0], notch_mps=0.3)
    assert found.sum() == pytest.approx(1.0)
    assert found[:, 3].sum() == pytest.approx(1.0)


@given(st.lists(st.floats(0.08, 0.158), min_size=15, max_size=15))
def test_scans_that_jitter_leave_no_cell_dark(steps):
    stamps = np.concatenate([[0.0], np.cumsum(steps)])
    found = power_of(range(16), [1.125] * 16, [1.0] * 16, stamps=stamps)
    lasting = found[12, : int(stamps[-1] / 0.1)]
    np.testing.assert_allclose(lasting, 1.0, rtol=1e-5)


def test_a_pause_stays_dark():
    stamps = np.array([0.05, 0.15, 0.25, 1.25, 1.35, 1.45])
    found = power_of(range(6), [1.125] * 6, [1.0] * 6, stamps=stamps)
    assert (found[:, 4:11] == 0).all()


def test_a_recording_of_one_scan_is_refused():
    with pytest.raises(InputError, match="expected two scans or more, got 1"):
        power_of([0], [1.0], [1.0], stamps=np.array([0.1]))


def test_a_resolution_must_be_positive():
    with pytest.raises(InputError, match=r"grid\.resolution_mps: expected more than 0, got 0\.0"):
        grid(resolution_mps=0.0)
