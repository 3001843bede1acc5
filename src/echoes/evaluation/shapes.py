"""The shapes that the occupied cells of a frame form: clusters of cells that touch, and runs of cells without a gap."""

import numpy as np
from scipy import ndimage

from echoes.grids import Grid

SECTORS = 120  # of the horizon: 3 degrees each


def cluster_sizes(occupied: np.ndarray) -> np.ndarray:
    """(C,) cells in each cluster of (D, H, W) bool; cells touch that share a face, an edge or a corner."""
    labels, count = ndimage.label(occupied, np.ones((3, 3, 3)))
    return np.bincount(labels.ravel(), minlength=count + 1)[1:]


def run_lengths(occupied: np.ndarray) -> np.ndarray:
    """(R,) lengths of the runs of True along the last axis of (..., N) bool; none goes over the end of its row."""
    rows = occupied.reshape(-1, occupied.shape[-1])
    change = np.diff(np.pad(rows.astype(np.int8), ((0, 0), (1, 1))), axis=1).ravel()
    return np.flatnonzero(change == -1) - np.flatnonzero(change == 1)


def circular_run_lengths(occupied: np.ndarray) -> np.ndarray:
    """The same where each row is closed to a circle: a run over its end is one run, and a full circle is N long."""
    rows = occupied.reshape(-1, occupied.shape[-1])
    start = rows.argmin(axis=1)[:, None]  # at a gap, so that no run goes over the end
    turned = (np.arange(rows.shape[1]) + start) % rows.shape[1]
    return run_lengths(np.take_along_axis(rows, turned, axis=1))


def sectors(grid: Grid) -> np.ndarray:
    """(H * W, SECTORS) bool: the sectors of the horizon that a column covers, seen from the sensor.

    A column is as wide as the circle of its cell's width, so that a wall nearby has no gaps between its cells.
    """
    y, x = np.meshgrid(*(axis.centres for axis in grid.axes[1:]), indexing="ij")
    azimuth_rad, range_m = np.arctan2(y, x).ravel(), np.hypot(y, x).ravel()
    middle_rad = (np.arange(SECTORS) + 0.5) * (2 * np.pi / SECTORS) - np.pi
    apart_rad = np.abs((azimuth_rad[:, None] - middle_rad + np.pi) % (2 * np.pi) - np.pi)
    reach_rad = np.maximum(np.arctan2(grid.widths[1:].mean() / 2, range_m), np.pi / SECTORS)
    return np.asarray(apart_rad <= reach_rad[:, None])


def arcs(occupied: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """(R,) runs of sectors in which a layer of (D, H, W) bool has a cell, as `circular_run_lengths` counts them.

    covered  (H * W, SECTORS), of `sectors`.
    """
    seen = occupied.reshape(len(occupied), -1).astype(np.float32) @ covered.astype(np.float32)
    return circular_run_lengths(seen > 0)
