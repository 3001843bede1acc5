"""Physical units <-> network range, both ways, on the features of occupied cells, by the kind of each channel.

    decibel   minimum..maximum -> -1..1, linear; values outside go beyond
    fraction  0..1 -> -1..1, linear
    velocity  / doppler_mps
    variance  sqrt / doppler_mps: the deviation in the unit of the velocity
    mask      as it is
    age       as it is, in seconds

Empty cells hold 0 in both ranges. Nothing is clipped, so each direction undoes the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echoes import tasks
from echoes.errors import InputError
from echoes.tasks import KINDS, OCCUPANCY


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


def features_to_network(features: np.ndarray, channels: Sequence[str], scaling: Scaling) -> np.ndarray:
    """(M, C) features in physical units -> the same in network range, float32; 0 where they are not known.

    channels  of the cloud; the features are those behind the first, the occupancy.
    """
    names = channels[1:]
    if features.ndim != 2 or features.shape[1] != len(names):
        raise InputError(f"expected (M, {len(names)}) {', '.join(names)}, got shape {features.shape}")
    columns = [to_network(name, features[:, i], scaling) for i, name in enumerate(names)]
    scaled = np.stack(columns, axis=1).astype(np.float32)
    for i, name in enumerate(names):
        if (mask := tasks.mask_of(name, channels)) != OCCUPANCY:
            scaled[~(features[:, names.index(mask)] > 0), i] = 0
    return scaled


def recast(features: np.ndarray, channels: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """(M, C) features of a cloud in network range -> (M, C'), as if it had the channels that are `wanted`.

    All masks are 1; what the cloud does not measure is put in the middle of its range.
    """
    found = dict(zip(channels[1:], features.T, strict=True))
    missing = {name: np.full(len(features), KINDS[name] == "mask", features.dtype) for name in wanted[1:]}
    return np.stack([{**missing, **found}[name] for name in wanted[1:]], axis=1)


def to_network(name: str, values: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Values of one channel in physical units -> network range."""
    low_db, high_db = scaling.power_db
    match KINDS[name]:
        case "decibel":
            return (values - low_db) * (2 / (high_db - low_db)) - 1
        case "fraction":
            return 2 * values - 1
        case "velocity":
            return values / scaling.doppler_mps
        case "variance":
            return np.sqrt(values) / scaling.doppler_mps
    return values


def to_physical(name: str, values: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Values of one channel in network range -> physical units."""
    low_db, high_db = scaling.power_db
    match KINDS[name]:
        case "decibel":
            return (values + 1) * ((high_db - low_db) / 2) + low_db
        case "fraction":
            return (values + 1) / 2
        case "velocity":
            return values * scaling.doppler_mps
        case "variance":
            return (values * scaling.doppler_mps) ** 2
    return values
