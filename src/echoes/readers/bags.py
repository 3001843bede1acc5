"""Bags of ROS 1 and ROS 2: which messages a topic has and when, and what one of them holds.

    *.bag                    ROS 1
    <folder>/metadata.yaml   ROS 2: a bag of one file or several, in SQLite or MCAP
    *.db3, *.mcap            ROS 2: a file that no metadata.yaml names

A bag is told by the path of that file.
"""

import os
import sqlite3
import struct
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from rosbags.interfaces import Connection
from rosbags.rosbag1 import ReaderError
from rosbags.typesys import TypesysError

from echoes.errors import InputError, one_line
from echoes.readers import bags1, bags2, bounded, ros_clouds, ros_tf, ros_types, visible
from echoes.readers.ros_clouds import Columns
from echoes.readers.ros_cursors import Cursor
from echoes.readers.ros_tf import Transform

# What a damaged bag makes the library, the decompressors, `sqlite3` and `struct` raise.
DAMAGE = (
    *(ReaderError, OSError, ValueError, RuntimeError, AssertionError, KeyError, IndexError, EOFError, struct.error),
    *(OverflowError, sqlite3.Error, TypesysError, *bounded.DAMAGE),
)
CDR = "cdr"  # the only form of messages of ROS 2 that is in use
LAST_NS = 1 << 62  # of a clock, in the year 2116

T = TypeVar("T")


@dataclass(frozen=True)
class Message:
    """Where a message is: when it was received, and the stamp its sender gave it [ns].

    empty  whether it is a cloud without points.
    """

    received_ns: int
    stamp_ns: int
    empty: bool = False


def found(root: Path) -> list[Path]:
    """The bags at or below a folder, without hidden ones."""
    return sorted([*visible.below(root, root.rglob("*.bag")), *bags2.found(root)])


def name(root: Path, path: Path) -> str:
    """What a bag is called: its path below the root, without an ending; a ROS 2 bag after its folder."""
    named = path.parent if path.name == bags2.METADATA else path.with_suffix("")
    return named.relative_to(root).as_posix() if named != root else root.resolve().name


def folder(path: Path) -> Path:
    """The folder that a bag lies in; that of a ROS 2 bag is a bag itself."""
    return path.parent.parent if path.name == bags2.METADATA else path.parent


def topics(path: Path) -> list[str]:
    """The names of the topics of a bag."""
    with _reading(path) as bag:
        return sorted({connection.topic for connection in bag.connections})


def messages(
    path: Path, clouds: Collection[str], others: Collection[str] = (), frames: Collection[str] = ()
) -> dict[str, list[Message]]:
    """Topic -> its messages in the order of receipt, of those topics that the bag has. Reads it from end to end.

    clouds  topics with lists of points.
    frames  topics with lists of transforms, which have the stamp of their first one; those without any are passed over.
    """
    with _reading(path) as bag:
        connections = [connection for connection in bag.connections if connection.topic in {*clouds, *others, *frames}]
        for connection in connections:
            if connection.topic in frames:
                _check_transforms(connection, path)
            else:
                _check(connection, connection.topic in clouds, path)
        found: dict[str, list[Message]] = {connection.topic: [] for connection in connections}
        for connection, time, raw in bag.messages(connections) if connections else ():
            if not 0 <= time < LAST_NS:
                raise ValueError(f"a message on {connection.topic} was received at {time} ns")
            cursor = _cursor(connection, raw, path, time)
            if connection.topic in frames and not cursor.number("I"):
                continue
            stamp_ns, cursor.place = cursor.stamp_ns(), 0
            empty = connection.topic in clouds and ros_clouds.is_empty(connection, cursor)
            found[connection.topic].append(Message(time, stamp_ns, empty))
        return {topic: sorted(listed, key=lambda each: each.received_ns) for topic, listed in found.items()}


def columns(path: Path, topic: str, message: Message) -> Columns:
    """The columns of one cloud; of several alike those of the last one received."""
    return _one(path, topic, message, True, ros_clouds.columns)


def numbers(path: Path, topic: str, message: Message) -> dict[str, float]:
    """The numbers of one message, by the way to each, as `twist.twist.linear.x`."""
    read = lambda connection, cursor: ros_types.content(cursor, connection.msgtype, ros_types.types_of(connection))
    return _one(path, topic, message, False, read).numbers


def links(path: Path, topic: str) -> set[tuple[str, str]]:
    """Parent and child of all transforms of a topic; none where the bag has no such topic."""
    return {(each.parent, each.child) for _, each in _transforms(path, topic)}


def transforms(path: Path, topic: str, between: Collection[tuple[str, str]]) -> list[tuple[int, Transform]]:
    """When each was received [ns], and the transforms of a topic between some parents and children."""
    return [(time, each) for time, each in _transforms(path, topic) if (each.parent, each.child) in between]


def _transforms(path: Path, topic: str) -> Iterator[tuple[int, Transform]]:
    with _reading(path) as bag:
        connections = [connection for connection in bag.connections if connection.topic == topic]
        for connection in connections:
            _check_transforms(connection, path)
        for connection, time, raw in bag.messages(connections) if connections else ():
            if connection.topic == topic:
                yield from ((time, each) for each in ros_tf.transforms(_cursor(connection, raw, path, time)))


def _one(path: Path, topic: str, message: Message, cloud: bool, read: Callable[[Connection, Cursor], T]) -> T:
    """What `read` makes of one message, which is found by the index of the bag."""
    with _reading(path) as bag:
        connections = [connection for connection in bag.connections if connection.topic == topic]
        if not connections:
            known = ", ".join(sorted({connection.topic for connection in bag.connections}))
            raise InputError(f"{path}: expected the topic {topic}, got {known or 'no topic'}")
        start, alike = message.received_ns, None
        for connection, time, raw in bag.messages(connections, start, start + 1):
            cursor = _cursor(connection, raw, path, time)
            if connection.topic == topic and cursor.stamp_ns() == message.stamp_ns:
                alike = connection, cursor
        if alike is None:
            told = f"{path}: {topic} at {start / 1e9:.6f} s"
            raise InputError(f"{told}: expected a message with the stamp {message.stamp_ns} ns, got none")
        connection, cursor = alike
        _check(connection, cloud, path)
        cursor.place = 0
        return read(connection, cursor)


def _check(connection: Connection, cloud: bool, path: Path) -> None:
    _check_form(connection, path)
    if cloud:
        ros_clouds.check(connection, str(path))
    elif not ros_types.has_header(connection.msgtype, ros_types.types_of(connection)):
        told = ", which `motion: {by: tf, ...}` reads" if ros_tf.tells(connection) else ""
        raise InputError(f"{path}: expected a header on {connection.topic}, got {connection.msgtype}{told}")


def _check_transforms(connection: Connection, path: Path) -> None:
    _check_form(connection, path)
    if not ros_tf.tells(connection):
        raise InputError(f"{path}: expected tf2_msgs/TFMessage on {connection.topic}, got {connection.msgtype}")


def _check_form(connection: Connection, path: Path) -> None:
    form = getattr(connection.ext, "serialization_format", CDR)
    if form != CDR:
        raise InputError(f"{path}: expected messages in {CDR} on {connection.topic}, got {form}")


def _cursor(connection: Connection, raw: bytes, path: Path, received_ns: int) -> Cursor:
    return ros_clouds.cursor(connection, raw, f"{path}: {connection.topic} at {received_ns / 1e9:.6f} s")


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """An open bag; whatever is wrong with its bytes is an InputError that names it."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        yield _opened(path, path.stat().st_mtime_ns, os.getpid(), threading.get_ident())
    except InputError:
        raise
    except DAMAGE as error:
        kind = "a ROS 1 bag" if path.suffix == ".bag" else "a ROS 2 bag"
        raise InputError(f"{path}: expected {kind}, got: {one_line(error)}") from error


@lru_cache(maxsize=8)
def _opened(path: Path, modified_ns: int, process: int, thread: int) -> Any:
    """Opening reads the whole index, seconds for a long bag; so a thread keeps the bags it reads open.

    Of each process its own: a forked one would share the place in the file with its parent.
    """
    return bags1.opened(path) if path.suffix == ".bag" else bags2.Bag(path)
