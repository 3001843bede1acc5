"""Spectrograms -> PNG: real and generated side by side, those of one label, one alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import ceil, sqrt
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.style import context
from matplotlib.ticker import MaxNLocator

from echoes import grids
from echoes.reports.figures import DPI, INK, LINE, NIGHT, STYLE, save

COLOURS = "magma"
SMALL_IN, LARGE_IN = 1.1, 3.6  # side of a picture among others, and alone
GAP_IN, GROUP_GAP_IN = 0.06, 0.22  # between pictures, and between groups of them
LABEL = 16  # letters of a label in a line beside a small picture
LEFT_IN, RIGHT_IN, BOTTOM_IN, TOP_IN = 0.9, 0.9, 0.5, 0.4


@dataclass(frozen=True)
class View:
    """What a spectrogram in network range shows: its axes, and the powers [dB] that are -1 and 1."""

    velocity: grids.Axis
    time: grids.Axis
    range_db: tuple[float, float]


def side_by_side(rows: Mapping[str, Mapping[str, np.ndarray]], view: View, path: Path) -> None:
    """A row per label, in it a group of pictures per method (`real`, `ldm`, ...).

    rows  label -> method -> (n, C, F, T) spectrograms in network range, C 1 or 3; each label has the same methods,
          some of them perhaps fewer pictures.
    """
    methods = list(next(iter(rows.values())))
    groups = [max(len(pictures[method]) for pictures in rows.values()) for method in methods]
    with context(["default", STYLE, INK]):
        figure, axes = _sheet(len(rows), groups, SMALL_IN)
        starts = np.cumsum([0, *groups])
        for line, (label, pictures) in zip(axes, rows.items(), strict=True):
            for start, size, method in zip(starts, groups, methods, strict=False):
                for ax, picture in zip_longest(line[start : start + size], pictures[method]):
                    _show(ax, picture, view)
            _name_axes(line[:1], [], view)
            line[0].set_ylabel(f"{fill(label.replace('_', ' '), LABEL)}\n{_named(view.velocity)}", fontsize=8)
        for start, method in zip(starts, methods, strict=False):
            axes[0, start].set_title(method, loc="left", fontsize=10, pad=5)
        _name_axes([], axes[-1], view)
        _power_bar(figure, next(iter(rows.values()))[methods[0]], view)
        save(figure, path)


def label_grid(spectrograms: np.ndarray, title: str, view: View, path: Path) -> None:
    """(N, C, F, T) spectrograms, in reading order, on a sheet about as wide as it is high."""
    columns = ceil(sqrt(len(spectrograms)))
    with context(["default", STYLE, INK]):
        figure, axes = _sheet(ceil(len(spectrograms) / columns), [columns], SMALL_IN)
        for ax, picture in zip_longest(axes.flat, spectrograms):
            _show(ax, picture, view)
        _name_axes(axes[:, 0], axes.flat[len(spectrograms) - columns : len(spectrograms)], view)
        axes[0, 0].set_title(title, loc="left", fontsize=10, pad=5)
        _power_bar(figure, spectrograms, view)
        save(figure, path)


def single(spectrogram: np.ndarray, title: str, view: View, path: Path) -> None:
    """One (C, F, T) spectrogram."""
    with context(["default", STYLE, INK]):
        figure, axes = _sheet(1, [1], LARGE_IN)
        _show(axes[0, 0], spectrogram, view)
        _name_axes(axes[0], axes[0], view)
        axes[0, 0].set_title(title, loc="left", fontsize=10, pad=5)
        _power_bar(figure, spectrogram[None], view)
        save(figure, path)


def _sheet(rows: int, groups: Sequence[int], side_in: float) -> tuple[Figure, np.ndarray]:
    """A dark figure and its (rows, columns) square panels, the columns in groups; laid out in inches."""
    gaps = [gap for size in groups for gap in [GAP_IN] * (size - 1) + [GROUP_GAP_IN]][:-1]
    widths, heights = _spaced(sum(groups), gaps, side_in), _spaced(rows, [GAP_IN] * (rows - 1), side_in)
    wide_in, high_in = LEFT_IN + sum(widths) + RIGHT_IN, TOP_IN + sum(heights) + BOTTOM_IN
    figure = Figure(figsize=(wide_in, high_in), dpi=DPI, facecolor=NIGHT)
    margins = {"left": LEFT_IN / wide_in, "right": 1 - RIGHT_IN / wide_in}
    margins |= {"bottom": BOTTOM_IN / high_in, "top": 1 - TOP_IN / high_in, "wspace": 0, "hspace": 0}
    cells = figure.add_gridspec(len(heights), len(widths), width_ratios=widths, height_ratios=heights, **margins)
    axes = [[figure.add_subplot(cells[2 * i, 2 * j]) for j in range(sum(groups))] for i in range(rows)]
    return figure, np.array(axes)


def _spaced(count: int, gaps: Sequence[float], side_in: float) -> list[float]:
    """Side, gap, side, ..., side."""
    return [length for gap in [*gaps, 0.0][:count] for length in (side_in, gap)][:-1]


def _show(ax: Axes, picture: np.ndarray | None, view: View) -> None:
    """A (C, F, T) spectrogram, velocity upwards; nothing where there is none."""
    if picture is None:
        ax.set_axis_off()
        return
    ax.set(facecolor=NIGHT, axisbelow=False)
    ax.grid(False)
    ax.tick_params(labelsize=7, length=2, color=LINE, labelleft=False, labelbottom=False)
    ax.yaxis.set_major_locator(
        MaxNLocator("auto", prune="both")
    )  # numbers at the ends would touch those of a neighbour
    for spine in ax.spines.values():
        spine.set(visible=True, color=LINE)
    extent = (view.time.start, view.time.stop, view.velocity.start, view.velocity.stop)
    shown = _in_db(picture[0], view) if len(picture) == 1 else np.moveaxis((picture.clip(-1, 1) + 1) / 2, 0, -1)
    ax.imshow(shown, COLOURS, Normalize(*view.range_db), origin="lower", extent=extent, aspect="auto")


def _in_db(values: np.ndarray, view: View) -> np.ndarray:
    floor_db, ceiling_db = view.range_db
    return floor_db + (values + 1) / 2 * (ceiling_db - floor_db)


def _name_axes(left: Iterable[Axes], bottom: Iterable[Axes], view: View) -> None:
    for ax in left:
        ax.tick_params(labelleft=True)
        ax.set_ylabel(_named(view.velocity), fontsize=8)
    for ax in bottom:
        ax.tick_params(labelbottom=True)
        ax.set_xlabel(_named(view.time), fontsize=8)


def _named(axis: grids.Axis) -> str:
    return f"{axis.name} [{axis.unit}]"


def _power_bar(figure: Figure, pictures: np.ndarray, view: View) -> None:
    """The scale of power at the right, unless the pictures have colours of their own."""
    if pictures.shape[1] != 1:
        return
    wide_in, high_in = figure.get_size_inches()
    long_in = min(LARGE_IN, high_in - BOTTOM_IN - TOP_IN)
    middle = (BOTTOM_IN + (high_in - BOTTOM_IN - TOP_IN) / 2) / high_in
    box = (1 - (RIGHT_IN - 0.15) / wide_in, middle - long_in / high_in / 2, 0.12 / wide_in, long_in / high_in)
    bar = figure.colorbar(ScalarMappable(Normalize(*view.range_db), COLOURS), cax=figure.add_axes(box))
    bar.set_label("power [dB]", fontsize=8)
    bar.ax.tick_params(labelsize=7, length=2, color=LINE)
    bar.outline.set_visible(False)
