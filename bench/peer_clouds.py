"""Chamfer distance and F1 of two clouds, from the distances that other libraries find between nearest neighbours."""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.spatial import cKDTree
from turns import Work, optional, table

from echoes.evaluation import geometry
from echoes.seeds import rng

SIZES = ((20_000, 20_000), (2_000, 28_000))  # the second: a predicted street beside its LiDAR
RADIUS_M, FAR_M = 0.5, 100.0
ROUNDS = 15

Nearest = Callable[[np.ndarray, np.ndarray], np.ndarray]


def cloud(count: int, name: str) -> np.ndarray:
    """(count, 3) float64 on walls and boxes [m], as a LiDAR sees a street."""
    r = rng(0, "bench", "clouds", name)
    centres = rng(0, "bench", "clouds").uniform([0.0, -25.0, -2.0], [50.0, 25.0, 2.0], (12, 3))
    flat = r.random((count, 3)) < 0.67
    return centres[r.integers(0, 12, count)] + r.normal(0.0, [3.0, 3.0, 0.7], (count, 3)) * flat


def scored(nearest: Nearest, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Chamfer distance [m], half of the sum, and F1."""
    there, back = nearest(first, second), nearest(second, first)
    f1 = geometry.f1(*geometry.precision_recall(there, back, RADIUS_M))
    return geometry.chamfer_sum_m(there, back) / 2, f1


def ours(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return geometry.nearest_m(points, others, FAR_M)


def scipy(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.asarray(cKDTree(others).query(points)[0])


def scipy_unbalanced(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Built faster: halved in the middle of a box and not at the median of its points."""
    return np.asarray(cKDTree(others, balanced_tree=False, compact_nodes=False).query(points)[0])


def pykdtree(first: np.ndarray, second: np.ndarray) -> Work:
    from pykdtree.kdtree import KDTree

    def nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.asarray(KDTree(others).query(points)[0])

    return Work("pykdtree", partial(scored, nearest, first, second), "")


def small_gicp(first: np.ndarray, second: np.ndarray) -> Work:
    from small_gicp import KdTree

    def nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
        _, squares = KdTree(others, num_threads=1).batch_nearest_neighbor_search(points, num_threads=1)
        return np.sqrt(squares)

    return Work("small_gicp", partial(scored, nearest, first, second), "")


def open3d(first: np.ndarray, second: np.ndarray) -> Work:
    import open3d as o3d

    def of(points: np.ndarray) -> "o3d.geometry.PointCloud":
        return o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))

    def run() -> tuple[float, float]:
        a, b = of(first), of(second)
        there, back = (np.asarray(p.compute_point_cloud_distance(q)) for p, q in ((a, b), (b, a)))
        f1 = geometry.f1(*geometry.precision_recall(there, back, RADIUS_M))
        return geometry.chamfer_sum_m(there, back) / 2, f1

    return Work("Open3D, compute_point_cloud_distance", run, "")


def open3d_tensors(first: np.ndarray, second: np.ndarray) -> Work:
    import open3d as o3d

    def nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
        search = o3d.core.nns.NearestNeighborSearch(o3d.core.Tensor(others))
        search.knn_index()
        return np.sqrt(search.knn_search(o3d.core.Tensor(points), 1)[1].numpy()[:, 0])

    return Work("Open3D, NearestNeighborSearch", partial(scored, nearest, first, second), "")


def main() -> None:
    for sizes in SIZES:
        first, second = (cloud(size, str(i)) for i, size in enumerate(sizes))
        works = [
            Work("evaluation.geometry", partial(scored, ours, first, second), ""),
            Work("SciPy, cKDTree", partial(scored, scipy, first, second), ""),
            Work("SciPy, cKDTree, not balanced", partial(scored, scipy_unbalanced, first, second), ""),
            optional("pykdtree", partial(pykdtree, first, second)),
            optional("small_gicp", partial(small_gicp, first, second)),
            optional("Open3D, compute_point_cloud_distance", partial(open3d, first, second)),
            optional("Open3D, NearestNeighborSearch", partial(open3d_tensors, first, second)),
        ]
        wanted = scored(scipy, first, second)
        for work in works:
            if work.run is not None:
                np.testing.assert_allclose(work.run(), wanted, rtol=1e-9, err_msg=work.name)
        title = f"Chamfer distance and F1 of {sizes[0]} and {sizes[1]} points, float64, one thread"
        print(f"\n{table(title, works, ROUNDS)}", flush=True)
