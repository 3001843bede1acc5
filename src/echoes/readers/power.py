"""What a radar tells of the power of a return -> dB."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from echoes.errors import InputError


@dataclass(frozen=True)
class Power:
    """unit       linear values, such as an RCS in m^2, become 10 log10 of them.
    offset_db  is added to the dB.
    """

    unit: Literal["dB", "linear"]
    offset_db: float


def decibels(values: np.ndarray, power: Power, origin: Path | str) -> np.ndarray:
    """(N,) dB. Raises InputError naming `origin` for a linear power that is not above 0."""
    if power.unit == "dB":
        return values + power.offset_db
    if not (values > 0).all():
        i = int((~(values > 0)).argmax())
        raise InputError(f"{origin}: expected power above 0, as its unit is linear, got {values[i]:g} of point {i}")
    return 10 * np.log10(values) + power.offset_db
