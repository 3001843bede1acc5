"""Physical units <-> network range, both ways.

Occupancy and Doppler-valid stay 0 or 1. In the cells that hold a value, and only there:

    power             [dB]         minimum..maximum -> -1..1, linear; values outside go beyond
    reflectivity      0..1         -> -1..1, linear
    doppler           [m/s]        / doppler_mps
    doppler_variance  [(m/s)^2]    sqrt / doppler_mps: the spread in the unit of the Doppler

All other cells are 0 in both directions. Nothing is clipped, so each direction undoes the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from echoes.errors import InputError
from echoes.rasters.voxels import RADAR_CHANNELS, TARGET_CHANNELS


@dataclass(frozen=True)
class Scaling:
    """power_db: the powers that become -1 and 1; doppler_mps: the radial velocity that becomes 1."""

    power_db: tuple[float, float]
    doppler_mps: float

    def __post_init__(self) -> None:
        low_db, high_db = self.power_db
        if not high_db > low_db:
            raise InputError(f"power_db: expected the lower power first, got {low_db}, {high_db}")
        if not self.doppler_mps > 0:
            raise InputError(f"doppler_mps: expected a positive velocity, got {self.doppler_mps}")


OF_THE_RADAR = ("doppler", "power")  # in a target they hold only where `doppler_valid` says so

Change = Callable[[str, np.ndarray, Scaling], np.ndarray]


def radar_to_network(dense: np.ndarray, scaling: Scaling) -> np.ndarray:
    """(..., 4, D, H, W) RADAR_CHANNELS in physical units -> the same in network range, float32."""
    return _convert(dense, RADAR_CHANNELS, to_network, scaling)


def radar_to_physical(dense: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Undo `radar_to_network`; a cell is occupied where its occupancy is above 0."""
    return _convert(dense, RADAR_CHANNELS, to_physical, scaling)


def target_to_network(dense: np.ndarray, scaling: Scaling) -> np.ndarray:
    """(..., 5, D, H, W) TARGET_CHANNELS in physical units -> the same in network range, float32.

    Doppler and power are 0 where they are not valid too.
    """
    return _convert(dense, TARGET_CHANNELS, to_network, scaling)


def target_to_physical(dense: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Undo `target_to_network`.

    A cell is occupied, and its Doppler and power are valid, where those channels are above 0: apply
    the thresholds before.
    """
    return _convert(dense, TARGET_CHANNELS, to_physical, scaling)


def _convert(dense: np.ndarray, channels: tuple[str, ...], change: Change, scaling: Scaling) -> np.ndarray:
    if dense.ndim < 4 or dense.shape[-4] != len(channels):
        raise InputError(f"expected (..., {len(channels)}, D, H, W) {', '.join(channels)}, got shape {dense.shape}")
    given = dense.reshape(-1, len(channels), prod(dense.shape[-3:]))
    frame, place = np.nonzero(given[:, channels.index("occupancy")] > 0)
    cells = dict(zip(channels, given[frame, :, place].T, strict=True))  # of (M,); the empty cells cost nothing
    valid = cells.get("doppler_valid", cells["occupancy"]) > 0
    changed = [
        np.where(valid | (name not in OF_THE_RADAR), change(name, values, scaling), 0) for name, values in cells.items()
    ]
    converted = np.zeros(given.shape, np.float32)
    converted[frame, :, place] = np.stack(changed, axis=1)
    return converted.reshape(dense.shape)


def to_network(name: str, values: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Values of one channel in physical units -> network range."""
    low_db, high_db = scaling.power_db
    match name:
        case "power":
            return (values - low_db) * (2 / (high_db - low_db)) - 1
        case "reflectivity":
            return 2 * values - 1
        case "doppler":
            return values / scaling.doppler_mps
        case "doppler_variance":
            return np.sqrt(values) / scaling.doppler_mps
    return values


def to_physical(name: str, values: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Values of one channel in network range -> physical units."""
    low_db, high_db = scaling.power_db
    match name:
        case "power":
            return (values + 1) * ((high_db - low_db) / 2) + low_db
        case "reflectivity":
            return (values + 1) / 2
        case "doppler":
            return values * scaling.doppler_mps
        case "doppler_variance":
            return (values * scaling.doppler_mps) ** 2
    return values


def radar_as_target(radar: np.ndarray) -> np.ndarray:
    """(..., 4, D, H, W) radar in network range -> (..., 5, D, H, W) as if its cells were a target's.

    All its Doppler is valid; it measures no reflectivity, which is put in the middle of its range.
    """
    occupied, power, doppler, _ = np.moveaxis(radar, -4, 0)
    return np.stack([occupied, np.zeros_like(occupied), doppler, occupied, power], axis=-4)
