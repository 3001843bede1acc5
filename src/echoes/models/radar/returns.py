"""The occupied cells of a radar frame -> its returns: how many a cell has, where they lie, and what each measured.

It undoes `rasters.voxels.radar_cells`: the returns of a cell average to what the cell holds, and where there are
several their Doppler has its variance.
"""

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from echoes import params
from echoes.dataset.frames import evenly_spaced
from echoes.dataset.grids import Grids
from echoes.errors import InputError
from echoes.evaluation.bands import BANDS_M
from echoes.grids import Grid
from echoes.models.radar.clouds import Cloud
from echoes.models.radar.readout import INSIDE, bands
from echoes.provenance import Header
from echoes.tasks import POINTS

COLUMNS = POINTS["radar"]
FRAMES = 64  # of the validation split, evenly spread
MOST = 8  # returns of a cell; where there are more, so many


@dataclass(frozen=True)
class Returns:
    """What validation settled.

    threshold  a cell is occupied from this probability on: samples of the validation frames then have as many cells as
               the radar had.
    counts     for each range band, how many occupied cells had 1, 2, ... returns.
    """

    threshold: float
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise InputError(f"threshold: expected more than 0 and less than 1, got {self.threshold}")
        if len(self.counts) != len(BANDS_M):
            raise InputError(f"counts: expected {len(BANDS_M)} range bands, got {len(self.counts)}")
        if len({len(cells) for cells in self.counts}) != 1 or not self.counts[0] or min(map(min, self.counts)) < 0:
            raise InputError(f"counts: expected as many numbers of cells in each range band, got {self.counts}")
        if not any(map(any, self.counts)):
            raise InputError("counts: expected cells with returns, got none")

    @cached_property
    def below(self) -> np.ndarray:
        """(bands, K - 1) share of cells with at most 1, 2, ... K - 1 returns; of all cells where a band has none."""
        cells = np.array(self.counts, np.float64)
        cells = np.where(cells.any(axis=1, keepdims=True), cells, cells.sum(axis=0))
        return np.asarray(np.cumsum(cells, axis=1)[:, :-1] / cells.sum(axis=1, keepdims=True))


def counted(grids: Grids) -> tuple[tuple[int, ...], ...]:
    """How many cells of validation frames have 1, 2, ... MOST returns of the radar, for each range band."""
    found = np.zeros((len(BANDS_M), MOST), np.int64)
    for frame in evenly_spaced(grids.frames("val"), FRAMES):
        indices, inside = grids.grid.cells(grids.points("target", int(frame)))
        cells, number = np.unique(indices[inside], axis=0, return_counts=True)
        np.add.at(found, (_bands(cells, grids.grid), np.minimum(number, MOST) - 1), 1)
    return tuple(tuple(row) for row in found.tolist())


def stored(header: Header, threshold: float) -> Returns:
    """What travels with a cd. One from before returns were counted has one in each cell, at the `threshold` it has."""
    plain = asdict(Returns(threshold, ((1,),) * len(BANDS_M)))
    found: Returns = params.build(Returns, header.content.get("returns", plain), f"{header.kind}: returns")
    return found


def drawn(cloud: Cloud, settled: Returns, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """(P, 5) float32 x, y, z [m], Doppler [m/s], power [dB] of returns: anywhere in their cell.

    cloud   cells with power, Doppler and its variance; where they have no variance, returns of a cell are equally fast.

    The power of all returns of a cell is that of the cell: how it spreads inside is not modelled.
    """
    spread = rng.random((len(cloud.indices), 1))
    number = 1 + (spread >= settled.below[_bands(cloud.indices, grid)]).sum(axis=1)
    owner = np.repeat(np.arange(len(number)), number)
    positions = grid.positions(cloud.indices[owner], rng.uniform(-INSIDE, INSIDE, (len(owner), 3)))
    power, doppler, variance = (_column(cloud, name) for name in ("power", "doppler", "doppler_variance"))
    deviation = np.sqrt(variance)[owner] * standardised(rng.standard_normal(len(owner)), owner, number)
    return np.column_stack([positions, doppler[owner] + deviation, power[owner]]).astype(np.float32)


def _bands(indices: np.ndarray, grid: Grid) -> np.ndarray:
    """(M,) the range band of each cell (M, 3)."""
    return bands(grid)[tuple(indices[:, 1:].T)]


def standardised(values: np.ndarray, owner: np.ndarray, number: np.ndarray) -> np.ndarray:
    """(P,) values of mean 0 and variance 1 within each of M groups; 0 in a group of one.

    owner (P,) number of the group of each value; number (M,) how many each group has.
    """
    centred = values - (np.bincount(owner, values, len(number)) / number)[owner]
    deviation = np.sqrt(np.bincount(owner, centred**2, len(number)) / number)[owner]
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=(number[owner] > 1) & (deviation > 0))


def _column(cloud: Cloud, name: str) -> np.ndarray:
    found = cloud.column(name)
    return np.zeros(len(cloud.indices)) if found is None else found.astype(np.float64)
