"""A frame as a reader gives it -> its cells: what goes in, the target and what was observed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from echoes.dataset.frames import UNPAIRED
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.judging.judge import measured
from echoes.judging.measurements import Measurements
from echoes.rasters import ground, visibility, voxels
from echoes.rasters.cells import pack
from echoes.rasters.ground import Plane
from echoes.readers.frames import Entry, Frame
from echoes.voxelization import accumulation
from echoes.voxelization.accumulation import Returns, Seen
from echoes.voxelization.cloud_grids import FrameCells
from echoes.voxelization.cloud_params import GridParams
from echoes.voxelization.views import Shown, View, disturbed, rotated


@dataclass(frozen=True)
class Pair:
    """A frame as grids.zarr takes it.

    ego_velocity  [m/s], NaN where unknown; points: how many the radar gave; sweeps: frames whose returns go in.
    """

    cells: FrameCells
    ego_velocity: np.ndarray
    points: int
    sweeps: int


@dataclass(frozen=True)
class Prepared:
    """An entry.

    pairs     of its views, None for one without radar points, or without what goes in; None for all of a frame whose
              LiDAR saw nothing: it failed, and an empty street is no target.
    measured  what its frame tells of itself; None where that is not asked for.
    """

    pairs: list[Pair | None]
    measured: Measurements | None


def prepare(
    read: Callable[[Path, Any, Entry], Frame], root: Path, source: Any, params: GridParams, shown: Shown
) -> Prepared:
    """Read an entry, and the earlier ones that go in with it, and voxelize all of its views.

    An unpaired entry has its LiDAR's cells alone. Raises InputError for a recording without a target, an unpaired entry
    of a task whose target is a radar's, and what the reader raises.
    """
    entry, unpaired = shown.entry, shown.views[0].split == UNPAIRED
    if unpaired and not params.roles().enhances:
        raise InputError(f"source.unpaired: expected none for grid.task: {params.task}, whose target is the radar's")
    frame = read(root, source, entry)
    if unpaired:
        frame = replace(frame, radar=frame.radar[:0])
    if frame.target is None:
        raise InputError(f"{root}: expected a LiDAR recording beside the radar's to train on, got none for {entry.key}")
    told = measured(frame, source, entry) if shown.measured else None
    if len(frame.target) == 0:
        return Prepared([None] * len(shown.views), told)
    plane = ground.fit(frame.target, params.ground)
    past = [] if unpaired else [(read(root, source, before), before) for before in shown.earlier]
    seen = [(frame, entry), *past]
    pairs = [
        _pair(
            [(rotated(disturbed(each, view), view.rotation_rad), its_entry) for each, its_entry in seen],
            None if plane is None else ground.rotated(plane, view.rotation_rad),
            source,
            params,
            view,
        )
        for view in shown.views
    ]
    return Prepared(pairs, told)


def _pair(seen: Sequence[Seen], plane: Plane | None, source: Any, params: GridParams, view: View) -> Pair | None:
    grid, unpaired, frame = params.grid(), view.split == UNPAIRED, seen[0][0]
    if unpaired:
        found = Returns(frame.radar, np.full(3, np.nan), None if params.swept() is None else ())
    else:
        found = accumulation.of_frames(seen, source, params.swept())
    radar = found.points
    if not unpaired and not grid.cells(radar)[1].any():
        return None
    assert frame.target is not None, "checked before"
    lidar, enhances = frame.target, params.roles().enhances
    solid = lidar if plane is None else lidar[ground.above(lidar, plane, ground.height_of(params.ground))]
    taken_out = plane if plane is not None and enhances else _below(grid, params.ground_m())
    if enhances:  # the radar in, the LiDAR's surfaces out, of which rays tell what they saw
        given, wanted = radar, solid
        entered = found.cells(grid)
        target = voxels.lidar_and_radar_cells(solid, grid, radar, params.radius_m)
        observed = visibility.observed(lidar, frame.target_origin, grid)
    else:  # the LiDAR in, the radar out, with its ground; where it has no return it saw none
        given, wanted = solid, radar
        entered = voxels.lidar_cells(solid, grid)
        target = voxels.radar_cells(radar, grid)
        observed = np.ones(grid.shape, bool)
    if not unpaired and not len(entered.indices):
        return None
    cells = FrameCells(
        frame.sequence,
        frame.stamp,
        entered,
        target,
        voxels.mean_offsets(wanted, grid),
        pack(observed),
        given[grid.cells(given)[1]],
        wanted[grid.cells(wanted)[1], : len(params.roles().target_columns)],
        np.array(taken_out),
    )
    return Pair(cells, found.velocity, len(radar), 1 + len(found.earlier or ()))


def _below(grid: Grid, height_m: float) -> Plane:
    """A level ground that all of the grid lies more than `height_m` above: artifacts hold finite numbers only."""
    return 0.0, 0.0, grid.axes[0].start - height_m - 1.0
