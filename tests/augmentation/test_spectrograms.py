"""What each alteration of a spectrogram does, in closed form."""

from dataclasses import replace

import numpy as np
import pytest

import tracks
from echoes import params, seeds
from echoes.augmentation import spectrograms
from echoes.augmentation.spectrograms import SpectrogramAugmentation, Steps
from echoes.errors import InputError

STEPS = Steps(velocity_mps=0.25, time_s=0.1, range_db=40.0)
OFF = params.build(SpectrogramAugmentation, tracks.UNALTERED, "augmentation")
CROP = seeds.rng(0, "crop").uniform(-0.9, 0.9, (2, 32, 64)).astype(np.float32)


def rng(i=0):
    return seeds.rng(0, "test", i)


@pytest.mark.parametrize("shift", ["circular", "padded"])
def test_a_shift_moves_all_times_alike_by_whole_cells_up_to_its_length_either_way(shift):
    p, found = replace(OFF, shift_s=0.3, shift=shift), set()
    for i in range(40):
        moved = spectrograms.altered(CROP, STEPS, p, rng(i))
        (cells,) = (n for n in range(-3, 4) if np.array_equal(moved[..., 3:-3], np.roll(CROP, n, -1)[..., 3:-3]))
        came = moved[..., :cells] if cells > 0 else moved[..., 64 + cells :]
        at = slice(64 - cells, None) if cells > 0 else slice(0, -cells)
        np.testing.assert_array_equal(came, CROP[..., at] if shift == "circular" else np.full_like(came, -1))
        found.add(cells)
    assert found == set(range(-3, 4))
    assert (spectrograms.padded(CROP, 70) == -1).all()


def test_a_gain_is_in_db_and_stays_within_floor_and_ceiling():
    np.testing.assert_allclose(spectrograms.louder(CROP, -2.0, 40.0)[CROP > -0.8], CROP[CROP > -0.8] - 0.1, atol=1e-6)
    assert spectrograms.louder(CROP, 30.0, 40.0).max() == 1
    gains = [spectrograms.altered(CROP, STEPS, replace(OFF, gain_db=1.5), rng(i))[0, 0, 0] for i in range(300)]
    assert 20 * np.std(gains) == pytest.approx(1.5, rel=0.15)


def test_noise_adds_its_mean_power_above_the_floor():
    made = spectrograms.disturbed(np.full((1, 200, 200), -1, np.float32), STEPS, replace(OFF, noise_db=10.0), rng())
    power = 10 ** ((made + 1) * 20 / 10)
    assert power.mean() - 1 == pytest.approx(10.0, rel=0.03)
    assert (spectrograms.disturbed(CROP, STEPS, replace(OFF, noise_db=10.0), rng()) >= CROP - 1e-6).all()


def test_masks_put_a_band_and_a_span_of_up_to_their_widths_at_the_floor_and_nothing_else():
    p, widths = replace(OFF, time_mask_s=0.8, velocity_mask_mps=1.0), set()
    for i in range(60):
        made = spectrograms.disturbed(CROP, STEPS, p, rng(i))
        gone = (made == -1).all(0)
        rows, columns = gone.all(1), gone.all(0)
        np.testing.assert_array_equal(gone, rows[:, None] | columns)
        np.testing.assert_array_equal(made[:, ~gone], CROP[:, ~gone])
        for masked in (rows, columns):
            assert np.diff(np.flatnonzero(masked)).max(initial=1) == 1
        widths.add((rows.sum(), columns.sum()))
    assert {w for w, _ in widths} == set(range(5))
    assert {w for _, w in widths} == set(range(9))


def test_what_no_alteration_is_is_refused():
    with pytest.raises(InputError, match=r"^x\.gain_db: expected 0 or more, got -1\.0$"):
        params.build(SpectrogramAugmentation, {**tracks.UNALTERED, "gain_db": -1}, "x")
