"""Spectrograms that were stored as pictures: PNG or JPEG, a folder per class.

    ACTIVITY/*.png or USER/ACTIVITY/*.png (.jpg, .jpeg too)

A picture is the spectrogram alone, without axes or margins: its first row is the highest velocity, its first
column the earliest time. `colour` says what its colours mean: `grey` is power as it is, `colormap` is power drawn
with a colormap of matplotlib, which is inverted, and `rgb` keeps the three channels.
"""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from PIL import Image

from echoes import params
from echoes.errors import InputError, one_line
from echoes.readers import colormaps, folders
from echoes.readers.frames import MOVED
from echoes.readers.recordings import Picture, RecordingEntry

# How far a picture may lie from the colours of its colormap, in the mean. Drawn with them, noise stored as JPEG (its
# hardest case) lies .04 to .10 off, as PNG .002; drawn with another colormap mostly .13 and more.
TOLERANCE = {".png": 0.02, ".jpg": 0.1, ".jpeg": 0.1}
GREY_SPREAD = 0.02  # mean difference between the channels of a grey picture that went through JPEG
DEEP_GREY = ("I", "I;16", "I;16L", "I;16B")
# What Pillow raises on a broken file.
BROKEN = (OSError, SyntaxError, ValueError, LookupError, EOFError, struct.error, Image.DecompressionBombError)


@dataclass(frozen=True)
class Source:
    """Where the recordings come from, in params.yaml."""

    RENAMED: ClassVar = MOVED

    reader: Literal["images"]
    size: int | tuple[int, int]  # of each side, or rows and columns [pixels]
    colour: Literal["grey", "rgb", "colormap"]
    colormap: str  # of matplotlib, for colour: colormap

    def __post_init__(self) -> None:
        params.require_counts(size=min(self.rows_and_columns))
        if self.colour == "colormap":
            colormaps.table(self.colormap)

    @property
    def rows_and_columns(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size


def index(root: Path, source: Source) -> list[RecordingEntry]:
    """One recording per picture; the size of each is checked."""
    found = folders.labelled(root, list(TOLERANCE), [1, 2])
    for path in found:
        _opened(path, source.rows_and_columns).close()
    return [RecordingEntry(path.relative_to(root).as_posix(), labels, 0.0) for path, labels in found.items()]


def read(root: Path, source: Source, recorded: RecordingEntry) -> Picture:
    """One picture: (1, rows, columns), or (3, rows, columns) as rgb."""
    path = root / recorded.key
    pixels = _pixels(path, source.rows_and_columns)
    if source.colour == "rgb":
        return Picture(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    if source.colour == "colormap":
        values, distance = colormaps.invert(pixels, colormaps.table(source.colormap))
        if distance > (allowed := TOLERANCE[path.suffix.lower()]):
            raise InputError(
                f"{path}: expected colours of {source.colormap}, {allowed} off in the mean at most, got {distance:.3f}"
            )
        return Picture(values[None])
    if (spread := float(np.ptp(pixels, axis=2).mean())) > GREY_SPREAD:
        raise InputError(f"{path}: expected a grey picture, got colours that differ by {spread:.3f} in the mean")
    return Picture(pixels.mean(axis=2, dtype=np.float32)[None])


def _pixels(path: Path, size: tuple[int, int]) -> np.ndarray:
    """(rows, columns, 3) float32 0..1."""
    with _opened(path, size) as image:
        try:
            if image.mode in DEEP_GREY:
                return np.repeat(np.asarray(image, dtype=np.float32)[:, :, None] / 65535, 3, axis=2)
            pixels = np.asarray(image.convert("RGBA"), dtype=np.float32) / 255
        except BROKEN as error:
            raise _unreadable(path, error) from error
    if (pixels[:, :, 3] < 1).any():
        raise InputError(f"{path}: expected an opaque picture, got transparent pixels")
    return pixels[:, :, :3]


def _opened(path: Path, size: tuple[int, int]) -> Image.Image:
    """size: rows and columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked before a pixel is read
        try:
            image = Image.open(path, formats=("PNG", "JPEG"))  # of PostScript and others Pillow runs programs
        except BROKEN as error:
            raise _unreadable(path, error) from error
    width, height = image.size
    if (height, width) != size:
        image.close()
        raise InputError(f"{path}: expected a picture of {size[1]}x{size[0]} pixels, got {width}x{height}")
    return image


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: expected a whole PNG or JPEG, got: {one_line(error)}")
