"""Pictures of trainings: each cell where it is, in the colour of its height or power."""

import numpy as np
from PIL import Image

from echoes.reports import thumbnails
from echoes.reports.thumbnails import HEIGHTS, NIGHT, POWERS, Row


def test_a_cell_ahead_on_the_left_is_in_the_upper_left_corner_and_the_highest_of_a_column_is_seen():
    shape = (3, 4, 5)  # z, y, x
    found = thumbnails.from_above(np.array([[2, 3, 4], [0, 3, 4], [0, 0, 0]], np.uint8), shape)
    assert found.shape == (5, 4, 3)
    assert tuple(found[0, 0]) == HEIGHTS[-1]
    assert tuple(found[4, 3]) == HEIGHTS[0]
    assert (found.reshape(-1, 3) == NIGHT).all(axis=1).sum() == 18


def test_nothing_is_all_background():
    assert (thumbnails.from_above(np.zeros((0, 3), np.int32), (3, 4, 5)) == NIGHT).all()


def test_a_spectrogram_shows_the_highest_velocity_on_top_and_power_by_its_colour():
    values = np.full((1, 2, 3), -1.0, np.float32)
    values[0, 1, 0] = 7.0
    found = thumbnails.spectrogram(values)
    assert tuple(found[0, 0]) == POWERS[-1]
    assert (found[1] == POWERS[0]).all()
    rgb = thumbnails.spectrogram(np.stack([values[0], -values[0], values[0]]))
    assert tuple(rgb[0, 0]) == (255, 0, 255)


def test_a_sheet_has_a_column_for_each_title_and_the_same_bytes_each_time(tmp_path):
    pictures = [np.full((64, 32, 3), level, np.uint8) for level in (0, 100, 200)]
    for name in ("one.png", "two.png"):
        thumbnails.sheet(
            ["radar", "sample", "target"], [Row("frame 1", pictures), Row("frame 2", pictures)], tmp_path / name
        )
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    shown = np.asarray(Image.open(tmp_path / "one.png"))
    assert shown.shape == (16 + 2 * (192 + 16 + 6), 6 + 3 * (96 + 6), 3)
    for j, level in enumerate((0, 100, 200)):
        for i in range(2):
            top, left = 32 + i * 214, 6 + j * 102
            assert (shown[top : top + 192, left : left + 96] == level).all()
