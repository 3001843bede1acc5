import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import params
from echoes.errors import InputError
from echoes.rasters import scaling
from echoes.rasters.scaling import Scaling
from echoes.rasters.voxels import RADAR_CHANNELS, TARGET_CHANNELS
from echoes.seeds import rng

SCALING = Scaling(power_db=(40.0, 100.0), doppler_mps=8.0)
ANY_SCALING = st.builds(
    lambda low, span, doppler: Scaling((low, low + span), doppler),
    st.floats(-100, 100),
    st.floats(10, 200),
    st.floats(0.5, 60),
)


def radar(seed: int, batch: tuple[int, ...] = (2,)) -> np.ndarray:
    """(*batch, 4, 4, 4, 8) in physical units, about half of it empty."""
    r, shape = rng(seed, "test", "radar"), (*batch, 4, 4, 8)
    occupied = r.random(shape) < 0.5
    values = r.uniform(20, 120, shape), r.normal(0, 10, shape), r.exponential(5, shape)
    return np.stack([occupied, *(v * occupied for v in values)], axis=-4).astype(np.float32)


def target(seed: int, batch: tuple[int, ...] = (2,)) -> np.ndarray:
    """(*batch, 5, 4, 4, 8) in physical units, half of it empty and half of the rest without Doppler."""
    r, shape = rng(seed, "test", "target"), (*batch, 4, 4, 8)
    occupied = r.random(shape) < 0.5
    valid = occupied & (r.random(shape) < 0.5)
    reflectivity, doppler, power = r.random(shape), r.normal(0, 10, shape), r.uniform(20, 120, shape)
    channels = occupied, reflectivity * occupied, doppler * valid, valid, power * valid
    return np.stack(channels, axis=-4).astype(np.float32)


def one_cell(channels: tuple[str, ...], **values: float) -> np.ndarray:
    return np.array([values[name] for name in channels], np.float32).reshape(1, -1, 1, 1, 1)


def test_the_powers_of_the_range_become_minus_one_and_one_and_others_go_beyond():
    expected = {40.0: -1.0, 70.0: 0.0, 100.0: 1.0, 130.0: 2.0, 10.0: -2.0}
    for power_db, value in expected.items():
        cell = one_cell(RADAR_CHANNELS, occupancy=1, power=power_db, doppler=0, doppler_variance=0)
        assert scaling.radar_to_network(cell, SCALING)[0, 1, 0, 0, 0] == pytest.approx(value)


def test_a_radar_cell_scales_as_computed_by_hand():
    cell = one_cell(RADAR_CHANNELS, occupancy=1, power=85.0, doppler=-4.0, doppler_variance=16.0)
    assert scaling.radar_to_network(cell, SCALING).ravel().tolist() == pytest.approx([1.0, 0.5, -0.5, 0.5])


def test_a_target_cell_scales_as_computed_by_hand():
    cell = one_cell(TARGET_CHANNELS, occupancy=1, reflectivity=0.25, doppler=4.0, doppler_valid=1, power=55.0)
    assert scaling.target_to_network(cell, SCALING).ravel().tolist() == pytest.approx([1.0, -0.5, 0.5, 1.0, -0.5])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), chosen=ANY_SCALING)
def test_radar_comes_back_in_physical_units(seed, chosen):
    given_cells = radar(seed)
    back = scaling.radar_to_physical(scaling.radar_to_network(given_cells, chosen), chosen)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, given_cells, rtol=1e-5, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), chosen=ANY_SCALING)
def test_targets_come_back_in_physical_units(seed, chosen):
    given_cells = target(seed)
    back = scaling.target_to_physical(scaling.target_to_network(given_cells, chosen), chosen)
    np.testing.assert_allclose(back, given_cells, rtol=1e-5, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_cells_that_hold_nothing_are_zero_in_both_directions(seed):
    for make, to_network, to_physical in (
        (radar, scaling.radar_to_network, scaling.radar_to_physical),
        (target, scaling.target_to_network, scaling.target_to_physical),
    ):
        cells = make(seed)
        noise = rng(seed, "test", "noise").normal(size=cells.shape).astype(np.float32)
        noise[:, 0] = cells[:, 0]
        for scaled in (to_network(cells, SCALING), to_physical(noise, SCALING)):
            assert not scaled[np.broadcast_to(cells[:, :1] == 0, cells.shape)].any()


def test_doppler_and_power_are_zero_where_they_are_not_valid():
    cell = one_cell(TARGET_CHANNELS, occupancy=1, reflectivity=0.5, doppler=3.0, doppler_valid=0, power=90.0)
    for scaled in (scaling.target_to_network(cell, SCALING), scaling.target_to_physical(cell, SCALING)):
        named = dict(zip(TARGET_CHANNELS, scaled.ravel(), strict=True))
        assert (named["doppler"], named["doppler_valid"], named["power"]) == (0, 0, 0)
        assert named["occupancy"] == 1


def test_a_radar_frame_as_a_target_keeps_power_and_doppler_all_valid():
    cells = radar(4)
    as_target = scaling.radar_as_target(scaling.radar_to_network(cells, SCALING))
    named = dict(zip(TARGET_CHANNELS, np.moveaxis(scaling.target_to_physical(as_target, SCALING), -4, 0), strict=True))
    given_channels = dict(zip(RADAR_CHANNELS, np.moveaxis(cells, -4, 0), strict=True))
    for name in ("occupancy", "power", "doppler"):
        np.testing.assert_allclose(named[name], given_channels[name], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(named["doppler_valid"], cells[:, 0])
    np.testing.assert_array_equal(named["reflectivity"], cells[:, 0] / 2)


def test_frames_scale_alike_alone_and_in_batches():
    cells = target(7, batch=(3,))
    together = scaling.target_to_network(cells, SCALING)
    alone = np.stack([scaling.target_to_network(frame, SCALING) for frame in cells])
    np.testing.assert_array_equal(together, alone)


def test_the_input_stays_as_it_is():
    cells = radar(3)
    before = cells.copy()
    scaling.radar_to_network(cells, SCALING)
    np.testing.assert_array_equal(cells, before)


def test_arrays_with_other_channels_are_refused():
    with pytest.raises(InputError, match=r"occupancy, reflectivity.* got shape \(2, 4, 4, 4, 8\)"):
        scaling.target_to_network(radar(0), SCALING)


@pytest.mark.parametrize(
    ("key", "value"), [("power_db", [100.0, 40.0]), ("power_db", [1.0, 1.0]), ("doppler_mps", 0.0), ("doppler_mps", -1)]
)
def test_impossible_scalings_are_refused_with_their_key(key, value):
    section = {"power_db": [40.0, 100.0], "doppler_mps": 8.0, key: value}
    with pytest.raises(InputError, match=rf"radar\.scaling\.{key}"):
        params.build(Scaling, section, "radar.scaling")
