"""Returns of a radar or a LiDAR -> the occupied cells of a grid.

Serial compiled loops: a frame has too few points for threads to win.
"""

from math import prod

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from echoes.grids import Grid
from echoes.rasters.cells import Cells


def radar_cells(points: np.ndarray, grid: Grid) -> Cells:
    """Average what the returns of each cell measured.

    points   (N, 5) x, y, z [m], radial velocity [m/s], power [dB].
    returns  features of the channels `tasks.RADAR`: mean power [dB], mean Doppler [m/s] and its variance over
             the returns of the cell [(m/s)^2], 0 for a single return.

    Returns outside the grid are dropped.
    """
    owner, flat = _group(_flat(points, *_edges(grid)), prod(grid.shape))
    features = np.empty((len(flat), 3), np.float32)
    _means(owner, points[:, 4], features[:, 0])
    _moments(owner, points[:, 3], features[:, 1:])
    return Cells(_indices(flat, grid), features)


def lidar_cells(points: np.ndarray, grid: Grid) -> Cells:
    """Average the LiDAR returns of each cell.

    points   (M, 4) x, y, z [m], reflectivity 0..1.
    returns  features of the channels `tasks.LIDAR`: mean reflectivity.

    Returns outside the grid are dropped.
    """
    owner, flat = _group(_flat(points, *_edges(grid)), prod(grid.shape))
    features = np.zeros((len(flat), 1), np.float32)
    _means(owner, points[:, 3], features[:, 0])
    return Cells(_indices(flat, grid), features)


def lidar_and_radar_cells(points: np.ndarray, grid: Grid, radar: np.ndarray, radius_m: float) -> Cells:
    """Average the LiDAR returns of each cell and add what the radar measured nearby.

    points   (M, 4) x, y, z [m], reflectivity 0..1.
    radar    (N, 5) x, y, z [m], radial velocity [m/s], power [dB]; inside the grid or not.
    returns  features of the channels `tasks.LIDAR_AND_RADAR`: mean reflectivity; Doppler [m/s], 1 and power [dB]
             of the radar return nearest to the centre of the cell, or three zeros where none lies within `radius_m`.

    LiDAR returns outside the grid are dropped.
    """
    lidar = lidar_cells(points, grid)
    near, nearest = _nearest(grid.centres(lidar.indices), radar, radius_m)
    measured = np.zeros((len(lidar.indices), 3), np.float32)
    measured[near] = np.column_stack([nearest[:, 3], np.ones(len(nearest)), nearest[:, 4]])
    return Cells(lidar.indices, np.column_stack([lidar.features, measured]))


def mean_offsets(points: np.ndarray, grid: Grid) -> np.ndarray:
    """(M, 3) float32 where the returns of each occupied cell lie on average: z, y, x from its centre, in cells.

    points   (N, 3 or more) x, y, z [m]; the cells are those of `radar_cells` and `lidar_cells`, in their order.
    """
    owner, flat = _group(_flat(points, *_edges(grid)), prod(grid.shape))
    means = np.empty((len(flat), 3), np.float64)
    for column, axis in enumerate((2, 1, 0)):
        _means(owner, points[:, axis].astype(np.float64), means[:, column])
    centres = grid.centres(_indices(flat, grid))[:, ::-1]
    return ((means - centres) / grid.widths).astype(np.float32).clip(-0.5, 0.5)


def _edges(grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    z, y, x = grid.axes
    return z.edges, y.edges, x.edges


def _nearest(centres: np.ndarray, radar: np.ndarray, radius_m: float) -> tuple[np.ndarray, np.ndarray]:
    """(M,) bool: a radar return lies within `radius_m`, and those returns, for the cells that have one."""
    ordered = radar[np.lexsort(radar.T)]  # which of two equally near returns is taken depends on nothing else
    bound_m = np.nextafter(radius_m, np.inf)  # the tree excludes its bound
    which = np.asarray(cKDTree(ordered[:, :3]).query(centres, distance_upper_bound=bound_m)[1])
    near = which < len(ordered)
    return near, ordered[which[near]]


def _indices(flat: np.ndarray, grid: Grid) -> np.ndarray:
    indices = np.empty((len(flat), 3), np.uint8 if max(grid.shape) <= 256 else np.uint16)
    _unravel(flat, grid.shape[1], grid.shape[2], indices)
    return indices


@njit(cache=True)
def _cell(value: float, edges: np.ndarray, per_unit: float) -> int:
    """Axis.cells for one value on the axis: a division, then at most one cell of correction."""
    last = len(edges) - 2
    guess = min(max(int((value - edges[0]) * per_unit), 0), last)
    return guess - (value < edges[guess]) + (value >= edges[guess + 1])


@njit(cache=True)
def _flat(points: np.ndarray, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(N,) int32 flat index of the cell of each point; -1 outside the edges z, y, x."""
    D, H, W = len(z) - 1, len(y) - 1, len(x) - 1
    per_z, per_y, per_x = D / (z[D] - z[0]), H / (y[H] - y[0]), W / (x[W] - x[0])
    flat = np.empty(len(points), np.int32)
    for i in range(len(points)):
        px, py, pz = np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])
        if z[0] <= pz < z[D] and y[0] <= py < y[H] and x[0] <= px < x[W]:
            flat[i] = (_cell(pz, z, per_z) * H + _cell(py, y, per_y)) * W + _cell(px, x, per_x)
        else:
            flat[i] = -1
    return flat


@njit(cache=True)
def _group(flat: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Number the occupied cells of a grid of `size` cells in their order.

    returns  (N,) int32 number of each point's cell, -1 outside; (M,) int32 flat index of each cell.

    One bit per cell fits the fastest cache, where a table of numbers or a sort of the points would
    not; a cell's number is the count of the bits before it.
    """
    bits = np.zeros((size + 63) // 64, np.uint64)
    for f in flat:
        if f >= 0:
            bits[f >> 6] |= np.uint64(1) << np.uint64(f & 63)
    before = np.zeros(len(bits) + 1, np.int32)
    for w in range(len(bits)):
        before[w + 1] = before[w] + _ones(bits[w])
    owner = np.full(len(flat), -1, np.int32)
    cells = np.empty(before[-1], np.int32)
    for i in range(len(flat)):
        f = flat[i]
        if f >= 0:
            lower = (np.uint64(1) << np.uint64(f & 63)) - np.uint64(1)
            owner[i] = before[f >> 6] + _ones(bits[f >> 6] & lower)
            cells[owner[i]] = f
    return owner, cells


@njit(cache=True)
def _ones(word: np.uint64) -> np.int64:
    """The number of bits set in a uint64, in a form that compilers turn into one instruction."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True)
def _means(owner: np.ndarray, values: np.ndarray, means: np.ndarray) -> None:
    """Write the mean of each cell's values to `means` (M,)."""
    state = np.zeros((len(means), 2))  # count and sum side by side: one cache line per visit
    for i in range(len(owner)):
        k = owner[i]
        if k >= 0:
            state[k, 0] += 1
            state[k, 1] += values[i]
    for k in range(len(means)):
        means[k] = state[k, 1] / state[k, 0]


@njit(cache=True)
def _moments(owner: np.ndarray, values: np.ndarray, moments: np.ndarray) -> None:
    """Write mean and population variance of each cell's values to `moments` (M, 2).

    Running mean and sum of squared deviations (Welford 1962): a difference of means of squares loses
    the digits and turns negative.
    """
    state = np.zeros((len(moments), 4))
    for i in range(len(owner)):
        k = owner[i]
        if k >= 0:
            state[k, 0] += 1
            weight = 1 / state[k, 0]
            deviation = values[i] - state[k, 1]
            state[k, 1] += deviation * weight
            state[k, 2] += deviation * deviation * (1 - weight)
    for k in range(len(moments)):
        moments[k, 0] = state[k, 1]
        moments[k, 1] = state[k, 2] / state[k, 0]


@njit(cache=True)
def _unravel(flat: np.ndarray, height: int, width: int, indices: np.ndarray) -> None:
    """Write z, y, x of sorted flat indices to `indices` (M, 3)."""
    z, y, row = 0, 0, 0
    for k in range(len(flat)):
        while flat[k] >= row + width:  # forward row by row, cheaper than two divisions
            row += width
            y += 1
            if y == height:
                y = 0
                z += 1
        indices[k, 0] = z
        indices[k, 1] = y
        indices[k, 2] = flat[k] - row
