import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import params
from echoes.errors import InputError
from echoes.rasters import scaling
from echoes.rasters.scaling import Scaling
from echoes.seeds import rng

SCALING = Scaling(power_db=(40.0, 100.0), doppler_mps=8.0)
ANY_SCALING = st.builds(
    lambda low, span, doppler: Scaling((low, low + span), doppler),
    st.floats(-100, 100),
    st.floats(10, 200),
    st.floats(0.5, 60),
)


def radar(seed: int, count: int = 200) -> np.ndarray:
    """(count, 3) power, Doppler, variance in physical units."""
    r = rng(seed, "test", "radar")
    values = r.uniform(20, 120, count), r.normal(0, 10, count), r.exponential(5, count)
    return np.stack(values, axis=1).astype(np.float32)


def target(seed: int, count: int = 200) -> np.ndarray:
    """(count, 4) reflectivity, Doppler, valid, power in physical units, half of the cells without Doppler."""
    r = rng(seed, "test", "target")
    valid = r.random(count) < 0.5
    values = r.random(count), r.normal(0, 10, count) * valid, valid, r.uniform(20, 120, count) * valid
    return np.stack(values, axis=1).astype(np.float32)


def test_the_powers_of_the_range_become_minus_one_and_one_and_others_go_beyond():
    powers_db = np.array([[40.0, 0, 0], [70, 0, 0], [100, 0, 0], [130, 0, 0], [10, 0, 0]])
    np.testing.assert_allclose(scaling.radar_to_network(powers_db, SCALING)[:, 0], [-1, 0, 1, 2, -2], atol=1e-6)


def test_a_radar_cell_scales_as_computed_by_hand():
    found = scaling.radar_to_network(np.array([[85.0, -4.0, 16.0]]), SCALING)
    np.testing.assert_allclose(found, [[0.5, -0.5, 0.5]], atol=1e-6)


def test_a_target_cell_scales_as_computed_by_hand():
    found = scaling.target_to_network(np.array([[0.25, 4.0, 1.0, 55.0]]), SCALING)
    np.testing.assert_allclose(found, [[-0.5, 0.5, 1.0, -0.5]], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), chosen=ANY_SCALING)
def test_radar_comes_back_in_physical_units(seed, chosen):
    features = radar(seed)
    back = scaling.radar_to_physical(scaling.radar_to_network(features, chosen), chosen)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, features, rtol=1e-5, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), chosen=ANY_SCALING)
def test_targets_come_back_in_physical_units(seed, chosen):
    features = target(seed)
    back = scaling.target_to_physical(scaling.target_to_network(features, chosen), chosen)
    np.testing.assert_allclose(back, features, rtol=1e-5, atol=1e-4)


def test_doppler_and_power_are_zero_where_they_are_not_valid():
    cell = np.array([[0.5, 3.0, 0.0, 90.0]])
    for scaled in (scaling.target_to_network(cell, SCALING), scaling.target_to_physical(cell, SCALING)):
        assert scaled[0, 1:].tolist() == [0, 0, 0]


def test_a_radar_frame_as_a_target_keeps_power_and_doppler_all_valid():
    features = radar(4)
    as_target = scaling.radar_as_target(scaling.radar_to_network(features, SCALING))
    back = scaling.target_to_physical(as_target, SCALING)
    np.testing.assert_allclose(back[:, [3, 1]], features[:, :2], rtol=1e-5, atol=1e-4)
    assert (back[:, 2] == 1).all()
    assert (back[:, 0] == 0.5).all()


def test_a_frame_without_cells_stays_empty():
    assert scaling.radar_to_network(np.zeros((0, 3), np.float32), SCALING).shape == (0, 3)
    assert scaling.target_to_network(np.zeros((0, 4), np.float32), SCALING).shape == (0, 4)


def test_the_input_stays_as_it_is():
    features = target(3)
    before = features.copy()
    scaling.target_to_network(features, SCALING)
    np.testing.assert_array_equal(features, before)


def test_arrays_with_other_channels_are_refused():
    with pytest.raises(InputError, match=r"expected \(M, 4\) reflectivity.* got shape \(200, 3\)"):
        scaling.target_to_network(radar(0), SCALING)


@pytest.mark.parametrize(
    ("key", "value"), [("power_db", [100.0, 40.0]), ("power_db", [1.0, 1.0]), ("doppler_mps", 0.0), ("doppler_mps", -1)]
)
def test_impossible_scalings_are_refused_with_their_key(key, value):
    section = {"power_db": [40.0, 100.0], "doppler_mps": 8.0, key: value}
    with pytest.raises(InputError, match=rf"radar\.scaling\.{key}"):
        params.build(Scaling, section, "radar.scaling")
