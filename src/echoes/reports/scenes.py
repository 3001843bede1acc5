"""Frames to look at -> one HTML page with a time line, written frame by frame.

A page holds what a browser decodes: points as whole numbers in the box of their frame, what was measured of them, and
spectrograms, as bytes. Of frames that would make it too large, points are left out evenly, and the page tells how many.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from echoes import files
from echoes.reports import page

BUDGET = 72_000  # bytes of a frame; in base64 4/3 of it, so that 100 frames are less than 10 MB
LEVELS, SHADES = 0xFFFF, 0xFF  # of a coordinate, and of what was measured
PLACE = 6  # bytes of a position


@dataclass(frozen=True)
class Layer:
    """Points of one kind in a frame.

    points   (N, 3) x, y, z [m].
    values   (N,) of each quantity: power [dB], doppler [m/s], probability, spread.
    numbers  of the layer in this frame, by what they are called; such as its Chamfer distance.
    """

    name: str
    points: np.ndarray
    values: Mapping[str, np.ndarray]
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A spectrogram (C, F, T) in network range, -1 to 1."""

    name: str
    values: np.ndarray


@dataclass(frozen=True)
class Scene:
    """What is shown at a time: layers of points in one view, or pictures side by side."""

    title: str
    layers: Sequence[Layer] = ()
    pictures: Sequence[Picture] = ()


def write(title: str, view: Mapping[str, Any], scenes: Iterable[Scene], path: Path) -> int:
    """Write the page; gives how many frames it has. view: what all frames share, of JSON, see view.js.

    Nothing is left behind where a frame cannot be made.
    """
    parts = {
        "title": escape(title),
        "style": page.template("page.css"),
        "script": page.template("view.js"),
        "view": page.script(view),
    }
    head, tail = (page.filled(text, parts) for text in page.template("view.html").split("<!-- frames -->\n"))
    count = 0
    with files.replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(head)
        for scene in scenes:
            told = page.script(packed(scene))
            file.write(page.element("script", told, type="application/json", class_="frame") + "\n")
            count += 1
        file.write(tail)
    return count


def packed(scene: Scene) -> dict[str, Any]:
    """A frame as JSON; arrays are little-endian bytes in base64.

    Coordinate q of 0..65535 is at lo + q / 65535 (hi - lo) of the `box`, value q of 0..255 likewise of its own ends.
    """
    box = _box(scene.layers)
    most = kept(scene.layers)
    return {
        "title": scene.title,
        "box": box.tolist(),
        "layers": [_layer(layer, box, most) for layer in scene.layers],
        "pictures": [_picture(one, len(scene.pictures)) for one in scene.pictures],
    }


def kept(layers: Sequence[Layer]) -> int:
    """The most points of a layer with which a frame stays within its budget."""
    sizes = [(len(layer.points), PLACE + len(layer.values)) for layer in layers]
    low, high = 0, max((count for count, _ in sizes), default=0)
    while low < high:
        middle = (low + high + 1) // 2
        fits = sum(min(count, middle) * width for count, width in sizes) <= BUDGET
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def _box(layers: Sequence[Layer]) -> np.ndarray:
    """(2, 3) the lowest and the highest x, y, z [m] of all points."""
    points = [layer.points for layer in layers if len(layer.points)]
    if not points:
        return np.zeros((2, 3))
    return np.array([np.min([p.min(axis=0) for p in points], axis=0), np.max([p.max(axis=0) for p in points], axis=0)])


def _layer(layer: Layer, box: np.ndarray, most: int) -> dict[str, Any]:
    count = len(layer.points)
    chosen = np.linspace(0, count - 1, min(count, most)).astype(np.int64)
    values = {name: _ranged(of[chosen]) for name, of in layer.values.items()}
    low, high = box
    return {
        "name": layer.name,
        "count": count,
        "shown": len(chosen),
        "xyz": page.packed(quantised(layer.points[chosen], low, high, LEVELS).astype("<u2")),
        "values": values,
        "numbers": {name: number for name, number in layer.numbers.items() if isfinite(number)},
    }


def _ranged(values: np.ndarray) -> list[Any]:
    """Lowest, highest, and bytes between them."""
    lo, hi = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    return [lo, hi, page.packed(quantised(values, lo, hi, SHADES).astype("u1"))]


def quantised(values: np.ndarray, lo: Any, hi: Any, levels: int) -> np.ndarray:
    """Values from lo to hi -> the nearest of 0..levels; 0 where both ends are the same."""
    span = np.asarray(hi, np.float64) - lo
    return np.rint((values - np.asarray(lo, np.float64)) / np.where(span > 0, span, 1.0) * levels)


def _picture(one: Picture, count: int) -> dict[str, Any]:
    """Small enough for `count` of them in a frame: means of blocks, each side of a block a power of 2."""
    values = one.values
    while values.size * count > BUDGET:
        channels, height, width = values.shape
        blocks = values[:, : height // 2 * 2, : width // 2 * 2].reshape(channels, height // 2, 2, width // 2, 2)
        values = blocks.mean(axis=(2, 4))
    bytes_of = quantised(values.clip(-1, 1), -1.0, 1.0, SHADES).astype("u1")
    return {"name": one.name, "shape": list(values.shape), "data": page.packed(bytes_of)}
