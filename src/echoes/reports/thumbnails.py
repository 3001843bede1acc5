"""Arrays -> a PNG without axes, drawn with Pillow alone: what a training shows of itself.

Trainings import no library of figures, so that an edit of a figure is none of theirs. Pixels are cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from echoes import files

NIGHT, INK = (13, 17, 23), (201, 209, 217)
# Low to high; between them colours change linearly.
HEIGHTS = ((59, 111, 224), (38, 198, 218), (102, 209, 122), (244, 211, 94), (238, 132, 52), (193, 41, 46))
POWERS = ((5, 4, 15), (75, 29, 120), (181, 54, 122), (251, 135, 97), (252, 253, 191))
MIN_PIXELS = 160  # pixels of the longer side of a picture, at least
GAP, LINE = 6, 16  # pixels between pictures, and of a line of text


@dataclass(frozen=True)
class Row:
    """label: a line above the pictures; pictures: (H, W, 3) uint8, one for each title, all of one size."""

    label: str
    pictures: Sequence[np.ndarray]


def sheet(titles: Sequence[str], rows: Sequence[Row], path: Path) -> None:
    """Write pictures in columns under their titles."""
    high, wide = (-(-MIN_PIXELS // max(rows[0].pictures[0].shape[:2])) * side for side in rows[0].pictures[0].shape[:2])
    step_x, step_y = wide + GAP, high + LINE + GAP
    image = Image.new("RGB", (GAP + len(titles) * step_x, LINE + len(rows) * step_y), NIGHT)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default()
    for j, title in enumerate(titles):
        draw.text((GAP + j * step_x, 2), title, INK, font)
    for i, row in enumerate(rows):
        top = LINE + i * step_y
        draw.text((GAP, top + 2), row.label, INK, font)
        for j, picture in enumerate(row.pictures):
            large = Image.fromarray(picture).resize((wide, high), Image.Resampling.NEAREST)
            image.paste(large, (GAP + j * step_x, top + LINE))
    with files.replacing(path) as temporary:
        image.save(temporary, format="PNG")


def from_above(indices: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(W, H, 3) uint8 of the highest of the cells (M, 3) z, y, x in each column; forward is up, left is left."""
    highest = np.full(shape[1:], np.nan)
    z, y, x = indices[np.argsort(indices[:, 0], kind="stable")].astype(np.int64).T
    highest[y, x] = z / max(1, shape[0] - 1)
    return coloured(highest.T[::-1, ::-1], HEIGHTS)


def spectrogram(values: np.ndarray) -> np.ndarray:
    """(F, T, 3) uint8 of (C, F, T) in network range -1..1, C 1 or 3; the highest velocity on top."""
    share = (values.clip(-1, 1) + 1) / 2
    if len(values) == 1:
        return coloured(share[0, ::-1], POWERS)
    return (255 * np.moveaxis(share[:, ::-1], 0, -1)).round().astype(np.uint8)


def coloured(share: np.ndarray, colours: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """(H, W) 0..1 -> (H, W, 3) uint8; NaN is background."""
    known, places = ~np.isnan(share), np.linspace(0, 1, len(colours))
    picture = np.full((*share.shape, 3), NIGHT, np.uint8)
    for channel, levels in enumerate(zip(*colours, strict=True)):
        picture[known, channel] = np.interp(share[known], places, levels).round()
    return picture
