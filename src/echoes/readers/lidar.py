"""A LiDAR alone: its frames teach the autoencoder what streets look like, as an unpaired source of `mixed`.

    <sequence>/<name>.bin   float32 (N, 4) x, y, z [m], reflectivity, as of KITTI
    <sequence>/<name>.npy   (N, 4) numbers, likewise
    <sequence>/<name>.pcd   fields x, y, z and intensity

All files of a recording have one suffix. Their order is that of their names, `period_s` apart; `position_m` is where
the LiDAR lies in the frame of the radar of the track, whose axes it has: x forward, y left, z up.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pypcd4 import PointCloud

from echoes.errors import InputError, one_line
from echoes.readers import float_rows, npy, visible
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import TARGET_COLUMNS, EgoMotion, Entry, Frame, check_points
from echoes.readers.pairing import Padding, reflectivity, unpadded

SUFFIXES = (".bin", ".npy", ".pcd")
FIELDS = ("x", "y", "z", "intensity")  # of a PCD
NO_RADAR = np.zeros((0, 5), np.float32)


@dataclass(frozen=True)
class Source:
    """Where the frames come from, in params.yaml.

    period_s           between two frames of a sequence.
    position_m         x, y, z of the LiDAR in the radar's frame, where its rays start.
    reflectivity_max   what becomes 1.
    padding            rows that hold no return.
    """

    reader: Literal["lidar"]
    period_s: float
    position_m: tuple[float, float, float]
    reflectivity_max: float
    padding: Padding

    def __post_init__(self) -> None:
        for name in ("period_s", "reflectivity_max"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}: expected more than 0, got {getattr(self, name):g}")

    @property
    def ego_motion(self) -> EgoMotion:
        return "none"

    @property
    def doppler(self) -> Doppler:
        """Of no radar: nothing is known of it, and nothing is asked."""
        return Doppler(span_mps=None, static_mps=0.5, static_share=0.2, max_speed_mps=30.0)


def index(root: Path, source: Source) -> list[Entry]:
    """The files of each folder in order of their names, folder after folder."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected folders of {', '.join(SUFFIXES)} files in it")
    paths = [path for path in visible.below(root, root.glob("*/*")) if path.suffix in SUFFIXES]
    suffixes = sorted({path.suffix for path in paths})
    if len(suffixes) != 1:
        got = " and ".join(suffixes) or "none"
        raise InputError(f"{root}: expected <sequence>/<name> files of one of {', '.join(SUFFIXES)}, got {got}")
    entries: list[Entry] = []
    for path in paths:
        sequence = path.parent.name
        follows = bool(entries) and entries[-1].sequence == sequence
        stamp = entries[-1].stamp + source.period_s if follows else 0.0
        entries.append(Entry(sequence, stamp, f"{sequence}/{path.name}"))
    return entries


def read(root: Path, source: Source, entry: Entry) -> Frame:
    """One frame without radar points; reflectivity 0..1."""
    path = root / entry.key
    rows = check_points(unpadded(_rows(path), source.padding, path), TARGET_COLUMNS, path)
    shares = reflectivity(rows[:, 3], source.reflectivity_max, path)
    points = np.column_stack([rows[:, :3] + np.array(source.position_m), shares])
    return Frame(entry.sequence, entry.stamp, NO_RADAR, check_points(points, TARGET_COLUMNS, path), source.position_m)


def _rows(path: Path) -> np.ndarray:
    """(N, 4) float64, its values not yet checked."""
    try:
        found = _stored(path)
    except InputError:
        raise
    except Exception as error:  # of a damaged file each library raises what it likes
        told = f"the fields {', '.join(FIELDS)}" if path.suffix == ".pcd" else f"(N, {len(FIELDS)}) numbers"
        raise InputError(f"{path}: expected {told}, got {one_line(error)}") from error
    if found.dtype.kind not in "iuf":
        raise InputError(f"{path}: expected numbers, got {found.dtype}")
    if found.ndim != 2 or found.shape[1] != len(FIELDS):
        raise InputError(f"{path}: expected (N, {len(FIELDS)}) numbers, got shape {found.shape}")
    return found.astype(np.float64)


def _stored(path: Path) -> np.ndarray:
    if path.suffix == ".npy":
        return npy.opened(path)
    if path.suffix == ".pcd":
        return np.asarray(PointCloud.from_path(path).numpy(FIELDS))
    return float_rows.load(path, len(FIELDS))
