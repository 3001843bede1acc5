"""How the radar moved, from messages that tell how the vehicle moved: velocity over ground and pose.

Read are geometry_msgs/TwistStamped (velocity), nav_msgs/Odometry (velocity and pose), both also WithCovariance, and
geometry_msgs/PoseStamped. A twist is taken to be that of the vehicle in its own frame (x forward, y left, z up), as
nav_msgs/Odometry defines it; a TwistStamped in another frame, such as a map, is not told from it. A pose takes the
vehicle's frame to the world. The radar is mounted on the vehicle, p_vehicle = R p_radar + t, so it moves with
R^T (v + omega x t), and its pose is that of the vehicle times (R, t).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from echoes.errors import InputError
from echoes.readers.frames import MAX_VALUE
from echoes.readers.tables import placed

UNIT = 1e-2  # a quaternion may be so far from the length 1


@dataclass(frozen=True)
class Motion:
    """linear, angular (3,) of the vehicle in its frame [m/s, rad/s]; pose (4, 4) vehicle -> world; None: not told."""

    linear: np.ndarray | None
    angular: np.ndarray | None
    pose: np.ndarray | None


def motion(numbers: Mapping[str, float], origin: str) -> Motion:
    """What a message tells; numbers: its values, by the way to each."""
    linear, angular = (_vector(numbers, f"twist.{part}", "xyz", origin) for part in ("linear", "angular"))
    position = _vector(numbers, "pose.position", "xyz", origin)
    orientation = _vector(numbers, "pose.orientation", "xyzw", origin)
    if linear is None and position is None:
        raise InputError(f"{origin}: expected a twist or a pose, got {', '.join(numbers) or 'no number'}")
    if position is None or orientation is None:
        return Motion(linear, angular, None)
    if abs(np.linalg.norm(orientation) - 1) > UNIT:
        raise InputError(f"{origin}: expected an orientation of length 1, got {orientation.tolist()}")
    return Motion(linear, angular, placed(Rotation.from_quat(orientation).as_matrix(), position))


def between(before: Motion, after: Motion, share: float) -> Motion:
    """The motion at a share of the time from one message to the next: straight, and turning steadily."""
    linear, angular = (
        None if a is None or b is None else (1 - share) * a + share * b
        for a, b in ((before.linear, after.linear), (before.angular, after.angular))
    )
    if before.pose is None or after.pose is None:
        return Motion(linear, angular, None)
    turned = Slerp([0, 1], Rotation.from_matrix([before.pose[:3, :3], after.pose[:3, :3]]))(share).as_matrix()
    return Motion(linear, angular, placed(turned, (1 - share) * before.pose[:3, 3] + share * after.pose[:3, 3]))


def of_radar(moved: Motion, mounting: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Velocity (3,) of the radar in its own frame [m/s] and its pose (4, 4); mounting: (4, 4) radar -> vehicle."""
    velocity = moved.linear
    if velocity is not None:
        turning = np.zeros(3) if moved.angular is None else moved.angular
        velocity = mounting[:3, :3].T @ (velocity + np.cross(turning, mounting[:3, 3]))
    return velocity, None if moved.pose is None else moved.pose @ mounting


def _vector(numbers: Mapping[str, float], path: str, axes: str, origin: str) -> np.ndarray | None:
    """The numbers below a path, in a message that has it or, with covariance, has it below its own first name."""
    for way in (path, f"{path.split('.')[0]}.{path}"):
        if all(f"{way}.{axis}" in numbers for axis in axes):
            found = np.array([numbers[f"{way}.{axis}"] for axis in axes])
            if not (np.abs(found) <= MAX_VALUE).all():
                raise InputError(f"{origin}: expected finite numbers, got {found.tolist()} for {way}")
            return found
    return None
