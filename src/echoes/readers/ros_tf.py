"""tf2_msgs/TFMessage: the transforms between frames that a message tells, as numbers.

A list of geometry_msgs/TransformStamped, each with a header of its own: the message itself has none.
"""

from typing import NamedTuple

import numpy as np
from rosbags.interfaces import Connection

from echoes.errors import InputError
from echoes.readers.ros_cursors import Cursor

KINDS = {"tf2_msgs/msg/TFMessage", "tf/msg/tfMessage"}  # the latter of older ROS 1
LEAST = 64  # bytes of a transform
NUMBERS = np.dtype("f8")


class Transform(NamedTuple):
    """p_parent = R p_child + t, at a stamp [ns]; values: t [m], and R as a quaternion x, y, z, w."""

    parent: str
    child: str
    stamp_ns: int
    values: tuple[float, ...]


def tells(connection: Connection) -> bool:
    """Whether the messages of a topic are lists of transforms."""
    return connection.msgtype in KINDS


def transforms(message: Cursor) -> list[Transform]:
    """All transforms of a message; ROS 1 once wrote names of frames with a slash in front."""
    count = message.number("I")
    if count * LEAST > message.left():
        raise InputError(f"{message.origin}: expected {count} transforms, got {message.left()} bytes of the message")
    found = []
    for _ in range(count):
        stamp_ns, parent, child = message.stamp_ns(), message.text(), message.text()
        values = message.values(NUMBERS, 7).tolist()
        found.append(Transform(parent.removeprefix("/"), child.removeprefix("/"), stamp_ns, tuple(values)))
    return found
