"""ROS 1 bags: which clouds a topic has and when, and one of them by its stamp."""

import os
import struct
import threading
from bz2 import BZ2Decompressor
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

import numpy as np
from lz4.frame import LZ4FrameDecompressor
from rosbags.interfaces import Connection
from rosbags.rosbag1 import Reader, ReaderError
from rosbags.rosbag1.reader import Chunk, ChunkInfo, Header, IndexData

from echoes.errors import InputError
from echoes.readers.ros_clouds import DECODERS, stamp_ns

# What a damaged bag makes the library, the decompressors and `struct` raise.
DAMAGE = (
    *(ReaderError, OSError, ValueError, RuntimeError, AssertionError, KeyError, IndexError, EOFError, struct.error),
    OverflowError,
)
PACKED = 1000  # bytes that a byte of a compressed chunk may hold


class _File(BufferedReader):
    """A file that never makes room for more than is left in it."""

    def __init__(self, path: Path) -> None:
        super().__init__(FileIO(path))
        self.size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self.size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


class _Path(type(Path())):  # type: ignore[misc]
    """A path whose file is a _File; the library takes any path."""

    def open(self, *_: object, **__: object) -> _File:
        return _File(Path(self))


class _Reader(Reader):
    """The library's reader for bags of strangers: the file is asked before a size is believed, and no message hides."""

    bio: _File
    ends = 0  # where the last record of the bag ends
    index_bytes = 0

    def open(self) -> None:
        super().open()
        listed = [info.connection_counts for info in self.chunk_infos]
        known = {connection.id for connection in self.connections}
        if len(known) < len(self.connections) or any(set(counts) - known for counts in listed):
            raise ReaderError("Connections of the index and of its chunks differ.")
        for number, found in self.indexes.items():
            if len(found) != (told := sum(counts.get(number, 0) for counts in listed)):
                raise ReaderError(f"Connection {number} has {told} messages in its chunks, {len(found)} in the index.")
        if listed and self.ends != self.bio.size:
            raise ReaderError("There is more behind the index.")

    def read_chunk_info(self) -> ChunkInfo:
        info = super().read_chunk_info()
        self.ends = self.bio.tell()
        return info

    def read_chunk(self) -> Chunk:
        start = self.bio.tell()
        chunk = super().read_chunk()
        behind = self.bio.tell()
        self.bio.seek(start)
        header = Header.read(self.bio)
        self.bio.seek(behind)
        size, compression = header.get_uint32("size"), header.get_string("compression")
        if behind > self.bio.size or size > chunk.datasize * (1 if compression == "none" else PACKED):
            raise ReaderError(f"A chunk says it holds {size} bytes in {chunk.datasize}.")
        if compression == "none":
            return chunk
        made = {"bz2": BZ2Decompressor, "lz4": LZ4FrameDecompressor}[compression]
        return chunk._replace(decompressor=partial(_unpacked, made, size))

    def read_index_data(self, pos: int, indexes: dict[int, list[IndexData]]) -> None:
        before = self.bio.tell()
        super().read_index_data(pos, indexes)
        self.index_bytes += self.bio.tell() - before
        if self.index_bytes > self.bio.size:  # chunks that share an index
            raise ReaderError("The index is longer than the file.")


def _unpacked(decompressor: Callable[[], Any], size: int, raw: bytes) -> bytes:
    """Exactly `size` bytes; the decompressor makes no more, whatever the stream holds."""
    found: bytes = decompressor().decompress(raw, max_length=size + 1)
    if len(found) != size:
        raise ReaderError(f"A chunk says it holds {size} bytes, got {'more' if len(found) > size else len(found)}.")
    return found


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
        alike = [(c, raw) for c, _, raw in found if c.topic == topic and stamp_ns(raw, origin) == message.stamp_ns]
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
    """
    reader = _Reader(_Path(path))
    reader.open()
    return reader


def _origin(path: Path, topic: str, received_ns: int) -> str:
    return f"{path}: {topic} at {received_ns / 1e9:.6f} s"
