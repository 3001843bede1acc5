"""What a ROS message of any type holds, by the definition that its bag carries: numbers, and lists of structures.

A bag of ROS 1, and one of ROS 2 since Iron, carries the definitions of its messages; for the others the library knows
those of ROS itself, and here stand those of the drivers and of radar_msgs that are wanted beside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from rosbags.interfaces import Connection, ConnectionExtRosbag1, MessageDefinitionFormat, Nodetype
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from echoes.errors import InputError
from echoes.readers.ros_cursors import Cursor, Leaves

Types = Mapping[str, Sequence[tuple[str, Any]]]  # type -> its fields: name and description, as the library has them
HEADER = "std_msgs/msg/Header"
TEXT = "string"
CODES = {"bool": "u1", "byte": "u1", "char": "u1", "float32": "f4", "float64": "f8"} | {
    f"{name}{bits}": f"{name[0]}{bits // 8}" for name in ("int", "uint") for bits in (8, 16, 32, 64)
}
MOST_LEAVES = 1000  # numbers of a structure
LONGEST = 1 << 16  # characters of a definition
LIVOX = (  # livox_ros_driver, livox_ros_driver2; livox_interfaces is that of an older driver for ROS 2
    "std_msgs/Header header\nuint64 timebase\nuint32 point_num\nuint8 lidar_id\nuint8[3] rsvd\nCustomPoint[] points\n",
    "uint32 offset_time\nfloat32 x\nfloat32 y\nfloat32 z\nuint8 reflectivity\nuint8 tag\nuint8 line\n",
)
DRIVERS = {
    f"{package}/msg/{name}": text
    for package in ("livox_ros_driver", "livox_ros_driver2", "livox_interfaces")
    for name, text in zip(("CustomMsg", "CustomPoint"), LIVOX, strict=True)
} | {
    "radar_msgs/msg/RadarReturn": "".join(
        f"float32 {name}\n" for name in ("range", "azimuth", "elevation", "doppler_velocity", "amplitude")
    ),
    "radar_msgs/msg/RadarScan": "std_msgs/Header header\nradar_msgs/RadarReturn[] returns\n",
}


@dataclass(frozen=True)
class Content:
    """What a message holds; a name tells the way to it, as `twist.twist.linear.x`.

    numbers  every single number.
    tables   name of a list of structures -> its columns.
    """

    numbers: dict[str, float]
    tables: dict[str, dict[str, np.ndarray]]


def types_of(connection: Connection) -> Types:
    """The types that its bag and the library define. Raises for a definition that is none."""
    form, text = connection.msgdef.format, connection.msgdef.data
    return _types(connection.msgtype, form, text, isinstance(connection.ext, ConnectionExtRosbag1))


def lists(kind: str, types: Types) -> list[str]:
    """The fields of a type that are lists of structures of numbers."""
    found = []
    for name, (node, told) in types.get(kind, ()):
        if node == Nodetype.SEQUENCE and told[0][0] == Nodetype.NAME and _leaves(told[0][0], told[0][1], "", types):
            found.append(name)
    return found


def has_header(kind: str, types: Types) -> bool:
    """Whether messages of a type begin with a header."""
    fields = types.get(kind, ())
    return bool(fields) and tuple(fields[0][1]) == (Nodetype.NAME, HEADER)


def content(cursor: Cursor, kind: str, types: Types) -> Content:
    """All numbers and all tables of a message."""
    found = Content({}, {})
    _structure(cursor, kind, "", types, found)
    return found


@lru_cache(maxsize=64)
def _types(kind: str, form: MessageDefinitionFormat, text: str, ros1: bool) -> Types:
    base = known(ros1)
    if form == MessageDefinitionFormat.NONE or not text.strip():
        return base
    if len(text) > LONGEST:
        raise ValueError(f"the definition of {kind} has {len(text)} characters")
    found = get_types_from_idl(text) if form == MessageDefinitionFormat.IDL else get_types_from_msg(text, kind)
    return {**base, **{name: fields for name, (_, fields) in found.items()}}


@lru_cache(maxsize=2)
def known(ros1: bool) -> Types:
    """The types of ROS itself, and of the drivers."""
    store = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.LATEST)
    found = {name: fields for name, (_, fields) in store.fielddefs.items()}
    for name, text in DRIVERS.items():
        found |= {each: fields for each, (_, fields) in get_types_from_msg(text, name).items()}
    return found


def _fields(kind: str, types: Types, origin: str) -> Sequence[tuple[str, Any]]:
    if kind not in types:
        raise InputError(f"{origin}: expected the bag to carry the definition of {kind}, got none")
    return types[kind]


def _structure(cursor: Cursor, kind: str, prefix: str, types: Types, found: Content) -> None:
    for name, (node, told) in _fields(kind, types, cursor.origin):
        path = prefix + name
        if node not in (Nodetype.ARRAY, Nodetype.SEQUENCE):
            _single(cursor, node, told, path, types, found)
            continue
        (inner, what), size = told
        count = size if node == Nodetype.ARRAY else cursor.number("I")
        if inner == Nodetype.BASE and what[0] != TEXT:
            cursor.values(_dtype(what[0], cursor.origin), count)
        elif leaves := _leaves(inner, what, "", types):
            found.tables[path] = cursor.table(leaves, count)
        elif count > cursor.left():
            raise InputError(f"{cursor.origin}: expected {count} entries of {path}, got {cursor.left()} bytes")
        else:
            for _ in range(count):
                _single(cursor, inner, what, path, types, Content({}, {}))


def _single(cursor: Cursor, node: int, told: Any, path: str, types: Types, found: Content) -> None:
    if node == Nodetype.NAME and told == HEADER:  # the one type that ROS 2 changed and kept the name of
        cursor.header()
    elif node == Nodetype.NAME:
        _structure(cursor, told, f"{path}.", types, found)
    elif told[0] == TEXT:
        cursor.text()
    else:
        found.numbers[path] = float(cursor.values(_dtype(told[0], cursor.origin), 1)[0])


def _dtype(name: str, origin: str) -> np.dtype:
    if name not in CODES:
        raise InputError(f"{origin}: expected numbers of a kind that is known here, got {name}")
    return np.dtype(CODES[name])


def _leaves(node: int, told: Any, path: str, types: Types) -> Leaves:
    """The numbers of a structure of one size; none where its size depends on what it holds, or where it is unknown."""
    if node == Nodetype.BASE:
        return [(path, CODES[told[0]])] if told[0] in CODES else []
    fields: Sequence[tuple[str, Any]] = ()
    if node == Nodetype.ARRAY:
        inner, count = told
        fields = [(str(i), inner) for i in range(count)] if count <= MOST_LEAVES else []
    elif node == Nodetype.NAME:
        fields = types.get(told, ())
    found: list[tuple[str, str]] = []
    for name, (inner_node, inner_told) in fields:
        part = _leaves(inner_node, inner_told, f"{path}.{name}" if path else name, types)
        found += part
        if not part or len(found) > MOST_LEAVES:  # at once: definitions may nest without end
            return []
    return found
