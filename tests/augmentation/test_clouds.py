"""What each alteration of a cloud does, in closed form, and that nothing is drawn for a number of 0."""

from dataclasses import replace

import numpy as np
import pytest

import tracks
from echoes import params, seeds
from echoes.augmentation import clouds
from echoes.augmentation.clouds import CloudAugmentation, InputAugmentation, Move, UnphysicalMoves
from echoes.errors import InputError
from echoes.rasters.scaling import Scaling
from echoes.tasks import LIDAR_AND_RADAR, RADAR

SHAPE = (20, 40, 40)
UNITS = Scaling(power_db=(40.0, 100.0), doppler_mps=10.0)
OFF = params.build(InputAugmentation, tracks.UNDISTURBED, "augmentation")


def rng():
    return seeds.rng(0, "test")


def cloud(seed=0, channels=RADAR):
    """A third of the cells occupied, of which a half have a known Doppler and power where there is such a mask."""
    drawn = seeds.rng(seed, "cloud")
    made = drawn.uniform(0.3, 1, (len(channels), *SHAPE)).astype(np.float32)
    made[0] = drawn.random(SHAPE) < 1 / 3
    made[1:] *= made[0]
    if "doppler_valid" in channels:
        valid = made[3] = made[0] * (drawn.random(SHAPE) < 0.5)
        made[[2, 4]] *= valid
    return made


def disturbed(changes, channels=RADAR):
    return clouds.disturbed(cloud(channels=channels), channels, UNITS, replace(OFF, **changes), rng())


def test_dropout_empties_its_share_of_the_cells_and_leaves_the_others():
    before, after = cloud(), disturbed({"dropout": 0.1})
    kept = after[0] > 0
    assert kept.sum() / before[0].sum() == pytest.approx(0.9, abs=0.01)
    np.testing.assert_array_equal(after, before * kept)


@pytest.mark.parametrize("channels", [RADAR, LIDAR_AND_RADAR])
@pytest.mark.parametrize(
    ("changes", "name", "std"),
    [({"doppler_mps": 0.5}, "doppler", 0.05), ({"power_db": 3.0}, "power", 0.1), ({"noise": 0.04}, "power", 0.04)],
)
def test_jitter_has_its_deviation_in_units_where_a_value_is_known_and_changes_nothing_else(
    channels, changes, name, std
):
    before, after = cloud(channels=channels), disturbed(changes, channels)
    i = channels.index(name)
    known = before[channels.index("doppler_valid") if "doppler_valid" in channels else 0] > 0
    added = (after - before)[i]
    assert added[known].std() == pytest.approx(std, rel=0.03)
    assert abs(added[known].mean()) < 0.05 * std
    assert not added[~known].any()
    if "noise" not in changes:
        np.testing.assert_array_equal(np.delete(after, i, 0), np.delete(before, i, 0))


def test_noise_and_jitter_of_one_channel_are_added_in_squares_and_a_variance_stays_positive():
    p = replace(OFF, doppler_mps=3.0, noise=0.4)
    assert clouds.deviations(RADAR, UNITS, p)["doppler"] == pytest.approx(0.5)
    assert (disturbed({"noise": 2.0})[RADAR.index("doppler_variance")] >= 0).all()


def test_clutter_adds_its_share_of_cells_anywhere_that_measure_what_a_return_of_the_frame_does():
    before = cloud()
    before[:, :, :, 20:] = 0  # half of the space is empty
    after = clouds.disturbed(before, RADAR, UNITS, replace(OFF, clutter=0.05), rng())
    added = (after[0] > 0) & (before[0] == 0)
    expected = 0.05 * before[0].sum() * (1 - before[0].mean())  # where there is a return already, none is added
    assert added.sum() == pytest.approx(expected, rel=0.15)
    assert added[..., 20:].sum() / added.sum() == pytest.approx(0.6, abs=0.1)
    np.testing.assert_array_equal(after[:, ~added], before[:, ~added])
    rows = {tuple(row) for row in before[:, before[0] > 0].T.tolist()}
    assert {tuple(row) for row in after[:, added].T.tolist()} <= rows


def test_cutout_empties_a_box_of_its_size_and_nothing_else():
    drawn, inside = rng(), 0
    for _ in range(20):
        before, after = cloud(), clouds.disturbed(cloud(), RADAR, UNITS, replace(OFF, cutout=0.5), drawn)
        gone = np.argwhere((before[0] > 0) & (after[0] == 0))
        low, high = gone.min(0), gone.max(0) + 1
        assert (high - low <= (10, 20, 20)).all()
        inside += (high - low == (10, 20, 20)).all()
        assert not after[(slice(None), *map(slice, low, high))].any()
        np.testing.assert_array_equal(after, before * (after[0] > 0))
    assert inside > 0


def test_mixup_is_a_convex_combination_and_a_value_that_one_frame_knows_stays():
    one, other = cloud(0, LIDAR_AND_RADAR), cloud(1, LIDAR_AND_RADAR)
    made = clouds.mixed(one, other, 0.3, LIDAR_AND_RADAR)
    np.testing.assert_allclose(made[[0, 3]], 0.3 * one[[0, 3]] + 0.7 * other[[0, 3]], rtol=1e-5)
    for i, mask in ((1, 0), (2, 3), (4, 3)):
        both, alone = (one[mask] > 0) & (other[mask] > 0), (one[mask] > 0) & (other[mask] == 0)
        np.testing.assert_allclose(made[i][both], (0.3 * one[i] + 0.7 * other[i])[both], rtol=1e-5)
        np.testing.assert_allclose(made[i][alone], one[i][alone], rtol=1e-5)
        assert not made[i][(one[mask] == 0) & (other[mask] == 0)].any()
    np.testing.assert_allclose(clouds.mixed(one, other, 1.0, LIDAR_AND_RADAR), one, rtol=1e-6)


def test_moves_flip_their_axes_and_a_quarter_turn_brings_x_to_y():
    field = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    np.testing.assert_array_equal(clouds.moved(field, Move(True, False, 0)), field[..., ::-1])
    np.testing.assert_array_equal(clouds.moved(field, Move(False, True, 0)), field[::-1])
    np.testing.assert_array_equal(clouds.moved(field, Move(False, False, 2)), field[:, ::-1, ::-1])
    ahead = np.zeros((1, 3, 3))
    ahead[0, 1, 2] = 1  # on the x axis
    assert clouds.moved(ahead, Move(False, False, 1))[0, 2, 1] == 1  # on the y axis
    assert clouds.draw_move(UnphysicalMoves(0.0, 0.0, 0.0), rng()) == Move(False, False, 0)
    assert clouds.draw_move(UnphysicalMoves(1.0, 1.0, 0.0), rng()) == Move(True, True, 0)
    assert clouds.draw_move(UnphysicalMoves(0.0, 0.0, 1.0), rng()).quarters in (1, 2, 3)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("dropout", 1.1, "0 to 1"),
        ("cutout", -0.1, "0 to 1"),
        ("noise", -0.1, "0 or more"),
        ("mixup", -1.0, "0 or more"),
    ],
)
def test_what_no_alteration_is_is_refused(key, value, told):
    with pytest.raises(InputError, match=rf"^x\.{key}: expected {told}, got {value}$"):
        params.build(CloudAugmentation, {**tracks.VAE["augmentation"], key: value}, "x")
    with pytest.raises(InputError, match=r"^x\.unphysical\.flip_x: expected 0 to 1, got 2\.0$"):
        params.build(CloudAugmentation, tracks.changed(tracks.VAE["augmentation"], {"unphysical.flip_x": 2}), "x")


def test_a_frame_without_returns_stays_empty():
    p = InputAugmentation(0.5, 1.0, 1.0, 0.5, 0.1, 0.5)
    assert not clouds.disturbed(np.zeros((4, *SHAPE), np.float32), RADAR, UNITS, p, rng()).any()
