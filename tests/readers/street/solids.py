"""Solids for the tests of the sensors."""

import numpy as np

from echoes.readers.street.shapes import Shapes


def shapes(*parts, material=0, reflectivity=0.5):
    """Shapes of (kind, centre, half, yaw) that stand still."""
    kind, centre, half, yaw = zip(*parts, strict=True)
    count = len(parts)
    return Shapes(
        np.array(kind),
        np.array(centre, float),
        np.array(half, float),
        np.array(yaw, float),
        np.zeros((count, 3)),
        np.full(count, material),
        np.full(count, reflectivity),
    )
