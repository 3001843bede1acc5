"""Ego-motion out of Doppler, and sweeps accumulated: the returns of a frame as the networks of a track take them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echoes.errors import InputError
from echoes.grids import Grid
from echoes.rasters import sweeps, voxels
from echoes.rasters.cells import Cells
from echoes.rasters.sweeps import Sweep, Sweeps
from echoes.readers import ego_motion
from echoes.readers.catalog import CloudSource, sensor_of
from echoes.readers.frames import Entry, Frame

Seen = tuple[Frame, Entry]  # a frame as it was read, and its entry


@dataclass(frozen=True)
class Returns:
    """points    (N, 5) x, y, z [m], Doppler [m/s], power [dB] of the frame itself.
    velocity  (3,) [m/s] that was taken out of the Doppler, NaN for none.
    earlier   frames whose returns go in, too; None where the track takes none.
    """

    points: np.ndarray
    velocity: np.ndarray
    earlier: tuple[Sweep, ...] | None

    def cells(self, grid: Grid) -> Cells:
        """What goes in; with the age of each cell where the track takes earlier frames."""
        if self.earlier is None:
            return voxels.radar_cells(self.points, grid)
        return sweeps.cells(self.points, self.earlier, grid)


def earlier(entries: Sequence[Entry], wanted: Sweeps | None) -> list[tuple[Entry, ...]]:
    """For each entry those before it in its sequence that go in with it, the newest first.

    Those too whose LiDAR must not be used: their radar may.
    """
    if wanted is None:
        return [()] * len(entries)
    found: list[tuple[Entry, ...]] = []
    before: dict[str, list[Entry]] = {}
    for entry in entries:
        past = before.setdefault(entry.sequence, [])
        found.append(tuple(e for e in reversed(past) if entry.stamp - e.stamp <= wanted.seconds))
        past.append(entry)
        del past[: -(wanted.count - 1)]
    return found


def require_motion(source: CloudSource, entries: Sequence[Entry], wanted: Sweeps | None, key: str) -> None:
    """Raises InputError, naming `key`, where earlier frames are to go in whose motion stays in their Doppler."""
    if wanted is None:
        return
    for entry in entries:
        if sensor_of(source, entry).ego_motion == "none":
            raise InputError(f"{key}: expected 1 where source.ego_motion is none, got {wanted.count}")


def of_frames(seen: Sequence[Seen], source: CloudSource, wanted: Sweeps | None) -> Returns:
    """The returns of a frame, the first of those seen, and of earlier ones whose way since is known."""
    (frame, entry), *past = seen
    points, velocity = over_ground(frame, source, entry)
    if wanted is None:
        return Returns(points, velocity, None)
    placed = []
    for before, its_entry in past:
        returned, its_velocity = over_ground(before, source, its_entry)
        age_s = frame.stamp - before.stamp
        way = sweeps.motion((before.pose, frame.pose), (its_velocity, velocity), age_s)
        if way is not None and len(returned):
            placed.append(Sweep(returned, age_s, way))
    return Returns(points, velocity, tuple(placed))


def over_ground(frame: Frame, source: CloudSource, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    """The radar points with Doppler over ground, and the velocity [m/s] that was taken out (NaN for none).

    Where the velocity cannot be estimated the frame has no points. Of a mixed source, each frame is measured by the
    sensor that it comes from.
    """
    source, unknown = sensor_of(source, entry), np.full(3, np.nan)
    if source.ego_motion == "none":
        return frame.radar, unknown
    if source.ego_motion == "estimated":
        return ego_motion.without_estimated(frame.radar, source.doppler)
    velocity = frame.ego_velocity
    if velocity is None and entry.refused:  # its reader told why
        return frame.radar[:0], unknown
    if velocity is None:
        raise InputError(
            f"source.ego_motion: expected none or estimated, as {entry.key} has no recorded velocity, got recorded"
        )
    return ego_motion.compensate(frame.radar, velocity, source.doppler.span_mps), np.asarray(velocity, np.float64)
