"""Pictures of spectrograms: the right way up, the right colours, all of them there, the same bytes again."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from echoes import seeds
from echoes.grids import Axis
from echoes.reports import figures, spectrograms
from echoes.reports.spectrograms import View

VIEW = View(Axis("velocity", "m/s", -4.0, 4.0, 32), Axis("time", "s", 0.0, 2.0, 32), (-60.0, 0.0))


def pictures(count: int, channels: int = 1) -> np.ndarray:
    return seeds.rng(0, "pictures").uniform(-1, 1, (count, channels, 32, 32)).astype(np.float32)


def pixels(path: Path) -> np.ndarray:
    """(rows, columns, 3) of a picture, 0..1."""
    return matplotlib.image.imread(path)[..., :3]


def inside(path: Path) -> np.ndarray:
    """The pixels of the only spectrogram of a `single` picture."""
    side, left, top = (
        round(i * figures.DPI) for i in (spectrograms.LARGE_IN, spectrograms.LEFT_IN, spectrograms.TOP_IN)
    )
    return pixels(path)[top + 3 : top + side - 3, left + 3 : left + side - 3]


def test_pictures_repeat_byte_for_byte(tmp_path):
    rows = {"walk": {"real": pictures(2), "ldm": pictures(3)}, "run": {"real": pictures(1), "ldm": pictures(3)}}
    for run in ("first", "second"):
        spectrograms.side_by_side(rows, VIEW, tmp_path / run / "side.png")
        spectrograms.label_grid(pictures(5), "walk", VIEW, tmp_path / run / "grid.png")
        spectrograms.single(pictures(1)[0], "walk", VIEW, tmp_path / run / "single.png")
    for name in ("side", "grid", "single"):
        first, second = (tmp_path / run / f"{name}.png" for run in ("first", "second"))
        assert first.read_bytes() == second.read_bytes(), name
        assert b"Software" not in first.read_bytes()


@pytest.mark.parametrize(("velocity", "time", "vertical", "horizontal"), [(30, 1, 0, 0), (1, 1, 1, 0), (30, 30, 0, 1)])
def test_receding_is_up_and_time_runs_to_the_right(tmp_path, velocity, time, vertical, horizontal):
    picture = np.full((1, 32, 32), -1.0)
    picture[0, velocity, time] = 1.0
    spectrograms.single(picture, "", VIEW, tmp_path / "single.png")
    shown = inside(tmp_path / "single.png")
    where = np.argwhere(shown.max(axis=2) > 0.7).mean(axis=0) / len(shown)
    assert where.round().tolist() == [vertical, horizontal]


def test_colours_span_the_floor_and_the_ceiling_whatever_is_shown(tmp_path):
    for value in (-1.0, 0.0, 1.0):
        spectrograms.single(np.full((1, 32, 32), value), "", VIEW, tmp_path / f"{value}.png")
    levels = [inside(tmp_path / f"{value}.png")[200:300, 200:300].mean() for value in (-1.0, 0.0, 1.0)]
    assert levels[0] < 0.05 < 0.3 < levels[1] < 0.6 < 0.8 < levels[2]


def test_colours_of_a_picture_that_has_its_own_are_kept(tmp_path):
    picture = np.stack([np.full((32, 32), value) for value in (1.0, -1.0, 0.0)])
    spectrograms.single(picture, "", VIEW, tmp_path / "rgb.png")
    assert inside(tmp_path / "rgb.png").mean(axis=(0, 1)) == pytest.approx([1, 0, 0.5], abs=0.01)


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_a_grid_shows_every_spectrogram(tmp_path, count):
    spectrograms.label_grid(np.full((count, 1, 32, 32), 1.0), "", VIEW, tmp_path / "grid.png")
    bright = pixels(tmp_path / "grid.png")[:, : -round(spectrograms.RIGHT_IN * figures.DPI)].min(axis=2) > 0.7
    area = (spectrograms.SMALL_IN * figures.DPI) ** 2
    assert bright.sum() / area == pytest.approx(count, rel=0.05)


def test_a_sheet_has_a_place_for_every_example(tmp_path):
    bright = np.full((3, 1, 32, 32), 1.0)
    rows = {"walk": {"real": bright[:2], "ldm": bright}, "run": {"real": bright[:1], "ldm": bright}}
    spectrograms.side_by_side(rows, VIEW, tmp_path / "side.png")
    shown = pixels(tmp_path / "side.png")[:, : -round(spectrograms.RIGHT_IN * figures.DPI)].min(axis=2) > 0.7
    area = (spectrograms.SMALL_IN * figures.DPI) ** 2
    assert shown.sum() / area == pytest.approx(9, rel=0.05)
