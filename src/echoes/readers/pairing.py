"""A radar and a LiDAR beside it: which of their clouds belong together, how they are mounted, and what is no return."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from echoes import params
from echoes.errors import InputError
from echoes.readers import tables

Padding = Literal["none", "zero", "nan"]  # rows that hold no return: none, x = y = z = 0, or any of them NaN
Row = tuple[float, float, float]
CLOCKS_S = 1.0  # stamps that far apart tell of two clocks, not of two frames
OTHER_CLOCK = "a clock jumped back, and no LiDAR cloud is known to share it"  # why a pair is refused


@dataclass(frozen=True)
class Extrinsics:
    """How the two sensors are mounted to each other, in the extrinsics file.

    A published matrix R, T with p_lidar = R p_radar + T is `maps: radar_to_lidar`.
    """

    maps: Literal["radar_to_lidar", "lidar_to_radar"]
    rotation: tuple[Row, Row, Row]
    translation_m: Row


def lidar_to_radar(path: Path) -> np.ndarray:
    """(4, 4) LiDAR -> radar, from the extrinsics file."""
    found = params.build(Extrinsics, params.document(path), str(path))
    rows = [[*row, t] for row, t in zip(found.rotation, found.translation_m, strict=True)]
    matrix = tables.rigid([*rows, [0, 0, 0, 1]], f"{path}: rotation")
    return np.linalg.inv(matrix) if found.maps == "radar_to_lidar" else matrix


def nearest(stamps: Sequence[float] | np.ndarray, others: Sequence[float] | np.ndarray) -> np.ndarray:
    """For each stamp the index of the nearest of `others`, the earlier of two as near.

    Both increase, in the same unit, and there is one of `others` at least.
    """
    own, theirs = np.array(stamps), np.array(others)
    after = np.searchsorted(theirs, own).clip(0, len(theirs) - 1)
    before = (after - 1).clip(0)
    return np.where(np.abs(own - theirs[before]) <= np.abs(theirs[after] - own), before, after)


def too_far(offset_s: float, tolerance_s: float) -> str:
    """Why a pair is refused whose stamps differ by so much; empty where it is not."""
    return f"stamps {offset_s:+.4f} s apart, beyond {tolerance_s} s" if abs(offset_s) > tolerance_s else ""


def unpadded(rows: np.ndarray, padding: Padding, origin: Path | str) -> np.ndarray:
    """The rows, of which x, y, z are the first columns, that hold a return.

    Raises InputError naming `origin` where a place is NaN and `padding` does not say so.
    """
    nowhere = np.isnan(rows[:, :3]).any(axis=1)
    if padding == "nan":
        return rows[~nowhere]
    if nowhere.any():
        told = f"NaN in {nowhere.sum()} of {len(rows)}; `padding: nan` leaves out such rows, if they hold no return"
        raise InputError(f"{origin}: expected a place of every point, got {told}")
    return rows[(rows[:, :3] != 0).any(axis=1)] if padding == "zero" else rows


def reflectivity(values: np.ndarray, most: float, origin: Path | str) -> np.ndarray:
    """What a LiDAR tells, 0..`most` -> 0..1. Raises InputError naming `origin` for values beyond."""
    shares = values / most
    if len(shares) and not (shares.min() >= 0 and shares.max() <= 1):
        got = f"{values.min():g}..{values.max():g}"
        raise InputError(f"{origin}: expected reflectivity 0..{most:g} (reflectivity_max), got {got}")
    return shares
