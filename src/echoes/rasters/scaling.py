"""Physical units <-> network range, both ways, on the features of occupied cells.

    power             [dB]         minimum..maximum -> -1..1, linear; values outside go beyond
    reflectivity      0..1         -> -1..1, linear
    doppler           [m/s]        / doppler_mps
    doppler_variance  [(m/s)^2]    sqrt / doppler_mps: the spread in the unit of the Doppler
    doppler_valid     0 or 1       as it is

Empty cells hold 0 in both ranges. Nothing is clipped, so each direction undoes the other.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from echoes.errors import InputError
from echoes.rasters.cells import RADAR_CHANNELS, TARGET_CHANNELS


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


Change = Callable[[str, np.ndarray, Scaling], np.ndarray]


def radar_to_network(features: np.ndarray, scaling: Scaling) -> np.ndarray:
    """(M, 3) features of RADAR_CHANNELS in physical units -> the same in network range, float32."""
    return _convert(features, RADAR_CHANNELS[1:], to_network, scaling)


def radar_to_physical(features: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Undo `radar_to_network`."""
    return _convert(features, RADAR_CHANNELS[1:], to_physical, scaling)


def target_to_network(features: np.ndarray, scaling: Scaling) -> np.ndarray:
    """(M, 4) features of TARGET_CHANNELS in physical units -> the same in network range, float32.

    Doppler and power are 0 where they are not valid.
    """
    return _where_valid(_convert(features, TARGET_CHANNELS[1:], to_network, scaling))


def target_to_physical(features: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Undo `target_to_network`."""
    return _where_valid(_convert(features, TARGET_CHANNELS[1:], to_physical, scaling))


def radar_as_target(features: np.ndarray) -> np.ndarray:
    """(M, 3) features of the radar in network range -> (M, 4), as if its cells were a target's.

    All its Doppler is valid; it measures no reflectivity, which is put in the middle of its range.
    """
    power, doppler, _ = features.T
    return np.stack([np.zeros_like(power), doppler, np.ones_like(power), power], axis=1)


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


def _convert(features: np.ndarray, channels: tuple[str, ...], change: Change, scaling: Scaling) -> np.ndarray:
    if features.ndim != 2 or features.shape[1] != len(channels):
        raise InputError(f"expected (M, {len(channels)}) {', '.join(channels)}, got shape {features.shape}")
    columns = [change(name, features[:, i], scaling) for i, name in enumerate(channels)]
    return np.stack(columns, axis=1).astype(np.float32)


def _where_valid(target: np.ndarray) -> np.ndarray:
    valid = target[:, TARGET_CHANNELS.index("doppler_valid") - 1] > 0
    for name in ("doppler", "power"):
        target[~valid, TARGET_CHANNELS.index(name) - 1] = 0
    return target
