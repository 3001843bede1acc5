"""What one frame of a recording tells about itself."""

from dataclasses import dataclass

import numpy as np

from echoes.judging.alignment import Alignment, align
from echoes.readers import ego_motion
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import Frame


@dataclass(frozen=True)
class Motion:
    """The ego velocity (3,) [m/s] that the Doppler of a frame gives.

    static_share  of the points that agree with it; residual_mps: the median deviation of those.
    """

    velocity: np.ndarray
    static_share: float
    residual_mps: float


@dataclass(frozen=True)
class Measurements:
    """One frame.

    radar          (N, 5) x, y, z [m], Doppler as the reader gives it [m/s], power [dB].
    target_points  None where there is no target.
    motion         None where the points agree on no ego velocity.
    recorded       (3,) ego velocity [m/s]; None where none was recorded.
    alignment      None without a target, or where it shares no view with the radar.
    """

    radar: np.ndarray
    target_points: int | None
    motion: Motion | None
    recorded: np.ndarray | None
    alignment: Alignment | None


def measure(frame: Frame, doppler: Doppler) -> Measurements:
    """doppler: what that of the sensor is like."""
    fit = ego_motion.estimate(frame.radar, doppler)
    motion = None
    if fit is not None:
        residual_mps = float(np.median(np.abs(fit.residual_mps[fit.static])))
        motion = Motion(fit.velocity, float(fit.static.mean()), residual_mps)
    return Measurements(
        frame.radar,
        None if frame.target is None else len(frame.target),
        motion,
        frame.ego_velocity,
        None if frame.target is None else align(frame.radar, frame.target),
    )
