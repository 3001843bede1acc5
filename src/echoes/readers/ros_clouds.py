"""Point clouds in ROS 1 messages: their bytes -> columns, and the stamp of their header.

Decoded here with numpy, because a deserializer makes one object of every point: 0.3 s for a LiDAR message.
The layout is chosen by the md5 sum of the message definition, which the bag carries for each topic, so a
driver that adds a field is refused and a package that renames the type is not. A size found in a message is
compared with the bytes that are left before anything of that size is made.
"""

import struct
from collections.abc import Callable

import numpy as np

from echoes.errors import InputError

FLOAT = np.dtype("<f4")
# livox_ros_driver/CustomPoint: offset in ns, position in m, reflectivity 0..255, tag, number of the laser
LIVOX_POINT = np.dtype(
    [("offset_time", "<u4")]
    + [(name, "<f4") for name in ("x", "y", "z")]
    + [(name, "u1") for name in ("reflectivity", "tag", "line")]
)
LONGEST_POINT = 1 << 16  # bytes
DATATYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}  # of sensor_msgs/PointField


class Cursor:
    """A place in the bytes of one message; `origin` names the message in errors."""

    def __init__(self, raw: bytes, origin: str) -> None:
        self.raw, self.origin, self.place = raw, origin, 0

    def take(self, size: int) -> bytes:
        if size > len(self.raw) - self.place:
            left = len(self.raw) - self.place
            raise InputError(f"{self.origin}: expected {size} more bytes of the message, got {left}")
        self.place += size
        return self.raw[self.place - size : self.place]

    def number(self, code: str) -> int:
        return int(struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0])

    def text(self) -> str:
        return self.take(self.number("I")).decode("utf-8", "replace")

    def array(self, dtype: np.dtype) -> np.ndarray:
        """A list: its length, then its elements."""
        return np.frombuffer(self.take(self.number("I") * dtype.itemsize), dtype)

    def header(self) -> None:
        self.take(12)
        self.text()


def stamp_ns(raw: bytes, origin: str) -> int:
    """The stamp of the header that starts every such message [ns]."""
    seconds, nanoseconds = struct.unpack("<II", Cursor(raw, origin).take(12)[4:])
    return int(seconds) * 10**9 + int(nanoseconds)


def point_cloud(raw: bytes, origin: str) -> dict[str, np.ndarray]:
    """sensor_msgs/PointCloud: x, y, z and one column per channel."""
    cursor = Cursor(raw, origin)
    cursor.header()
    xyz = cursor.array(np.dtype((FLOAT, 3))).reshape(-1, 3)
    columns = {"x": xyz[:, 0], "y": xyz[:, 1], "z": xyz[:, 2]}
    for _ in range(cursor.number("I")):
        name, values = cursor.text(), cursor.array(FLOAT)
        if len(values) != len(xyz):
            raise InputError(f"{origin}: expected {len(xyz)} values in channel {name}, got {len(values)}")
        columns[name] = values
    return columns


def point_cloud2(raw: bytes, origin: str) -> dict[str, np.ndarray]:
    """sensor_msgs/PointCloud2: one column per field."""
    cursor = Cursor(raw, origin)
    cursor.header()
    height, width = cursor.number("I"), cursor.number("I")
    fields = [
        (cursor.text(), cursor.number("I"), cursor.number("B"), cursor.number("I")) for _ in range(cursor.number("I"))
    ]
    order = ">" if cursor.number("B") else "<"
    point_step, row_step = cursor.number("I"), cursor.number("I")
    data = cursor.take(cursor.number("I"))
    if row_step < width * point_step or len(data) != height * row_step:
        sizes = f"{height} rows of {row_step} bytes with {width} points of {point_step}"
        raise InputError(f"{origin}: expected {sizes} to be the data, got {len(data)} bytes")
    if point_step > LONGEST_POINT or (width * height and not point_step):
        raise InputError(f"{origin}: expected points of 1 to {LONGEST_POINT} bytes, got {point_step}")
    rows = np.frombuffer(data, np.uint8).reshape(height, row_step)[:, : width * point_step]
    dtype = _point_dtype(fields, order, point_step, origin)
    points = np.frombuffer(np.ascontiguousarray(rows).tobytes(), dtype) if width * height else np.zeros(0, dtype)
    return {name: points[name] for name in dtype.names or ()}


def livox_custom(raw: bytes, origin: str) -> dict[str, np.ndarray]:
    """livox_ros_driver/CustomMsg: x, y, z, reflectivity 0..255, offset_time, tag, line."""
    cursor = Cursor(raw, origin)
    cursor.header()
    cursor.take(8)  # time base
    count = cursor.number("I")
    cursor.take(4)  # number of the LiDAR, reserved
    points = cursor.array(LIVOX_POINT)
    if count != len(points):
        raise InputError(f"{origin}: expected {count} points (point_num), got {len(points)}")
    return {name: points[name] for name in LIVOX_POINT.names or ()}


DECODERS: dict[str, Callable[[bytes, str], dict[str, np.ndarray]]] = {
    "d8e9c3f5afbdd8a130fd1d2763945fca": point_cloud,
    "1158d486dd51d683ce2f1be655c3c181": point_cloud2,
    "e4d6829bdfe657cb6c21a746c86b21a6": livox_custom,
}


def _point_dtype(fields: list[tuple[str, int, int, int]], order: str, point_step: int, origin: str) -> np.dtype:
    """The layout of one point; a field of several values is left out."""
    names, offsets, formats = [], [], []
    for name, offset, datatype, count in fields:
        if count != 1:
            continue
        if datatype not in DATATYPES:
            raise InputError(f"{origin}: expected a datatype 1..8 for the field {name}, got {datatype}")
        if offset + np.dtype(DATATYPES[datatype]).itemsize > point_step:
            raise InputError(f"{origin}: expected the field {name} within {point_step} bytes, got its offset {offset}")
        if name in names:
            raise InputError(f"{origin}: expected each field once, got {name} twice")
        names.append(name)
        offsets.append(offset)
        formats.append(order + DATATYPES[datatype])
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": point_step})
