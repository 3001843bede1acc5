"""ROS 1 bags: which clouds a topic has and when, and one of them by its stamp."""

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag1 import Reader, ReaderError

from echoes.errors import InputError
from echoes.readers.ros_clouds import DECODERS, stamp_ns

# What a damaged bag makes the library, the decompressors and `struct` raise.
DAMAGE = (ReaderError, OSError, ValueError, RuntimeError, AssertionError, KeyError, IndexError, EOFError, struct.error)


@dataclass(frozen=True)
class Message:
    """Where a message is: when it was received, and the stamp its sender gave it [ns]."""

    received_ns: int
    stamp_ns: int


def topics(path: Path) -> list[str]:
    """The names of the topics of a bag."""
    with _reading(path) as reader:
        return sorted({connection.topic for connection in reader.connections})


def messages(path: Path, topic: str) -> list[Message]:
    """All messages of a topic, in the order of receipt. Reads the bag once from end to end."""
    with _reading(path) as reader:
        found = reader.messages(_connections(reader, path, topic))
        return [Message(time, stamp_ns(raw, _origin(path, topic, time))) for _, time, raw in found]


def columns(path: Path, topic: str, message: Message) -> dict[str, np.ndarray]:
    """The columns of one cloud, found by the index of the bag; of several alike the last one received."""
    origin = _origin(path, topic, message.received_ns)
    with _reading(path) as reader:
        start = message.received_ns
        found = list(reader.messages(_connections(reader, path, topic), start=start, stop=start + 1))
        alike = [(c, raw) for c, _, raw in found if stamp_ns(raw, origin) == message.stamp_ns]
        if not alike:
            raise InputError(f"{origin}: expected a message with the stamp {message.stamp_ns} ns, got none")
        connection, raw = alike[-1]
        return DECODERS[connection.digest](raw, origin)


def _connections(reader: Reader, path: Path, topic: str) -> list[Connection]:
    found = [connection for connection in reader.connections if connection.topic == topic]
    if not found:
        known = ", ".join(sorted({connection.topic for connection in reader.connections}))
        raise InputError(f"{path}: expected the topic {topic}, got {known or 'no topic'}")
    for connection in found:
        if connection.digest not in DECODERS:
            raise InputError(
                f"{path}: expected PointCloud, PointCloud2 or Livox CustomMsg on {topic}, "
                f"got {connection.msgtype} with md5 sum {connection.digest}"
            )
    return found


@contextmanager
def _reading(path: Path) -> Iterator[Reader]:
    """An open bag; whatever is wrong with its bytes is an InputError that names it."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        yield _opened(path, path.stat().st_mtime_ns, os.getpid(), threading.get_ident())
    except InputError:
        raise
    except DAMAGE as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: expected a ROS 1 bag, got: {what}") from error


@lru_cache(maxsize=8)
def _opened(path: Path, modified_ns: int, process: int, thread: int) -> Reader:
    """Opening reads the whole index, seconds for a long bag; so a thread keeps the bags it reads open.

    Of each process its own: a forked one would share the place in the file with its parent.

    Sizes of chunks are safe: behind each chunk lies its index, which opening reads.
    """
    reader = Reader(path)
    reader.open()
    return reader


def _origin(path: Path, topic: str, received_ns: int) -> str:
    return f"{path}: {topic} at {received_ns / 1e9:.6f} s"
