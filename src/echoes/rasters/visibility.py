"""LiDAR rays -> which cells are free, occupied or unknown.

Unknown is not free: losses and metrics look at the observed cells only.
"""

import numpy as np
from numba import njit

from echoes.grids import Grid

UNKNOWN, FREE, OCCUPIED = 0, 1, 2

Edges = tuple[np.ndarray, np.ndarray, np.ndarray]


def visibility(points: np.ndarray, origin: tuple[float, float, float], grid: Grid) -> np.ndarray:
    """What the rays of one frame say about each cell.

    points   (M, 3 or more) x, y, z of the returns [m], in the grid or not.
    origin   x, y, z where the rays start [m], in the grid or not.
    returns  (D, H, W) uint8: OCCUPIED where a return lies, else FREE where a ray passes on its way to
             a return, else UNKNOWN.

    The part of a ray inside the grid is followed from cell to cell (Amanatides & Woo 1987).
    """
    z, y, x = grid.axes
    state = np.full(grid.shape, UNKNOWN, np.uint8)
    _walk(points, np.asarray(origin, np.float64), (x.edges, y.edges, z.edges), state.transpose())
    cells, inside = grid.cells(points)
    state[tuple(cells[inside].T)] = OCCUPIED
    return state


def observed(points: np.ndarray, origin: tuple[float, float, float], grid: Grid) -> np.ndarray:
    """(D, H, W) bool: the cell is free or occupied, not unknown; arguments as of `visibility`."""
    return visibility(points, origin, grid) != UNKNOWN


@njit(cache=True)
def _walk(points: np.ndarray, origin: np.ndarray, edges: Edges, state: np.ndarray) -> None:
    """Set each cell of `state` that a ray crosses to FREE, those of its ends included.

    points (M, 3 or more), origin (3,), edges and the axes of state (W, H, D) are in the order x, y, z.
    A ray is origin + t (point - origin).
    """
    delta = np.empty(3)
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for i in range(len(points)):
        for a in range(3):
            delta[a] = points[i, a] - origin[a]
        enters, leaves = _clip(origin, delta, edges)
        if enters > leaves:
            continue
        for a in range(3):
            first[a] = _cell(origin[a] + enters * delta[a], edges[a])
            last[a] = _cell(points[i, a] if leaves == 1 else origin[a] + leaves * delta[a], edges[a])
            if (last[a] - first[a]) * delta[a] < 0:  # rounding put the entry past the end
                first[a] = last[a]
        _follow(first, last, origin, delta, edges, state)


@njit(cache=True)
def _follow(
    first: np.ndarray, last: np.ndarray, origin: np.ndarray, delta: np.ndarray, edges: Edges, state: np.ndarray
) -> None:
    """Set the cells of one ray to FREE, from `first` to `last`; all arguments in the order x, y, z.

    Always through the border that comes next. Through an edge or a corner of a cell all its axes step
    at once, where the paper takes one and touches a cell that the ray does not cross. The axes are
    written out, as a loop over them takes twice the time.
    """
    x, y, z = first
    last_x, last_y, last_z = last
    origin_x, origin_y, origin_z = origin
    delta_x, delta_y, delta_z = delta
    edges_x, edges_y, edges_z = edges
    step_x, step_y, step_z = 1 if delta_x > 0 else -1, 1 if delta_y > 0 else -1, 1 if delta_z > 0 else -1
    next_x = _border(x, last_x, edges_x, origin_x, delta_x)
    next_y = _border(y, last_y, edges_y, origin_y, delta_y)
    next_z = _border(z, last_z, edges_z, origin_z, delta_z)
    state[x, y, z] = FREE
    t = min(next_x, next_y, next_z)
    while t < np.inf:
        if next_x == t:
            x += step_x
            next_x = _border(x, last_x, edges_x, origin_x, delta_x)
        if next_y == t:
            y += step_y
            next_y = _border(y, last_y, edges_y, origin_y, delta_y)
        if next_z == t:
            z += step_z
            next_z = _border(z, last_z, edges_z, origin_z, delta_z)
        state[x, y, z] = FREE
        t = min(next_x, next_y, next_z)


@njit(cache=True)
def _clip(origin: np.ndarray, delta: np.ndarray, edges: Edges) -> tuple[float, float]:
    """The stretch of t in 0..1 inside the grid; its begin lies after its end where there is none."""
    enters, leaves = 0.0, 1.0
    for a in range(3):
        low, high = edges[a][0], edges[a][-1]
        if delta[a] == 0:
            if not low <= origin[a] < high:
                return 1.0, 0.0
        else:
            one, other = (low - origin[a]) / delta[a], (high - origin[a]) / delta[a]
            enters = max(enters, min(one, other))
            leaves = min(leaves, max(one, other))
    return enters, leaves


@njit(cache=True)
def _cell(value: float, edges: np.ndarray) -> int:
    """Axis.cells for one value, kept on the axis: where a ray enters or leaves, rounding decides."""
    cell = int(np.searchsorted(edges, value, side="right")) - 1
    return min(max(cell, 0), len(edges) - 2)


@njit(cache=True)
def _border(at: int, last: int, edges: np.ndarray, origin: float, delta: float) -> float:
    """t where the ray leaves cell `at` of one axis; infinity in the last cell.

    Taken from the edges each time: the running sum of the paper gathers rounding errors.
    """
    if at == last:
        return np.inf
    return (edges[at + (delta > 0)] - origin) / delta
