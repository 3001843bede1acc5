"""The solids a street is made of: boxes, upright cylinders and ellipsoids, as one table of numbers.

Every shape is a unit cube, unit cylinder or unit sphere (from -1 to 1), stretched by `half` and
turned by `yaw` about the vertical, so that one transformation serves all of them.
"""

from dataclasses import dataclass, replace

import numpy as np

BOX, CYLINDER, ELLIPSOID = range(3)


@dataclass(frozen=True)
class Shapes:
    """N shapes in one frame: x forward, y left, z up.

    kind          (N,) int64, BOX, CYLINDER or ELLIPSOID
    centre, half  (N, 3) [m]: position and half sizes
    yaw_rad       (N,)
    velocity      (N, 3) [m/s] over ground
    material      (N,) int64, the position among the fields of scenario.Materials
    reflectivity  (N,) of the surface at normal incidence, 0..1
    """

    kind: np.ndarray
    centre: np.ndarray
    half: np.ndarray
    yaw_rad: np.ndarray
    velocity: np.ndarray
    material: np.ndarray
    reflectivity: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, chosen: np.ndarray) -> "Shapes":
        return replace(self, **{name: values[chosen] for name, values in vars(self).items()})

    @property
    def reach_m(self) -> np.ndarray:
        """(N,) radius of the upright cylinder around each shape."""
        return np.hypot(self.half[:, 0], self.half[:, 1])

    def points(self, local: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """Points (P, 3) [m] in the frames of the shapes `shape` (P,) -> the common frame."""
        return self.directions(local, shape) + self.centre[shape]

    def directions(self, local: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """Vectors (P, 3) in the frames of the shapes `shape` (P,) -> the common frame."""
        cos, sin = np.cos(self.yaw_rad[shape]), np.sin(self.yaw_rad[shape])
        x, y, z = local.T
        return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=1)
