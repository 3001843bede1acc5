"""Lists of points in ROS messages: their bytes -> columns.

Decoded here with numpy, because a deserializer makes one object of every point: 0.3 s for a LiDAR message. Of a bag of
ROS 1 the md5 sum of the definition, which the bag carries for each topic, tells a PointCloud and a PointCloud2, so that
a package which renames the type is read as well. Any other message is read by its definition: Livox' CustomMsg,
radar_msgs/RadarScan, and what a driver of one's own sends, as long as it has a header and a list of structures of
numbers. The columns are the numbers of a structure; of several lists each has its name in front.
"""

import numpy as np
from rosbags.interfaces import Connection, ConnectionExtRosbag1

from echoes.errors import InputError
from echoes.readers import ros_types
from echoes.readers.ros_cursors import Cdr, Cursor

Columns = dict[str, np.ndarray]
FLOAT = np.dtype("<f4")
LONGEST_POINT = 1 << 16  # bytes
SLACK = 7  # bytes behind the points: a flag, and the padding of CDR
LONGEST_EMPTY = 512  # bytes of a message of another type without points
DATATYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}  # of sensor_msgs/PointField
CLOUD, CLOUD2, CUSTOM = "sensor_msgs/msg/PointCloud", "sensor_msgs/msg/PointCloud2", "livox_ros_driver/msg/CustomMsg"
MD5 = {  # of definitions of ROS 1
    "d8e9c3f5afbdd8a130fd1d2763945fca": CLOUD,
    "1158d486dd51d683ce2f1be655c3c181": CLOUD2,
    "e4d6829bdfe657cb6c21a746c86b21a6": CUSTOM,
}


def kind_of(connection: Connection) -> str:
    """What its messages are: by their md5 sum, or else by their name."""
    return MD5.get(connection.digest, str(connection.msgtype))


def cursor(connection: Connection, raw: bytes, origin: str) -> Cursor:
    """The begin of a message; `origin` names it in errors."""
    return Cursor(raw, origin) if isinstance(connection.ext, ConnectionExtRosbag1) else Cdr(raw, origin)


def check(connection: Connection, origin: str) -> None:
    """Raises InputError for a topic whose messages hold no list of points; `origin` names the bag."""
    kind, ros1 = kind_of(connection), isinstance(connection.ext, ConnectionExtRosbag1)
    if connection.digest in MD5 or (kind in DECODERS and not (ros1 and connection.digest)):
        return
    types = ros_types.types_of(connection)
    if not ros_types.has_header(kind, types) or not ros_types.lists(kind, types):
        raise InputError(
            f"{origin}: expected PointCloud, PointCloud2, Livox CustomMsg, RadarScan or another list of points with a "
            f"header on {connection.topic}, got {connection.msgtype} with md5 sum {connection.digest}"
        )


def columns(connection: Connection, message: Cursor) -> Columns:
    """The points of a message."""
    kind = kind_of(connection)
    if kind in DECODERS:
        return DECODERS[kind](message)
    return listed(message, kind, ros_types.known(True) if connection.digest in MD5 else ros_types.types_of(connection))


def is_empty(connection: Connection, message: Cursor) -> bool:
    """Whether a message has no points. Raises InputError where it has none and does not end behind them."""
    kind = kind_of(connection)
    if kind in DECODERS:
        place = message.place
        message.header()
        count = message.number("I") * (message.number("I") if kind == CLOUD2 else 1)
        if count:
            return False
        message.place = place
    elif len(message.raw) > LONGEST_EMPTY:
        return False
    found = columns(connection, message)
    if any(map(len, found.values())):
        return False
    if message.left() > SLACK:
        raise InputError(f"{message.origin}: expected the message to end behind no points, got {message.left()} bytes")
    return True


def point_cloud(message: Cursor) -> Columns:
    """sensor_msgs/PointCloud: x, y, z and one column per channel."""
    message.header()
    xyz = message.array(np.dtype((FLOAT, 3))).reshape(-1, 3)
    found = {"x": xyz[:, 0], "y": xyz[:, 1], "z": xyz[:, 2]}
    for _ in range(message.number("I")):
        name, values = message.text(), message.array(FLOAT)
        if len(values) != len(xyz):
            raise InputError(f"{message.origin}: expected {len(xyz)} values in channel {name}, got {len(values)}")
        found[name] = values
    return found


def point_cloud2(message: Cursor) -> Columns:
    """sensor_msgs/PointCloud2: one column per field."""
    origin = message.origin
    message.header()
    height, width = message.number("I"), message.number("I")
    fields = [
        (message.text(), message.number("I"), message.number("B"), message.number("I"))
        for _ in range(message.number("I"))
    ]
    order = ">" if message.number("B") else "<"
    point_step, row_step = message.number("I"), message.number("I")
    data = message.take(message.number("I"))
    if row_step < width * point_step or len(data) != height * row_step:
        sizes = f"{height} rows of {row_step} bytes with {width} points of {point_step}"
        raise InputError(f"{origin}: expected {sizes} to be the data, got {len(data)} bytes")
    if point_step > LONGEST_POINT or (width * height and not point_step):
        raise InputError(f"{origin}: expected points of 1 to {LONGEST_POINT} bytes, got {point_step}")
    rows = np.frombuffer(data, np.uint8).reshape(height, row_step)[:, : width * point_step]
    dtype = _point_dtype(fields, order, point_step, origin)
    points = np.frombuffer(np.ascontiguousarray(rows).tobytes(), dtype) if width * height else np.zeros(0, dtype)
    return {name: points[name] for name in dtype.names or ()}


def listed(message: Cursor, kind: str, types: ros_types.Types) -> Columns:
    """A message of another type: the columns of its one list, or those of several by `<list>.<column>`."""
    found = ros_types.content(message, kind, types)
    tables = {name: found.tables[name] for name in ros_types.lists(kind, types) if name in found.tables}
    for columns in tables.values():
        count = len(next(iter(columns.values())))
        if (told := found.numbers.get("point_num", count)) != count:  # of Livox
            raise InputError(f"{message.origin}: expected {told:.0f} points (point_num), got {count}")
    if len(tables) == 1:
        return next(iter(tables.values()))
    return {f"{name}.{column}": values for name, table in tables.items() for column, values in table.items()}


DECODERS = {CLOUD: point_cloud, CLOUD2: point_cloud2}


def _point_dtype(fields: list[tuple[str, int, int, int]], order: str, point_step: int, origin: str) -> np.dtype:
    """The layout of one point; a field of several values is left out."""
    names, offsets, formats = [], [], []
    for name, offset, datatype, count in fields:
        if count > 1:
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
