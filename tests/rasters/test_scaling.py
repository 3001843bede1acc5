import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import params
from echoes.errors import InputError
from echoes.rasters import scaling
from echoes.rasters.scaling import Scaling
from echoes.seeds import rng
from echoes.tasks import LIDAR, LIDAR_AND_RADAR, RADAR, VALID, mask_of

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
    np.testing.assert_allclose(
        scaling.features_to_network(powers_db, RADAR, SCALING)[:, 0], [-1, 0, 1, 2, -2], atol=1e-6
    )


def test_a_radar_cell_scales_as_computed_by_hand():
    found = scaling.features_to_network(np.array([[85.0, -4.0, 16.0]]), RADAR, SCALING)
    np.testing.assert_allclose(found, [[0.5, -0.5, 0.5]], atol=1e-6)


def test_a_target_cell_scales_as_computed_by_hand():
    found = scaling.features_to_network(np.array([[0.25, 4.0, 1.0, 55.0]]), LIDAR_AND_RADAR, SCALING)
    np.testing.assert_allclose(found, [[-0.5, 0.5, 1.0, -0.5]], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), chosen=ANY_SCALING)
def test_each_channel_comes_back_in_physical_units(seed, chosen):
    for features, channels in ((radar(seed), RADAR), (target(seed), LIDAR_AND_RADAR)):
        scaled = scaling.features_to_network(features, channels, chosen)
        assert scaled.dtype == np.float32
        for name, values, found in zip(channels[1:], features.T, scaled.T, strict=True):
            known = features[:, channels.index(VALID) - 1] > 0 if mask_of(name, channels) == VALID else slice(None)
            back = scaling.to_physical(name, found[known].astype(float), chosen)
            np.testing.assert_allclose(back, values[known], rtol=1e-5, atol=1e-4)


def test_doppler_and_power_are_zero_where_they_are_not_valid():
    scaled = scaling.features_to_network(np.array([[0.5, 3.0, 0.0, 90.0]]), LIDAR_AND_RADAR, SCALING)
    assert scaled[0, 1:].tolist() == [0, 0, 0]


def test_a_radar_frame_as_a_target_keeps_power_and_doppler_all_valid_and_has_no_reflectivity():
    power, doppler, _ = scaling.features_to_network(radar(4), RADAR, SCALING).T
    found = scaling.recast(np.stack([power, doppler, doppler], 1), RADAR, LIDAR_AND_RADAR)
    expected = np.stack([np.zeros_like(power), doppler, np.ones_like(power), power], 1)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32


def test_a_lidar_frame_as_a_radar_has_nothing_but_cells():
    assert scaling.recast(np.full((5, 1), 0.7, np.float32), LIDAR, RADAR).tolist() == [[0.0, 0.0, 0.0]] * 5


def test_a_frame_without_cells_stays_empty():
    for channels in (RADAR, LIDAR_AND_RADAR, LIDAR):
        empty = np.zeros((0, len(channels) - 1), np.float32)
        assert scaling.features_to_network(empty, channels, SCALING).shape == empty.shape


def test_the_input_stays_as_it_is():
    features = target(3)
    before = features.copy()
    scaling.features_to_network(features, LIDAR_AND_RADAR, SCALING)
    np.testing.assert_array_equal(features, before)


def test_arrays_with_other_channels_are_refused():
    with pytest.raises(InputError, match=r"expected \(M, 4\) reflectivity.* got shape \(200, 3\)"):
        scaling.features_to_network(radar(0), LIDAR_AND_RADAR, SCALING)


@pytest.mark.parametrize(
    ("key", "value"), [("power_db", [100.0, 40.0]), ("power_db", [1.0, 1.0]), ("doppler_mps", 0.0), ("doppler_mps", -1)]
)
def test_impossible_scalings_are_refused_with_their_key(key, value):
    section = {"power_db": [40.0, 100.0], "doppler_mps": 8.0, key: value}
    with pytest.raises(InputError, match=rf"radar\.scaling\.{key}"):
        params.build(Scaling, section, "radar.scaling")
