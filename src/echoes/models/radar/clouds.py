"""What the decoder says -> a cloud of cells in physical units."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from echoes.dataset.grids import Grids
from echoes.evaluation.cells import Cells as Predicted
from echoes.evaluation.cells import Target
from echoes.grids import Grid
from echoes.rasters.cells import Cells
from echoes.rasters.scaling import Scaling, to_physical

COLUMNS = ("probability", "reflectivity", "doppler", "power")
POINT_COLUMNS = ("x", "y", "z", "power", "doppler", "probability")


@dataclass(frozen=True)
class Cloud:
    """Occupied cells of one frame.

    indices   (M, 3) integers (z, y, x).
    features  (M, 4) float32 probability, reflectivity 0..1, Doppler [m/s], power [dB].
    """

    indices: np.ndarray
    features: np.ndarray

    def predicted(self) -> Predicted:
        """The same cloud as evaluation takes it."""
        return Predicted(self.indices, self.features[:, 2], self.features[:, 3])


@dataclass(frozen=True)
class Made:
    """What a method makes of a frame: its cells, and its points (P, 6) float32 POINT_COLUMNS, which are written."""

    cells: Cloud
    points: np.ndarray

    @classmethod
    def of(cls, cloud: Cloud, positions: np.ndarray) -> "Made":
        """Each cell is one point, at `positions` (M, 3) x, y, z [m]."""
        probability, _, doppler, power = cloud.features.T
        return cls(cloud, np.column_stack([positions, power, doppler, probability]).astype(np.float32))

    @classmethod
    def centred(cls, cloud: Cloud, grid: Grid) -> "Made":
        """Each cell is one point, in its middle."""
        return cls.of(cloud, grid.centres(cloud.indices))


def of_returns(points: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """(N, 5) returns of the radar as measured and their probability (N,) -> (N, 6) float32 POINT_COLUMNS."""
    return np.column_stack([points[:, :3], points[:, 4], points[:, 3], probability]).astype(np.float32)


def from_decoded(decoded: Tensor, threshold: float, scaling: Scaling) -> list[Cloud]:
    """(B, 5, D, H, W) logits of occupancy and validity, values of the rest -> the cells at or above `threshold`."""
    logits = decoded[:, 0]
    chosen = (logits >= torch.logit(torch.tensor(threshold, dtype=torch.float64)).to(logits)).nonzero().cpu()
    frames, cells = chosen[:, 0], chosen[:, 1:]
    values = decoded.cpu()[frames, :, cells[:, 0], cells[:, 1], cells[:, 2]].double().numpy()
    probability = 1 / (1 + np.exp(-values[:, 0]))
    reflectivity = to_physical("reflectivity", values[:, 1], scaling).clip(0, 1)
    doppler, power = (to_physical(name, values[:, i], scaling) for name, i in (("doppler", 2), ("power", 4)))
    features = np.stack([probability, reflectivity, doppler, power], axis=1).astype(np.float32)
    owner, indices = frames.numpy(), cells.numpy().astype(np.int32)
    return [Cloud(indices[owner == b], features[owner == b]) for b in range(len(decoded))]


def from_cells(name: str, cells: Cells) -> Cloud:
    """Measured cells of `radar` or `target`, whose probability is 1; the radar measures no reflectivity."""
    indices, features = cells.indices.astype(np.int32), np.zeros((len(cells.indices), 4), np.float32)
    features[:, 0] = 1
    if name == "radar":
        features[:, 3], features[:, 2] = cells.features[:, 0], cells.features[:, 1]
    else:
        features[:, 1], features[:, 2], features[:, 3] = (
            cells.features[:, 0],
            cells.features[:, 1],
            cells.features[:, 3],
        )
    return Cloud(indices, features)


def target(grids: Grids, frame: int) -> Target:
    """What was there, as evaluation takes it."""
    cells = grids.cells("target", frame)
    known = Predicted(cells.indices.astype(np.int32), cells.features[:, 1], cells.features[:, 3])
    return Target(known, cells.features[:, 2] > 0, grids.observed(frame))
