"""How a frame is read out of what the networks say of its radar: cells to overlap, or points that keep the radar.

A gate weighs the regression, a sample of the latent model and the radar's own cells against each other, cell by cell
and by range band. It and the thresholds were fitted on validation frames, that is on stretches that no network was
trained on, and travel with the consistency model.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from echoes.dataset.grids import Grids
from echoes.errors import InputError
from echoes.evaluation.bands import BANDS_M, band_of
from echoes.evaluation.gate import Gate
from echoes.grids import Grid
from echoes.models.radar import clouds
from echoes.models.radar.clouds import Cloud, Made, of_returns
from echoes.models.radar.regressor import outputs
from echoes.rasters import sweeps
from echoes.rasters.cells import Cells
from echoes.rasters.scaling import Scaling
from echoes.tasks import ENHANCE, Task

NEAR = (3, 5, 5)  # cells along z, y, x around a cell in which a radar return is near
INSIDE = 0.499  # cells from the middle of a cell: on the edge of one a point is of the next
LATENT, REGRESSION, HERE, AROUND = "latent", "regression", "here", "near"


@dataclass(frozen=True)
class Readout:
    """What validation settled.

    gate      of the inputs that `names` lists.
    decide    a cell is occupied from this probability on: the best overlap of cells.
    keep      returns of the radar in cells of a lower probability are ghosts and are left out.
    near, far a cell without a return is added from this probability on, near to one or not.
    outside   the probability of returns outside of the grid, of which the networks know nothing: that of the others.
    bands     whether cells are added in each range band: whether that brought the cloud nearer to the LiDAR.
    blend     how much of a sample is in a blend with the gate's probability: 0 for none, 1 for the sample alone.
    """

    gate: Gate
    decide: float
    keep: float
    near: float
    far: float
    outside: float
    bands: tuple[bool, ...]
    blend: float

    def __post_init__(self) -> None:
        if self.gate.inputs not in (names(True), names(False)):
            raise InputError(f"gate.inputs: expected {', '.join(names(True))}, got {', '.join(self.gate.inputs)}")
        if len(self.bands) != len(BANDS_M):
            raise InputError(f"bands: expected {len(BANDS_M)} range bands, got {list(self.bands)}")
        for name in ("decide", "keep", "near", "far", "outside"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name}: expected a probability, got {getattr(self, name)}")
        if not 0 <= self.blend <= 1:
            raise InputError(f"blend: expected a share from 0 to 1, got {self.blend}")

    @property
    def uses_latent(self) -> bool:
        """Whether the latent model has a say anywhere; where it has none, it need not be called."""
        return any(self.gate.used(band, LATENT) for band in BANDS_M)


def names(regression: bool) -> tuple[str, ...]:
    """The inputs of a gate, in their order."""
    return (REGRESSION, LATENT, HERE, AROUND) if regression else (LATENT, HERE, AROUND)


def inputs(regressed: Tensor | None, latent: Tensor, radar: Tensor) -> Tensor:
    """(B, K, D, H, W) what the gate weighs: logits of occupancy, and 0 or 1 for returns in the cell and near it.

    regressed  (B, C + 3, D, H, W) or None; latent (B, D, H, W) logits; radar (B, C', D, H, W) in network range.
    """
    here = radar[:, :1]
    logits = [latent[:, None]] if regressed is None else [regressed[:, :1], latent[:, None]]
    return torch.cat([*logits, here, near(here)], dim=1)


def near(here: Tensor) -> Tensor:
    """(B, 1, D, H, W) 1 where returns are -> 1 where one is in the cell or near it.

    Axis by axis, which is the largest of the whole box, too, and takes a tenth of the time of PyTorch's pooling.
    """
    for axis, size in zip((-3, -2, -1), NEAR, strict=True):
        beside = [0, 0] * (-axis - 1) + [size // 2, size // 2]  # F.pad counts axes from the last one
        padded = F.pad(here, beside)
        here = reduce(torch.maximum, (padded.narrow(axis, shift, here.shape[axis]) for shift in range(size)))
    return here


def bands(grid: Grid) -> np.ndarray:
    """(H, W) number of the range band of each column."""
    y, x = (axis.centres for axis in grid.axes[1:])
    return band_of(np.hypot(*np.meshgrid(y, x, indexing="ij")))


@dataclass(frozen=True)
class Placement:
    """Cells of a grid that networks say are occupied -> points, with what a task's target measures."""

    grid: Grid
    scaling: Scaling
    task: Task

    @classmethod
    def of(cls, grids: Grids) -> "Placement":
        return cls(grids.grid, grids.scaling, grids.task)

    def at_least(self, level: float, probability: np.ndarray, measured: np.ndarray) -> Made:
        """The cells of at least that probability, each a point at its offset.

        probability (D, H, W); measured (C + 3, D, H, W) what the regression says of one frame.
        """
        return self.at(np.argwhere(probability >= level), probability, measured)

    def at(self, indices: np.ndarray, probability: np.ndarray, measured: np.ndarray) -> Made:
        """The cells of `indices` (M, 3), likewise."""
        at = tuple(indices.T)
        values = {name: measured[i][at] for i, name in enumerate(outputs(self.task))}
        features = np.stack([probability[at], *clouds.physical(values, self.task.target, self.scaling)], axis=1)
        offsets = np.stack([values[f"offset_{axis}"] for axis in "zyx"], axis=1).clip(-INSIDE, INSIDE)
        columns = clouds.columns(self.task.target)
        cloud = Cloud(indices.astype(np.int32), features.astype(np.float32), columns)
        return Made.of(cloud, self.grid.positions(indices, offsets))


class Fusion:
    """A readout on a grid, for a task whose cloud keeps the returns that go in."""

    def __init__(self, readout: Readout, placement: Placement, device: torch.device) -> None:
        self.readout, self.placement = readout, placement
        self._grid, self._task, self._bands = placement.grid, placement.task, bands(placement.grid)
        weights = np.array([band.weights for band in readout.gate.bands], np.float32)[self._bands]
        biases = np.array([band.bias for band in readout.gate.bands], np.float32)[self._bands]
        self._weights = torch.from_numpy(np.moveaxis(weights, 2, 0)[None, :, None]).to(device)
        self._biases = torch.from_numpy(biases).to(device)

    @torch.no_grad()
    def probability(self, weighed: Tensor) -> Tensor:
        """(B, K, D, H, W) inputs -> (B, D, H, W) probability that a cell is occupied."""
        return ((weighed.float() * self._weights).sum(1) + self._biases).sigmoid()

    def fused(self, probability: np.ndarray, measured: np.ndarray, radar: Cells, points: np.ndarray) -> Made:
        """The radar's returns as measured, but for ghosts, and cells added where none is.

        radar   its occupied cells, in physical units; points (N, 5) its returns inside the grid, no earlier ones.
        """
        present = sweeps.present(radar, self._task.input)
        around = near(torch.from_numpy(self._occupied(radar))[None, None])[0, 0].numpy()
        here = self._occupied(present)
        level = np.where(around > 0, self.readout.near, self.readout.far)
        used = np.array(self.readout.bands)[self._bands]
        added = self.placement.at(np.argwhere((probability >= level) & (here == 0) & used), probability, measured)
        return joined(self._returns(probability, present, points), added)

    def _occupied(self, cells: Cells) -> np.ndarray:
        """(D, H, W) float32, 1 in these cells."""
        occupied = np.zeros(self._grid.shape, np.float32)
        occupied[tuple(cells.indices.T)] = 1
        return occupied

    def _returns(self, probability: np.ndarray, radar: Cells, points: np.ndarray) -> Made:
        """The radar's returns in cells that may be occupied, with the probability of these, and these cells."""
        of_cell = probability[tuple(radar.indices.T.astype(int))]
        kept = of_cell >= self.readout.keep
        cells = clouds.from_cells(Cells(radar.indices[kept], radar.features[kept]), self._task.input, self._task.target)
        cells.features[:, cells.columns.index("probability")] = of_cell[kept]
        of_point = probability[tuple(self._grid.cells(points)[0].T)]
        return Made(cells, of_returns(points, self._task.given, of_point)[of_point >= self.readout.keep])


def joined(first: Made, second: Made) -> Made:
    """Both together; no cell is in both."""
    indices, features = (
        np.concatenate([getattr(first.cells, name), getattr(second.cells, name)]) for name in ("indices", "features")
    )
    return Made(Cloud(indices, features, first.cells.columns), np.concatenate([first.points, second.points]))


def with_returns(made: Made, points: np.ndarray, probability: float) -> Made:
    """The same and returns of the radar (N, 5) as measured, which are of no cell."""
    columns = of_returns(points, ENHANCE.given, np.full(len(points), probability))
    return Made(made.cells, np.concatenate([made.points, columns]))


def told(readout: Readout) -> list[str]:
    """A line for each range band in which nothing is added, or the latent model has no say."""
    lines = []
    for band, added in zip(BANDS_M, readout.bands, strict=True):
        if not added:
            lines.append(f"{band}: the model did not help there on validation; the cloud is the radar's own")
        elif not readout.gate.used(band, LATENT):
            lines.append(f"{band}: by the regression; the latent model did not help there on validation")
    return lines
