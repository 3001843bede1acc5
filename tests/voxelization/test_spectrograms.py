"""What a reader gives becomes crops in network range, or one line that names the recording."""

from pathlib import Path

import numpy as np
import pytest

from echoes import params, seeds
from echoes.errors import InputError
from echoes.readers import cw24, mars
from echoes.readers.recordings import Picture, RecordingEntry, Returns, Signal
from echoes.voxelization import crops
from echoes.voxelization.crops import Crops
from echoes.voxelization.spectrograms import SpectrogramParams, prepare
from tracks import STFT

KEPT = {name: STFT[name] for name in ("velocity", "time", "floor_db", "ceiling_db")}
DOPPLER_TIME = {
    **KEPT,
    "raster": "doppler_time",
    "hop_s": 0.4,
    "notch_mps": 0.0,
    "quiet_db": None,
    "resolution_mps": 0.4,
}
PICTURE = {**KEPT, "raster": "picture"}
COMPLEX = {
    **{name: value for name, value in STFT.items() if name != "overlap"},
    "raster": "stft_complex",
    "hop": 16,
    "compression": 0.5,
}
ONE = RecordingEntry("walk/1", {"activity": "walk"}, 2.0)
CROPS = Crops(ONE, (0, 1, 3), ("train", "train", "test"))


def samples(seconds=2.0):
    rng = seeds.rng(0, "samples")
    return rng.standard_normal(round(2000 * seconds)) + 1j * rng.standard_normal(round(2000 * seconds))


def prepared(held, grid, chosen=CROPS):
    return prepare(
        lambda root, source, recorded: held, Path("raw"), None, params.build(SpectrogramParams, grid, "grid"), chosen
    )


def returns(stamps):
    count = len(stamps)
    return Returns(stamps, np.arange(count), np.full(count, 1.0, np.float32), np.ones(count, np.float32))


def test_crops_are_pieces_of_one_spectrogram_in_network_range():
    made = prepared(Signal(samples(), 2000.0, 0.0124), STFT)
    assert (made.shape, made.dtype) == ((3, 1, 32, 16), np.float16)
    assert made.min() == -1
    assert made.max() <= 1
    np.testing.assert_array_equal(made[0][..., 8:], made[1][..., :8])  # a crop is two hops long


def test_returns_become_crops_too():
    made = prepared(returns(np.arange(20) * 0.1), DOPPLER_TIME)
    assert made.shape == (3, 1, 32, 16)
    lit = np.flatnonzero((made > -1).any(axis=(0, 1, 3)))
    np.testing.assert_array_equal(lit, [18, 19])  # 0.8 to 1.2 m/s in cells of 0.375 from -6 m/s


def test_a_picture_starts_with_the_lowest_velocity():
    values = np.zeros((3, 32, 16), np.float32)
    values[1, 0] = 1.0
    made = prepared(Picture(values), PICTURE, Crops(ONE, (0,), ("train",)))
    assert made.shape == (1, 3, 32, 16)
    assert (made[0, 1, -1] == 1).all()
    assert made.sum() == -made.size + 2 * 16


@pytest.mark.parametrize(
    ("held", "grid", "message"),
    [
        (
            Signal(samples(), 2000.0, 0.0124),
            PICTURE,
            r"grid\.raster: expected stft or stft_complex for what the reader gives, got picture",
        ),
        (Picture(np.zeros((1, 32, 16))), STFT, r"grid\.raster: expected picture for what the reader gives, got stft"),
        (Picture(np.zeros((1, 32, 16))), COMPLEX, r"grid\.raster: expected picture for .*, got stft_complex"),
        (Signal(samples().real, 2000.0, 0.0124), COMPLEX, r"grid\.raster: expected stft for one channel, .*"),
        (returns(np.arange(9.0)), STFT, r"grid\.raster: expected doppler_time .* got stft"),
        (Picture(np.zeros((1, 30, 16))), PICTURE, r"expected 32 x 16 pixels, .* got 30 x 16"),
        (Signal(samples() * np.nan, 2000.0, 0.0124), STFT, r"expected finite samples, got \(nan"),
        (Signal(samples() * 0, 2000.0, 0.0124), STFT, "expected power inside the grid, got none"),
        (Signal(samples().real, 2000.0, 0.0124), STFT, r"grid\.velocity\.start: expected 0 or more"),
        (
            Signal(samples(1.5), 2000.0, 0.0124),
            STFT,
            r"expected 2\.000 s, as its index says \(2\.000 s\), got 1\.500 s",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_that_names_the_recording(held, grid, message):
    with pytest.raises(InputError, match=f"^walk/1: {message}"):
        prepared(held, grid)


def test_walkers_of_cw24_move_as_fast_as_walkers(recordings):
    root, source = recordings / "cw24-human-gpl3", cw24.Source("cw24", 24.125e9, 12.0)
    changes = {"velocity": {"start": 0.0, "stop": 6.4, "size": 64}, "time": {"start": 0.0, "stop": 2.56, "size": 64}}
    layout = params.build(SpectrogramParams, {**STFT, **changes, "hop_s": 1.28}, "grid")
    name = "walk/AD620_DC_Supply_IPM_Gain_200x.wav"
    (walk,) = (one for one in cw24.index(root, source) if one.key == name)
    count = crops.count(walk, layout)
    made = prepare(cw24.read, root, source, layout, Crops(walk, tuple(range(count)), ("train",) * count))
    assert made.shape == (10, 1, 64, 64)
    brightness = made.mean(axis=(0, 1, 3), dtype=np.float64)
    assert 0.5 < layout.axes()[0].centres[brightness.argmax()] < 1.6


def test_movements_of_mars_fill_every_crop(recordings):
    root, source = recordings / "mars", mars.Source("mars")
    changes = {"velocity": {"start": -2.67, "stop": 3.026, "size": 16}, "time": {"start": 0.0, "stop": 6.4, "size": 64}}
    layout = params.build(SpectrogramParams, {**DOPPLER_TIME, **changes, "resolution_mps": 0.356}, "grid")
    one = mars.index(root, source)[3]
    count = crops.count(one, layout)
    made = prepare(mars.read, root, source, layout, Crops(one, tuple(range(count)), ("train",) * count))
    assert made.shape[1:] == (1, 16, 64)
    assert (made > -1).mean(axis=(1, 2, 3)).min() > 0.1
