"""What the classifier recognises, and how the envelopes of real and generated spectrograms compare -> PNG."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context

from echoes.reports.figures import DPI, STYLE, save

CELL_IN = 0.42
SPREAD = (0.1, 0.9)  # quantiles between which the middle 80 % lie
COLUMNS = 4


def confusion(counts: Mapping[str, np.ndarray], names: Sequence[str], path: Path) -> None:
    """Confusion matrices side by side, such as of `real` and of `ldm`.

    counts  title -> (classes, classes): row the label, column what was recognised; drawn as shares of each row.
    names   of the classes.
    """
    side_in = CELL_IN * len(names)
    with context(["default", STYLE]):
        size = (1.5 + len(counts) * (side_in + 0.3), side_in + 1.4)
        figure = Figure(figsize=size, dpi=DPI, layout="compressed")
        axes = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
        for ax, (title, matrix) in zip(axes, counts.items(), strict=True):
            total = matrix.sum()
            _heat(ax, matrix / matrix.sum(axis=1, keepdims=True).clip(min=1), names)
            ax.set_title(f"{title}: {np.trace(matrix) / max(total, 1):.0%} right")
        axes[0].set_ylabel("label")
        save(figure, path)


def _heat(ax: Axes, shares: np.ndarray, names: Sequence[str]) -> None:
    ax.imshow(shares, "Blues", vmin=0, vmax=1)
    ax.grid(False)
    for i, j in np.ndindex(*shares.shape):
        if shares[i, j] >= 0.005:
            ink = "white" if shares[i, j] > 0.6 else "black"
            ax.text(j, i, f"{100 * shares[i, j]:.0f}", ha="center", va="center", fontsize=8, color=ink)
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("recognised [% of the label]")
    ax.tick_params(length=0)


def envelopes(found: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]], time_s: np.ndarray, path: Path) -> None:
    """A panel per label, in it per source the mean lower and upper envelope and the middle 80 % around each.

    found  label -> source (`real`, `ldm`, ...) -> lower and upper (N, T) envelopes [m/s].
    """
    columns = min(COLUMNS, len(found))
    rows = ceil(len(found) / columns)
    with context(["default", STYLE]):
        figure = Figure(figsize=(2.7 * columns + 1, 2.2 * rows + 0.3), dpi=DPI, layout="constrained")
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for ax, (label, sources) in zip(axes.flat, found.items(), strict=False):
            for i, (source, pair) in enumerate(sources.items()):
                for lines, name in zip(pair, (source, None), strict=True):
                    low, high = np.quantile(lines, SPREAD, axis=0)
                    ax.fill_between(time_s, low, high, color=f"C{i}", alpha=0.1, linewidth=0)
                    for edge in (low, high):
                        ax.plot(time_s, edge, color=f"C{i}", linewidth=0.6, alpha=0.7)
                    ax.plot(time_s, lines.mean(axis=0), color=f"C{i}", linewidth=1.3, label=name)
            ax.set_title(label)
        for ax in axes.flat[len(found) :]:
            ax.set_axis_off()
        figure.supxlabel("time [s]", fontsize=9)
        figure.supylabel("velocity [m/s]", fontsize=9)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
        save(figure, path)
