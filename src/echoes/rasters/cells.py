"""The occupied cells of a frame, those as (C, D, H, W), and masks of all cells: what grids.zarr holds."""

from dataclasses import dataclass
from math import prod

import numpy as np
from numba import njit

from echoes.errors import InputError


@dataclass(frozen=True)
class Cells:
    """The occupied cells of one frame, in the order of their flat index.

    indices   (M, 3) uint8, or uint16 for an axis of more than 256 cells: z, y, x.
    features  (M, C) float32, the channels after the occupancy, which is 1 in these cells.
    """

    indices: np.ndarray
    features: np.ndarray


def dense(cells: Cells, shape: tuple[int, int, int]) -> np.ndarray:
    """(1 + C, D, H, W) float32: the occupancy, then the features; 0 in empty cells.

    Raises InputError for a cell outside `shape`.
    """
    filled = np.zeros((1 + cells.features.shape[1], *shape), np.float32)
    _scatter(cells.indices, cells.features, filled)
    return filled


def pack(mask: np.ndarray) -> np.ndarray:
    """(D, H, W) bool -> (ceil(D * H * W / 8),) uint8, one bit per cell in flat order, highest bit first."""
    return np.packbits(mask)


def unpack(bits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The mask of that shape which `pack` made into `bits`."""
    return np.unpackbits(bits, count=prod(shape)).astype(bool).reshape(shape)


@njit(cache=True)
def _scatter(indices: np.ndarray, features: np.ndarray, filled: np.ndarray) -> None:
    for k in range(len(indices)):
        z, y, x = indices[k, 0], indices[k, 1], indices[k, 2]
        if z >= filled.shape[1] or y >= filled.shape[2] or x >= filled.shape[3]:
            raise InputError("expected cells of the grid to fill, got a cell outside it")
        filled[0, z, y, x] = 1
        for c in range(features.shape[1]):
            filled[1 + c, z, y, x] = features[k, c]
