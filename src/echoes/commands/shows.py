"""What a page of frames is made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from echoes.reports.scenes import Scene

RATE = 5  # frames a second while a page plays
LEAST_M = 0.05  # the width of a point


@dataclass(frozen=True)
class Show:
    """title, view  as `reports.scenes.write` takes them.
    scenes       made one after the other; count: how many, total: of how many there are.
    notes        what else to tell, a line each.
    """

    title: str
    view: Mapping[str, Any]
    scenes: Iterator[Scene]
    count: int
    total: int
    notes: Sequence[str]


def of_space(low: np.ndarray, high: np.ndarray, width_m: float) -> dict[str, Any]:
    """How points between two corners (3,) x, y, z [m] are looked at: from behind and above; width_m: of a point."""
    across_m = float(np.hypot(*(high - low)[:2]))
    centre = [float(value) for value in (low + high)[:2] / 2]
    camera = {"centre": [*centre, 0.0], "distance": max(5.0, 0.85 * across_m)}
    return {"camera": camera, "reach": across_m, "size": max(LEAST_M, width_m), "rate": RATE}
