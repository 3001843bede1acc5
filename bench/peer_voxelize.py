"""One frame of radar returns -> a dense grid: the same numbers by other libraries, as one would write it with each."""

from functools import partial

import numpy as np
import torch
from numba import njit
from turns import Work, optional, table

from voxelize import GRID, RETURNS, SIZE, argsort_reduceat, bincount, compiled, inside, returns

ROUNDS = 30
LOOSE = {"rtol": 1e-3, "atol": 2e-2}  # what float32 sums of squares leave of a variance


@njit
def _scattered(points: np.ndarray, starts: np.ndarray, scale: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Count and sum into the whole grid, a loop over the returns and one over all cells."""
    depth, height, width = shape
    sums = np.zeros((4, depth * height * width))
    for i in range(len(points)):
        x, y, z = (
            (points[i, 0] - starts[2]) * scale[2],
            (points[i, 1] - starts[1]) * scale[1],
            (points[i, 2] - starts[0]) * scale[0],
        )
        if 0 <= x < width and 0 <= y < height and 0 <= z < depth:
            cell = (int(z) * height + int(y)) * width + int(x)
            doppler = np.float64(points[i, 3])
            sums[0, cell] += 1
            sums[1, cell] += points[i, 4]
            sums[2, cell] += doppler
            sums[3, cell] += doppler * doppler
    found = np.zeros(sums.shape, np.float32)
    for cell in range(sums.shape[1]):
        count = sums[0, cell]
        if count:
            mean = sums[2, cell] / count
            found[0, cell], found[1, cell], found[2, cell] = 1, sums[1, cell] / count, mean
            found[3, cell] = max(sums[3, cell] / count - mean * mean, 0)
    return found


def numba(points: np.ndarray) -> np.ndarray:
    starts = np.array([axis.start for axis in GRID.axes], np.float64)
    scale = np.array([1 / axis.step for axis in GRID.axes])
    return _scattered(points, starts, scale, GRID.shape).reshape(4, *GRID.shape)


def index_add(points: np.ndarray) -> np.ndarray:
    """Torch's own scatter, in float64 as the others."""
    flat, measured = (torch.from_numpy(array) for array in inside(points))
    cell, doppler = flat.long(), measured[:, 3].double()

    def summed(values: torch.Tensor) -> torch.Tensor:
        return torch.zeros(SIZE, dtype=torch.float64).index_add_(0, cell, values)

    count = summed(torch.ones_like(doppler))
    divisor = count.clamp(min=1)
    mean = summed(doppler) / divisor
    power, variance = (summed(v) / divisor for v in (measured[:, 4].double(), (doppler - mean[cell]).square()))
    return torch.stack([(count > 0).double(), power, mean, variance]).float().reshape(4, *GRID.shape).numpy()


def torch_scatter(points: np.ndarray) -> Work:
    from torch_scatter import scatter

    def run() -> np.ndarray:
        flat, measured = (torch.from_numpy(array) for array in inside(points))
        cell, values = flat.long(), measured[:, [4, 3]].double()
        mean = scatter(values, cell, dim=0, dim_size=SIZE, reduce="mean")
        square = scatter((values[:, 1] - mean[cell, 1]).square(), cell, dim=0, dim_size=SIZE, reduce="mean")
        count = scatter(torch.ones_like(square[cell]), cell, dim=0, dim_size=SIZE)
        return torch.stack([(count > 0).double(), *mean.T, square]).float().reshape(4, *GRID.shape).numpy()

    return Work("torch-scatter", run, "")


def open3d(points: np.ndarray) -> Work:
    import open3d as o3d

    def run() -> np.ndarray:
        """Cells as unit cubes of a tensor cloud, whose attributes are averaged; back into the grid by NumPy."""
        start = np.array([axis.start for axis in reversed(GRID.axes)])
        step = np.array([axis.step for axis in reversed(GRID.axes)])
        place = (points[:, :3] - start) / step
        kept = ((place >= 0) & (place < np.array(GRID.shape[::-1]))).all(axis=1)
        cloud = o3d.t.geometry.PointCloud(o3d.core.Tensor(place[kept].astype(np.float32)))
        doppler = points[kept, 3]
        told = np.ascontiguousarray(np.stack([points[kept, 4], doppler, doppler * doppler], axis=1))
        cloud.point["measured"] = o3d.core.Tensor(told)
        small = cloud.voxel_down_sample(1.0)
        x, y, z = small.point.positions.numpy().astype(np.int64).T
        power, mean, square = small.point["measured"].numpy().T
        found = np.zeros((4, SIZE), np.float32)
        of_cells = np.stack([np.ones_like(power), power, mean, np.maximum(square - mean * mean, 0)])
        found[:, (z * GRID.shape[1] + y) * GRID.shape[2] + x] = of_cells
        return found.reshape(4, *GRID.shape)

    return Work("Open3D, voxel_down_sample", run, "float32; its cells are cubes of one size")


def main() -> None:
    points = returns()
    works = [
        Work("rasters.voxels", partial(compiled, points), "compiled, serial, exact at edges"),
        Work("NumPy, argsort + reduceat", partial(argsort_reduceat, points), ""),
        Work("NumPy, bincount", partial(bincount, points), ""),
        Work("numba, loops over returns and over cells", partial(numba, points), "no second pass for the variance"),
        Work("torch, index_add_", partial(index_add, points), ""),
        optional("torch-scatter", partial(torch_scatter, points)),
        optional("Open3D, voxel_down_sample", partial(open3d, points)),
    ]
    wanted = compiled(points)
    for work in works:
        if work.run is not None:
            np.testing.assert_allclose(work.run(), wanted, **LOOSE, err_msg=work.name)
    print(f"\n{table(f'{RETURNS} returns -> {(4, *GRID.shape)}, one thread', works, ROUNDS)}", flush=True)
