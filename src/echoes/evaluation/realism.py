"""Sets of clouds against each other: whether what a method makes looks like what a sensor measures.

No frame is compared with its own target: a cloud that is wrong for its scene may look real, and the mean over all that
is possible does not. All numbers are of clouds as they are, with the cells that lie where nothing was observed. What
two halves of the real clouds differ by is the least that a method can be asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist, pdist
from scipy.stats import wasserstein_distance

from echoes.evaluation import shapes, two_sample
from echoes.evaluation.distributions import frechet, jensen_shannon, mmd2
from echoes.evaluation.halves import NEAREST, halves
from echoes.evaluation.manifolds import precision_recall_density_coverage
from echoes.grids import COMPRESSION, Grid

BLOCK = COMPRESSION  # columns along y and x that are counted together
KEYS = (
    *("two_sample_accuracy", "frechet", "precision", "recall", "density", "coverage"),
    *("jsd_bev", "mmd2_bev", "height_w1_m", "range_w1_m"),
    *("clusters_w1", "cluster_w1_octaves", "run_w1_cells", "arc_w1_deg"),
)

Numbers = dict[str, float | None]


@dataclass(frozen=True)
class Clouds:
    """Clouds of N frames, by what is compared of them.

    features   (N, K) of an encoder that was trained on real clouds.
    blocks     (N, H * W / BLOCK^2) cells in blocks of columns, seen from above.
    layers     (N, D) cells in each layer; rings (N, R) in each metre of horizontal range.
    clusters   (N,) of them in each frame; sizes: of each cluster, runs: along y and x, arcs: along the azimuth, a list
               of N arrays each.
    """

    features: np.ndarray
    blocks: np.ndarray
    layers: np.ndarray
    rings: np.ndarray
    clusters: np.ndarray
    sizes: list[np.ndarray]
    runs: list[np.ndarray]
    arcs: list[np.ndarray]

    def take(self, frames: np.ndarray) -> "Clouds":
        """Those of some frames."""
        return Clouds(
            self.features[frames],
            self.blocks[frames],
            self.layers[frames],
            self.rings[frames],
            self.clusters[frames],
            [self.sizes[i] for i in frames],
            [self.runs[i] for i in frames],
            [self.arcs[i] for i in frames],
        )


def described(frames: Sequence[np.ndarray], features: np.ndarray, grid: Grid) -> Clouds:
    """The clouds of N frames from their cells, (M, 3) indices z, y, x each, and the features (N, K)."""
    covered, ring = shapes.sectors(grid), _rings(grid)
    blocks, layers, rings, sizes, runs, arcs = [], [], [], [], [], []
    for indices in frames:
        occupied = np.zeros(grid.shape, bool)
        occupied[tuple(indices.T)] = True
        columns = occupied.sum(axis=0)
        blocks.append(_blocks(columns))
        layers.append(occupied.sum(axis=(1, 2)))
        rings.append(np.bincount(ring, columns.ravel(), minlength=ring.max() + 1))
        sizes.append(shapes.cluster_sizes(occupied))
        runs.append(np.concatenate([shapes.run_lengths(occupied), shapes.run_lengths(occupied.swapaxes(1, 2))]))
        arcs.append(shapes.arcs(occupied, covered))
    counts = np.array([len(found) for found in sizes])
    return Clouds(features, np.stack(blocks), np.stack(layers), np.stack(rings), counts, sizes, runs, arcs)


def against(real: Clouds, made: Clouds, stretches: np.ndarray, grid: Grid, seed: int) -> Numbers:
    """KEYS of what was made of frames against what is real in other ones, the mean of both ways to halve the roads.

    stretches  (N,) number of the stretch that each frame is of: one half of them gives the real clouds, the other the
               made ones, as many. `made` may be the real clouds themselves: the floor.

    The classifier is fitted to one half of either and tested on the other. None, all of them, where a half has no more
    than NEAREST frames.
    """
    first, second = halved(stretches, seed)
    if len(first) <= NEAREST:
        return dict.fromkeys(KEYS)
    found = []
    for a, b in ((first, second), (second, first)):
        parts = zip(halved(stretches[a], seed), halved(stretches[b], seed), strict=True)
        one, other = [(real.features[a[i]], made.features[b[j]]) for i, j in parts]
        told_apart = (two_sample.accuracy(one, other) + two_sample.accuracy(other, one)) / 2
        found.append({"two_sample_accuracy": told_apart, **compared(real.take(a), made.take(b), grid)})
    return {key: mean([numbers[key] for numbers in found]) for key in KEYS}


def compared(real: Clouds, made: Clouds, grid: Grid) -> Numbers:
    """The distances of two sets of as many clouds, and how features of the one cover those of the other.

    Counts from above are pooled over frames for `jsd_bev` and compared frame by frame for `mmd2_bev`, as in Zyrianov
    et al. 2022 (LiDARGen, Sec. 4.1), of blocks of columns instead of squares of 1 m and with the median of the real
    distances as the width of the kernel (Gretton et al. 2012, Sec. 8). `_w1_` are Wasserstein distances of histograms
    pooled over frames; None where one of the sets has no cell.
    """
    layer_m, ring_m = grid.axes[0].centres, np.arange(real.rings.shape[1]) + 0.5
    degrees = 360 / shapes.SECTORS
    features = _scaled(real.features, made.features)
    return {
        "frechet": frechet(*features),
        **precision_recall_density_coverage(*features),
        "jsd_bev": jensen_shannon(real.blocks.sum(axis=0), made.blocks.sum(axis=0)),
        "mmd2_bev": gaussian_mmd2(real.blocks, made.blocks),
        "height_w1_m": _w1_of_counts(layer_m, real.layers, made.layers),
        "range_w1_m": _w1_of_counts(ring_m, real.rings, made.rings),
        "clusters_w1": wasserstein_distance(real.clusters, made.clusters),
        "cluster_w1_octaves": _w1([np.log2(sizes) for sizes in real.sizes], [np.log2(sizes) for sizes in made.sizes]),
        "run_w1_cells": _w1(real.runs, made.runs),
        "arc_w1_deg": _w1([run * degrees for run in real.arcs], [run * degrees for run in made.arcs]),
    }


def gaussian_mmd2(first: np.ndarray, second: np.ndarray) -> float:
    """Unbiased squared MMD of (N, K) and (M, K) with the kernel exp(-|x - y|^2 / (2 s^2)), s the median distance within
    the first set (Gretton et al. 2012, Eq. 3 and Sec. 8). Its mean is 0 for equal distributions, so it may be negative.
    """
    x, y = first.astype(np.float64), second.astype(np.float64)
    width = float(np.median(pdist(x))) or 1.0  # all the same: any width will do
    return mmd2(x, y, lambda a, b: np.exp(-cdist(a, b, "sqeuclidean") / (2 * width**2)))


def halved(stretches: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of two halves of frames (N,), of other stretches but for one that may be on both sides."""
    return halves(np.zeros((len(stretches), 1), np.int64), stretches, seed)


def _scaled(real: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in units of the deviation of each feature of the real ones."""
    deviation = real.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return real / deviation, made / deviation


def _blocks(columns: np.ndarray) -> np.ndarray:
    """(H, W) cells in each column -> those of blocks of columns, flat."""
    height, width = columns.shape
    return np.asarray(columns.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).sum(axis=(1, 3)).ravel())


def _rings(grid: Grid) -> np.ndarray:
    """(H * W,) whole metres of horizontal range of each column."""
    y, x = (axis.centres for axis in grid.axes[1:])
    return np.hypot(*np.meshgrid(y, x, indexing="ij")).ravel().astype(np.int64)


def _w1_of_counts(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> float | None:
    """Wasserstein distance of histograms, (N, K) and (M, K) counts of K values pooled over frames."""
    a, b = first.sum(axis=0), second.sum(axis=0)
    return float(wasserstein_distance(values, values, a, b)) if a.any() and b.any() else None


def _w1(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float | None:
    """The same of values as they are, pooled over frames."""
    a, b = np.concatenate(first), np.concatenate(second)
    return float(wasserstein_distance(a, b)) if len(a) and len(b) else None


def mean(values: Sequence[float | None]) -> float | None:
    """Of values that are all known; None where one is not."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
