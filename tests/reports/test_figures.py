"""Pictures are written, have the size they should, show the right side, and repeat byte for byte."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from echoes import seeds
from echoes.grids import Grid, Range
from echoes.reports import figures
from echoes.reports.figures import Panel

GRID = Grid.of(z=Range(-2.0, 2.0, 4), y=Range(-16.0, 16.0, 32), x=Range(0.0, 32.0, 32))
KEYS = ("chamfer_m", "f1@1.0m")


def cloud(count: int) -> np.ndarray:
    return seeds.rng(0, "cloud", count).uniform([0, -16, -2], [32, 16, 2], size=(count, 3))


def pixels(path: Path) -> np.ndarray:
    """(rows, columns, 3) of a picture, 0..1."""
    return matplotlib.image.imread(path)[..., :3]


def evaluation() -> dict:
    bands = {f"{key}_{band}": 0.5 for key in KEYS for band in ("0-20m", "20-40m")}
    ends = {f"{key}{end}": 0.5 + shift for key in bands for end, shift in (("_lo", -0.1), ("_hi", 0.2))}
    missing = {f"{key}_40+m{end}": None for key in KEYS for end in ("", "_lo", "_hi")}
    return {"radar": bands | ends | missing, "ldm": bands | ends | missing, "frames": 3}


EVALUATED = evaluation()["radar"]


def draw_all(folder: Path) -> None:
    rows = [[Panel("radar", cloud(30), None, ""), Panel("LiDAR", cloud(300), np.arange(300.0), "0.5 m")]] * 2
    figures.birdseye(rows, GRID, folder / "birdseye.png", "height [m]")
    figures.error_over_range(evaluation(), KEYS, folder / "range.png")
    edges = {"range_m": np.linspace(0, 50, 11)}
    figures.histograms({"simulated": {"range_m": np.full(10, 0.1)}}, edges, folder / "histograms.png")
    figures.overlay(np.c_[cloud(40), cloud(40)[:, :2]], cloud(200), [np.eye(2)], folder / "overlay.png")


def test_pictures_repeat_byte_for_byte(tmp_path):
    names = ("birdseye", "range", "histograms", "overlay")
    for run in ("first", "second"):
        draw_all(tmp_path / run)
    for name in names:
        first, second = (tmp_path / run / f"{name}.png" for run in ("first", "second"))
        assert first.read_bytes() == second.read_bytes(), name
        assert b"Software" not in first.read_bytes()
        assert min(pixels(first).shape[:2]) >= 300, name


def test_birdseye_panels_have_the_shape_of_the_grid(tmp_path):
    rows = [[Panel("radar", cloud(50), None, "")] * 3] * 2
    figures.birdseye(rows, GRID, tmp_path / "b.png", "height [m]")
    image = pixels(tmp_path / "b.png")
    side, gap = figures.PANEL_IN, figures.GAP_IN
    tall = figures.BOTTOM_IN + 2 * side + gap + figures.TOP_IN
    wide = figures.LEFT_IN + 3 * side + 2 * gap + figures.RIGHT_IN
    assert image.shape[:2] == pytest.approx((tall * figures.DPI, wide * figures.DPI), abs=1)
    inner, step = round(side * figures.DPI) - 10, round((side + gap) * figures.DPI)
    top, left = round(figures.TOP_IN * figures.DPI) + 5, round(figures.LEFT_IN * figures.DPI) + 5
    first, *others = (image[top + i * step :, left + j * step :][:inner, :inner] for i in range(2) for j in range(3))
    assert all(np.abs(first - other).mean() < 1e-3 for other in others)  # but for rounding at the edges of dots


@pytest.mark.parametrize(("x", "y", "vertical", "horizontal"), [(31, 15, 0, 0), (31, -15, 0, 1), (1, 15, 1, 0)])
def test_forward_is_up_and_left_is_left(tmp_path, x, y, vertical, horizontal):
    points = np.full((20, 3), [x, y, 0.0])
    figures.birdseye([[Panel("", points, None, "")]], GRID, tmp_path / "with.png", "")
    figures.birdseye([[Panel("", np.zeros((0, 3)), None, "")]], GRID, tmp_path / "without.png", "")
    both = pixels(tmp_path / "with.png"), pixels(tmp_path / "without.png")
    start = round(figures.LEFT_IN * figures.DPI), round(figures.TOP_IN * figures.DPI)
    side = round(figures.PANEL_IN * figures.DPI)
    panels = [image[start[1] : start[1] + side, start[0] : start[0] + side] for image in both]
    where = np.argwhere(np.abs(panels[0] - panels[1]).max(axis=2) > 0.3).mean(axis=0) / side
    assert where.round().tolist() == [vertical, horizontal]


def test_the_highest_cell_of_a_column_is_the_one_seen(tmp_path):
    column = np.array([[16.0, 0.0, 1.9], [16.0, 0.0, -1.9]])
    scale = np.array([[30.0, 14.0, -2.0], [30.0, -14.0, 2.0]])
    for name, points in (("up", np.r_[column, scale]), ("down", np.r_[column[::-1], scale])):
        figures.birdseye([[Panel("", points, None, "")]], GRID, tmp_path / f"{name}.png", "")
    assert (tmp_path / "up.png").read_bytes() == (tmp_path / "down.png").read_bytes()


def test_red_recedes_in_the_overlay(tmp_path):
    shares = []
    for doppler in (5.0, -5.0):
        radar = np.c_[cloud(60), np.full(60, doppler), np.zeros(60)]
        figures.overlay(radar, np.zeros((0, 3)), [], tmp_path / "o.png")
        image = pixels(tmp_path / "o.png")[:, :700]  # without the colour bar
        shares.append(float(np.mean(image[..., 0] - image[..., 2])))
    assert shares[0] > 0 > shares[1]


def test_empty_clouds_can_be_drawn(tmp_path):
    figures.birdseye([[Panel("radar", np.zeros((0, 3)), None, "")]], GRID, tmp_path / "b.png", "height [m]")
    assert (tmp_path / "b.png").stat().st_size > 0


def test_an_interval_that_does_not_hold_the_mean_is_drawn_to_the_mean(tmp_path):
    """Of a single stretch it is the mean up to rounding, of two it may lie on one side."""
    beside = {key: 0.6 if key.endswith("_lo") else 0.7 if key.endswith("_hi") else v for key, v in EVALUATED.items()}
    figures.error_over_range({"radar": beside, "frames": 3}, KEYS, tmp_path / "range.png")
    assert pixels(tmp_path / "range.png").min() < 0.5
