"""A frame as a reader gives it -> its cells: radar, target and what was observed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from echoes.errors import InputError
from echoes.grids import Grid, Range
from echoes.rasters import ground, visibility, voxels
from echoes.rasters.ground import NoGround, PlaneGround
from echoes.rasters.scaling import Scaling
from echoes.rasters.voxels import Cells
from echoes.readers import ego_motion
from echoes.readers.frames import Entry, Frame
from echoes.voxelization.views import Copies, View, thinned, turned


@dataclass(frozen=True)
class GridParams:
    """The section `<track>.grid`: the cells of space, and what they hold.

    ground    how the ground is taken out of the target.
    radius_m  a target cell takes Doppler and power from the nearest radar point within this distance.
    scaling   physical units <-> network range.
    copies    altered copies of the training frames.
    """

    raster: Literal["voxels"]
    z: Range
    y: Range
    x: Range
    ground: NoGround | PlaneGround
    radius_m: float
    scaling: Scaling
    copies: Copies

    def grid(self) -> Grid:
        return Grid.of(self.z, self.y, self.x)


@dataclass(frozen=True)
class Pair:
    """The cells of one frame. observed is packed to bits; ego_velocity [m/s] is NaN where unknown."""

    sequence: str
    stamp: float
    radar: Cells
    target: Cells
    observed: np.ndarray
    ego_velocity: np.ndarray
    points: int


def prepare(
    read: Callable[[Path, Any, Entry], Frame], root: Path, source: Any, params: GridParams, view: View
) -> Pair | None:
    """Read the entry of a view and voxelize it; None for a frame without radar points.

    Raises InputError for a recording without a target, and what the reader raises.
    """
    entry = view.entry
    frame = turned(thinned(read(root, source, entry), view.share), view.turn_rad)
    if frame.target is None:
        raise InputError(f"{root}: expected a LiDAR recording beside the radar's to train on, got none for {entry.key}")
    grid = params.grid()
    radar, velocity = over_ground(frame, source, entry)
    if not grid.cells(radar)[1].any():
        return None
    solid = frame.target[ground.keep(frame.target, params.ground)]
    return Pair(
        frame.sequence,
        frame.stamp,
        voxels.radar_cells(radar, grid),
        voxels.target_cells(solid, grid, radar, params.radius_m),
        visibility.pack(visibility.observed(frame.target, frame.target_origin, grid)),
        velocity,
        len(radar),
    )


def over_ground(frame: Frame, source: Any, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    """The radar points with Doppler over ground, and the velocity [m/s] that was taken out (NaN for none).

    Where the velocity cannot be estimated the frame has no points: Doppler without its reference would mislead.
    """
    unknown = np.full(3, np.nan)
    if source.ego_motion == "none":
        return frame.radar, unknown
    velocity = frame.ego_velocity
    if source.ego_motion == "estimated":
        fit = ego_motion.estimate(frame.radar, source.doppler)
        if fit is None:
            return frame.radar[:0], unknown
        velocity = fit.velocity
    if velocity is None:
        raise InputError(
            f"source.ego_motion: expected none or estimated, as {entry.key} has no recorded velocity, got recorded"
        )
    return ego_motion.compensate(frame.radar, velocity, source.doppler.span_mps), np.asarray(velocity, np.float64)
