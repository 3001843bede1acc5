"""Voxelizing one frame, side by side with two NumPy implementations of the same thing.

    python bench/voxelize.py

200 000 radar returns, spread evenly -> (4, 32, 128, 128): occupancy, mean power, mean Doppler, Doppler variance. The
functions take turns, so that all see the same load of the machine; printed is the median of each.
"""

from functools import partial
from typing import Literal

import machine
import numpy as np
from turns import seconds

from echoes.grids import Grid, Range
from echoes.rasters import voxels
from echoes.rasters.cells import dense
from echoes.seeds import rng

RETURNS = 200_000
RUNS = 50
TARGET = 2.5  # times as fast as argsort + reduceat
GRID = Grid.of(z=Range(-3.0, 5.0, 32), y=Range(-25.0, 25.0, 128), x=Range(0.0, 50.0, 128))
SIZE = int(np.prod(GRID.shape))


def compiled(points: np.ndarray) -> np.ndarray:
    return dense(voxels.radar_cells(points, GRID), GRID.shape)


def argsort_reduceat(points: np.ndarray, kind: Literal["stable", "quicksort"] = "stable") -> np.ndarray:
    """Sort the returns by cell, reduce each run of equal cells."""
    flat, measured = inside(points)
    order = np.argsort(flat, kind=kind)
    ordered = flat[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    count = np.diff(starts, append=len(ordered))
    power, doppler = (measured[:, c].astype(np.float64)[order] for c in (4, 3))
    mean = np.add.reduceat(doppler, starts) / count
    deviation = doppler - np.repeat(mean, count)
    filled = np.zeros((4, SIZE), np.float32)
    cells = ordered[starts]
    filled[0, cells] = 1
    filled[1, cells] = np.add.reduceat(power, starts) / count
    filled[2, cells] = mean
    filled[3, cells] = np.add.reduceat(deviation * deviation, starts) / count
    return filled.reshape(4, *GRID.shape)


def quicksort_reduceat(points: np.ndarray) -> np.ndarray:
    """The same with NumPy's vectorized sort, which mixes the returns of a cell."""
    return argsort_reduceat(points, "quicksort")


def bincount(points: np.ndarray) -> np.ndarray:
    """Sum over the cells of the whole grid, without a sort."""
    flat, measured = inside(points)
    count = np.bincount(flat, minlength=SIZE)
    divisor = np.maximum(count, 1)
    mean = np.bincount(flat, measured[:, 3], minlength=SIZE) / divisor
    deviation = measured[:, 3] - mean[flat]
    filled = np.empty((4, SIZE), np.float32)
    filled[0] = count > 0
    filled[1] = np.bincount(flat, measured[:, 4], minlength=SIZE) / divisor
    filled[2] = mean
    filled[3] = np.bincount(flat, deviation * deviation, minlength=SIZE) / divisor
    return filled.reshape(4, *GRID.shape)


def inside(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat cells of the returns in the grid, and those returns.

    By division, the fastest way in NumPy; it misplaces returns on an edge, which `compiled` does not.
    """
    cells, within = [], np.ones(len(points), bool)
    for i, axis in enumerate(GRID.axes):
        position = (points[:, 2 - i] - np.float64(axis.start)) * (1 / axis.step)
        within &= (position >= 0) & (position < axis.size)
        cells.append(position.astype(np.int32))
    z, y, x = cells
    flat = (z * GRID.shape[1] + y) * GRID.shape[2] + x
    return flat[within], points[within]


def returns() -> np.ndarray:
    """(RETURNS, 5) x, y, z [m], Doppler [m/s], power [dB], spread evenly over the grid."""
    r = rng(0, "bench", "voxelize")
    space = r.uniform([0.0, -25.0, -3.0], [50.0, 25.0, 5.0], (RETURNS, 3))
    measured = np.stack([r.normal(0, 8, RETURNS), r.normal(60, 10, RETURNS)], axis=1)
    return np.concatenate([space, measured], axis=1).astype(np.float32)


def main() -> None:
    machine.tell()
    points = returns()
    ours, *peers = voxelize = [compiled, argsort_reduceat, quicksort_reduceat, bincount]
    for peer in peers:
        np.testing.assert_allclose(peer(points), ours(points), rtol=1e-5, atol=1e-6)  # and warms up
    taken = seconds([partial(function, points) for function in voxelize], RUNS)
    ours_ms, *peers_ms = 1000 * np.median(taken, axis=0)
    print(f"{RETURNS} returns -> {(4, *GRID.shape)}, median of {len(taken)} runs")
    print(f"{ours.__name__:20} {ours_ms:6.2f} ms")
    for peer, peer_ms in zip(peers, peers_ms, strict=True):
        print(f"{peer.__name__:20} {peer_ms:6.2f} ms   {peer_ms / ours_ms:4.1f} x ours")
    ratio = peers_ms[0] / ours_ms
    verdict = "met" if ratio >= TARGET else "MISSED"
    print(f"against argsort + reduceat: {ratio:.2f} x as fast, wanted {TARGET} x: {verdict}")


if __name__ == "__main__":
    main()
