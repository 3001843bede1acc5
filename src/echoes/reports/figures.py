"""Arrays and metrics -> PNG. The same input gives the same bytes; nothing here touches a display."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.style import context

from echoes import files
from echoes.grids import Grid

DPI = 150
# over matplotlib's defaults, never over the user's matplotlibrc
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that pictures do not depend on the machine
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d8dee4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
}
NIGHT = "#0d1117"
LINE = "#30363d"
INK: dict[Any, Any] = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), "#c9d1d9")
HEIGHTS = ListedColormap(colormaps["turbo"](np.linspace(0.08, 0.91, 256)))  # without the ends, dark on dark
RINGS_M = (20.0, 40.0)  # the borders of the range bands of evaluate
PANEL_IN, GAP_IN, LEFT_IN, RIGHT_IN, BOTTOM_IN, TOP_IN = 2.5, 0.1, 0.6, 0.85, 0.5, 0.4


@dataclass(frozen=True)
class Panel:
    """One cloud seen from above.

    title   the heading; shown where it differs from the one of the panel above.
    points  (N, 3) x forward, y left, z up [m].
    values  (N,) what the colour shows; None for the height z [m].
    note    small text in the lower right corner, such as a metric of this cloud; may be empty.
    """

    title: str
    points: np.ndarray
    values: np.ndarray | None
    note: str


def birdseye(rows: Sequence[Sequence[Panel]], grid: Grid, path: Path, label: str) -> None:
    """Clouds from above, forward up and left to the left, a row per frame, with one colour bar named `label`.

    A dot is as wide as a cell. The colours span the central 98 % of all values shown.
    """
    with context(["default", STYLE, INK]):
        figure, axes = _sheet(len(rows), len(rows[0]), grid)
        colours = _colours([_values(panel) for row in rows for panel in row])
        for above, row, line in zip([None, *rows], rows, axes, strict=False):
            for j, panel in enumerate(row):
                _from_above(line[j], panel, grid, colours)
                if above is None or above[j].title != panel.title:
                    line[j].set_title(panel.title, fontsize=11, pad=7)
        width_in = figure.get_figwidth()
        box = (1 - (RIGHT_IN - 0.15) / width_in, 0.25, 0.13 / width_in, 0.5)
        bar = figure.colorbar(ScalarMappable(colours, HEIGHTS), cax=figure.add_axes(box))
        bar.set_label(label)
        bar.outline.set_visible(False)
        save(figure, path)


def _sheet(rows: int, columns: int, grid: Grid) -> tuple[Figure, np.ndarray]:
    """A dark figure and its (rows, columns) panels of the grid's shape; sizes in inches, so that dots can fit cells."""
    _, y_axis, x_axis = grid.axes
    tall_in = PANEL_IN * (x_axis.stop - x_axis.start) / (y_axis.stop - y_axis.start)
    width_in = LEFT_IN + columns * PANEL_IN + (columns - 1) * GAP_IN + RIGHT_IN
    height_in = BOTTOM_IN + rows * tall_in + (rows - 1) * GAP_IN + TOP_IN
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, facecolor=NIGHT)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(
        left=LEFT_IN / width_in,
        right=1 - RIGHT_IN / width_in,
        bottom=BOTTOM_IN / height_in,
        top=1 - TOP_IN / height_in,
        wspace=GAP_IN / PANEL_IN,
        hspace=GAP_IN / tall_in,
    )
    for ax in axes[:, 0]:
        ax.set_ylabel("x [m]")
    for ax in axes[-1]:
        ax.set_xlabel("y [m]")
    return figure, axes


def _from_above(ax: Axes, panel: Panel, grid: Grid, colours: Normalize) -> None:
    _, y_axis, x_axis = grid.axes
    ax.set_facecolor(NIGHT)
    ax.grid(False)
    angle = np.linspace(-np.pi, np.pi, 361)
    for ring_m in RINGS_M:
        ax.plot(ring_m * np.sin(angle), ring_m * np.cos(angle), color=LINE, linewidth=0.8)
    order = np.argsort(panel.points[:, 2], kind="stable")  # the highest of a column on top
    y_m, x_m, values = panel.points[order, 1], panel.points[order, 0], _values(panel)[order]
    dot_pt = 72 * PANEL_IN * y_axis.step / (y_axis.stop - y_axis.start)
    ax.scatter(y_m, x_m, s=dot_pt**2, c=values, cmap=HEIGHTS, norm=colours, linewidths=0)
    ax.plot(0, 0, marker="^", color="#ffffff", markersize=5, clip_on=False, zorder=3)  # the sensor
    ax.text(0.97, 0.03, panel.note, transform=ax.transAxes, ha="right", va="bottom", fontsize=8)
    ax.set(xlim=(y_axis.stop, y_axis.start), ylim=(x_axis.start, x_axis.stop))
    ax.tick_params(labelsize=7, length=2, color=LINE)
    for spine in ax.spines.values():
        spine.set(visible=True, color=LINE)


def _values(panel: Panel) -> np.ndarray:
    return panel.points[:, 2] if panel.values is None else panel.values


def _colours(values: Sequence[np.ndarray]) -> Normalize:
    """One scale for all panels, from the 1 % to the 99 % quantile of their values."""
    pooled = np.concatenate(values)
    lo, hi = np.quantile(pooled, (0.01, 0.99)) if len(pooled) else (0.0, 1.0)
    return Normalize(lo, hi if hi > lo else lo + 1.0)


def error_over_range(evaluation: Mapping[str, Any], keys: Sequence[str], path: Path) -> None:
    """A panel per key (`chamfer_m`, ...), a line per method over the range bands, bars for 95 % intervals."""
    methods = {name: block for name, block in evaluation.items() if isinstance(block, Mapping)}
    bands = _bands(next(iter(methods.values())), keys[0])
    with context(["default", STYLE]):
        figure = Figure(figsize=(3.6 * len(keys), 3.2), dpi=DPI, layout="constrained")
        axes = figure.subplots(1, len(keys), squeeze=False)[0]
        for ax, key in zip(axes, keys, strict=True):
            for i, (name, block) in enumerate(methods.items()):
                shift = 0.04 * (i - (len(methods) - 1) / 2)  # so that bars do not hide each other
                _band_line(ax, np.arange(len(bands)) + shift, block, [f"{key}_{band}" for band in bands], name, f"C{i}")
            ax.set_xticks(range(len(bands)), bands)
            ax.set(title=key, xlabel="horizontal range", ylim=(0, None))
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
        save(figure, path)


def _bands(block: Mapping[str, Any], key: str) -> list[str]:
    """The suffixes of `key` in a block: `chamfer_m_0-20m` has the band 0-20m."""
    suffixes = [name.removeprefix(f"{key}_") for name in block if name.startswith(f"{key}_")]
    return [suffix for suffix in suffixes if suffix[0].isdigit() and not suffix.endswith(("_lo", "_hi"))]


def _band_line(ax: Axes, at: np.ndarray, block: Mapping[str, Any], keys: list[str], name: str, colour: str) -> None:
    known = [i for i, key in enumerate(keys) if block.get(key) is not None]
    mean, lo, hi = (np.array([block[f"{keys[i]}{end}"] for i in known]) for end in ("", "_lo", "_hi"))
    # An interval of few stretches need not hold the mean, and that of a single one is the mean up to rounding.
    ends = np.maximum((mean - lo, hi - mean), 0)
    ax.errorbar(at[known], mean, ends, label=name, color=colour, marker="o", markersize=4, capsize=2)


def histograms(shares: Mapping[str, Mapping[str, np.ndarray]], edges: Mapping[str, np.ndarray], path: Path) -> None:
    """A panel per quantity of `edges`, an outline per source: `shares[source][quantity]` per bin."""
    with context(["default", STYLE]):
        figure = Figure(figsize=(2.8 * len(edges), 2.6), dpi=DPI, layout="constrained")
        axes = figure.subplots(1, len(edges), squeeze=False)[0]
        for ax, (quantity, bins) in zip(axes, edges.items(), strict=True):
            for i, (source, of_quantity) in enumerate(shares.items()):
                ax.stairs(of_quantity[quantity], bins, label=source, color=f"C{i}", linewidth=1.4)
            ax.set(xlabel=quantity, ylim=(0, None))
        axes[0].set_ylabel("share of values")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
        save(figure, path)


def overlay(radar: np.ndarray, lidar: np.ndarray, outlines: Sequence[np.ndarray], path: Path) -> None:
    """Radar over LiDAR from above, to see whether they fit and which sign Doppler has.

    radar      (N, 5) x, y, z [m], Doppler [m/s], power [dB]; at least one point. Red recedes, blue approaches.
    lidar      (M, 3 or more) x, y, z [m], drawn in grey; may be empty. The view is where radar points are.
    outlines   (K, 2) x, y [m] of the corners of each annotated object; may be none.
    """
    reach_mps = max(float(np.quantile(np.abs(radar[:, 3]), 0.98)), 0.1)
    (x_lo, y_lo), (x_hi, y_hi) = np.quantile(radar[:, :2], (0.01, 0.99), axis=0)
    with context(["default", STYLE]):
        figure = Figure(figsize=(7, 7), dpi=DPI, layout="compressed")
        ax = figure.subplots()
        ax.scatter(lidar[:, 1], lidar[:, 0], s=1.0, color="#8c959f", linewidths=0)
        colours = Normalize(-reach_mps, reach_mps)
        y_m, x_m, doppler_mps = radar[:, 1], radar[:, 0], radar[:, 3]
        points = ax.scatter(y_m, x_m, s=14, c=doppler_mps, cmap="coolwarm", norm=colours, lw=0.3, edgecolors="#57606a")
        for corners in outlines:
            x_m, y_m = np.concatenate([corners, corners[:1]]).T
            ax.plot(y_m, x_m, color="#1a7f37", linewidth=1.0)
        ax.plot(0, 0, marker="^", color="black", markersize=7)
        ax.set(xlabel="y [m]", ylabel="x [m]", aspect="equal")
        ax.set(xlim=(max(y_hi, 0) + 2, min(y_lo, 0) - 2), ylim=(min(x_lo, 0) - 2, max(x_hi, 0) + 2))
        figure.colorbar(points, ax=ax, shrink=0.6).set_label("Doppler [m/s], positive = receding")
        save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without what would differ between machines."""
    FigureCanvasAgg(figure)
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
