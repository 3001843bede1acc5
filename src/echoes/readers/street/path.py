"""Street coordinates: distance along the centre line and offset to its left, on a circular arc.

An arc looks the same from each of its points, so that things are placed in the vehicle's frame from
the difference of the distances alone.
"""

from dataclasses import dataclass

import numpy as np


def place(along_m: np.ndarray, left_m: np.ndarray, curvature_per_m: float) -> np.ndarray:
    """(N, 2) x, y [m] of street coordinates; x points along the centre line where `along_m` is 0."""
    angle = curvature_per_m * along_m
    forward = along_m * np.sinc(angle / np.pi)  # sin(angle) / curvature, also for curvature 0
    aside = along_m * angle / 2 * np.sinc(angle / (2 * np.pi)) ** 2  # (1 - cos(angle)) / curvature
    return np.stack([forward - left_m * np.sin(angle), aside + left_m * np.cos(angle)], axis=-1)


def velocity(motion: np.ndarray, left_m: np.ndarray, angle: np.ndarray, curvature_per_m: float) -> np.ndarray:
    """(N, 2) x, y [m/s] of what changes its street coordinates by `motion` (N, 2) [m/s].

    The time derivative of `place`; `angle` (N,) is the heading of the street there [rad].
    """
    along_mps, left_mps = motion.T
    tangential = along_mps * (1 - curvature_per_m * left_m)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([tangential * cos - left_mps * sin, tangential * sin + left_mps * cos], axis=-1)


@dataclass(frozen=True)
class Drive:
    """How the ego vehicle moves along the street: a constant speed and a slow sine on it."""

    left_m: float
    speed_mps: float
    swing_mps: float
    period_s: float
    phase_rad: float

    def along_m(self, time_s: float) -> float:
        turn = 2 * np.pi / self.period_s
        swing = np.cos(self.phase_rad) - np.cos(turn * time_s + self.phase_rad)
        return float(self.speed_mps * time_s + self.swing_mps / turn * swing)

    def along_mps(self, time_s: float) -> float:
        return float(self.speed_mps + self.swing_mps * np.sin(2 * np.pi / self.period_s * time_s + self.phase_rad))


def pose(drive: Drive, curvature_per_m: float, time_s: float, height_m: float) -> np.ndarray:
    """(4, 4) vehicle frame at `height_m` above the ground -> street frame at the start of the drive."""
    along = drive.along_m(time_s)
    angle = curvature_per_m * along
    x, y = place(np.array(along), np.array(drive.left_m), curvature_per_m)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0, x], [sin, cos, 0, y], [0, 0, 1, height_m], [0, 0, 0, 1]])
