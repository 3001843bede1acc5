"""An MCAP file (https://mcap.dev/spec), opened: its topics, and their messages by the time of receipt.

Own code, because the library unpacks chunks of strangers without a bound, and all chunks at once. A file with a summary
is opened by the index of its chunks; of one without, or with messages outside of chunks, every record is looked at.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag1,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)

from echoes.errors import InputError
from echoes.readers import bounded
from echoes.readers.ros_cursors import Cursor

MAGIC = b"\x89MCAP0\r\n"
SCHEMA, CHANNEL, MESSAGE, CHUNK, CHUNK_INDEX, STATISTICS, FOOTER = 0x03, 0x04, 0x05, 0x06, 0x08, 0x0B, 0x02
HEAD = 9  # bytes of a record before its content: what it is, and its size
FIELDS = 2 + 4 + 8 + 8  # bytes of a message before its own: channel, number, time of receipt, time of sending
FOOTER_BYTES = HEAD + 20 + len(MAGIC)
DEFINITIONS = {"ros1msg": MessageDefinitionFormat.MSG, "ros2msg": MessageDefinitionFormat.MSG}
DEFINITIONS |= {"ros2idl": MessageDefinitionFormat.IDL, "omgidl": MessageDefinitionFormat.IDL}
PACKINGS = ("", "lz4", "zstd")


@dataclass(frozen=True)
class _Chunk:
    """A chunk: where its record begins, the times of its messages [ns], and their channels where these are known."""

    place: int
    start: int
    end: int
    channels: frozenset[int] | None


class Mcap:
    """connections: of each topic; messages are asked for by their topics."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, bounded.File(path)
        self._schemas: dict[int, tuple[str, MessageDefinition]] = {}
        self._channels: dict[int, Connection] = {}
        self._chunks: list[_Chunk] = []
        self._loose: list[tuple[int, int, int, int]] = []  # channel, time [ns], place, size
        self._counts: dict[int, int] | None = None  # messages of each channel, as the file says
        self._told_chunks = 0
        self._held: tuple[int, bytes] = (-1, b"")  # the chunk that was unpacked last
        self._open()
        self.connections = list(self._channels.values())

    def messages(
        self, topics: Collection[str], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Connection, time of receipt [ns] and bytes of each message, in the order of the file."""
        wanted = {number for number, connection in self._channels.items() if connection.topic in topics}
        first, behind = 0 if start is None else start, 1 << 64 if stop is None else stop
        found = Counter[int]()
        for number, time, raw in self._stored(wanted, first, behind):
            if number in wanted and first <= time < behind:
                found[number] += 1
                yield self._channels[number], time, raw
        told = self._counts
        if start is None and stop is None and told is not None and any(told.get(n, 0) != found[n] for n in wanted):
            raise ValueError(f"it says it holds {sum(told.get(n, 0) for n in wanted)} messages, got {found.total()}")

    def _open(self) -> None:
        self._file.seek(max(0, self._file.size - FOOTER_BYTES))
        footer = self._file.read(FOOTER_BYTES)
        if self._at(0, len(MAGIC)) != MAGIC:
            raise ValueError("it does not begin as MCAP")
        if len(footer) < FOOTER_BYTES or footer[0] != FOOTER or not footer.endswith(MAGIC):
            raise ValueError("it was not closed by its recorder; `mcap recover` mends it")
        summary, end = struct.unpack("<Q", footer[HEAD : HEAD + 8])[0], self._file.size - FOOTER_BYTES
        if summary:
            self._scan(summary, end)
        whole = self._counts is not None and self._told_chunks == len(self._chunks)
        if not whole or not self._chunks or not self._channels:
            self._chunks.clear()
            self._scan(len(MAGIC), summary or end)
            for chunk in self._chunks:
                for kind, content in _records(self._unpacked(chunk), str(self._path)):
                    self._define(kind, content)

    def _scan(self, place: int, end: int) -> None:
        """Looks at the records from `place` on."""
        while place < end:
            kind, size = struct.unpack("<BQ", self._at(place, HEAD))
            if place + HEAD + size > end:
                raise ValueError(f"a record of {size} bytes at {place} is longer than what is left")
            if kind == MESSAGE and size < FIELDS:
                raise ValueError(f"a message of {size} bytes at {place} is too short")
            if kind == MESSAGE:
                number, _, time = struct.unpack("<HIQ", self._at(place + HEAD, 14))
                self._loose.append((number, time, place + HEAD + FIELDS, size - FIELDS))
            elif kind == CHUNK:
                first, last = struct.unpack("<QQ", self._at(place + HEAD, 16))
                self._chunks.append(_Chunk(place, first, last, None))
            elif kind in (SCHEMA, CHANNEL, CHUNK_INDEX, STATISTICS):
                self._define(kind, Cursor(self._at(place + HEAD, size), str(self._path)))
            place += HEAD + size

    def _define(self, kind: int, record: Cursor) -> None:
        if kind == SCHEMA:
            number, name, form, text = record.number("H"), record.text(), record.text(), record.text()
            known = DEFINITIONS.get(form, MessageDefinitionFormat.NONE)
            self._schemas[number] = (_normal(name), MessageDefinition(known, text))
        elif kind == CHANNEL:
            number, schema, topic, form = record.number("H"), record.number("H"), record.text(), record.text()
            name, definition = self._schemas.get(schema, ("", MessageDefinition(MessageDefinitionFormat.NONE, "")))
            told = ConnectionExtRosbag1(None, None) if form == "ros1" else ConnectionExtRosbag2(form, [])
            self._channels[number] = Connection(number, topic, name, definition, "", 0, told, None)
        elif kind == CHUNK_INDEX:
            start, end, place = (record.number("Q") for _ in range(3))
            record.number("Q")
            channels = frozenset(n for n, _ in struct.iter_unpack("<HQ", record.take(record.number("I"))))
            self._chunks.append(_Chunk(place, start, end, channels or None))
        elif kind == STATISTICS:
            record.take(8 + 2 + 4 + 4 + 4)
            self._told_chunks = record.number("I")
            record.take(16)
            self._counts = {record.number("H"): record.number("Q") for _ in range(record.number("I") // 10)}

    def _stored(self, wanted: set[int], start: int, stop: int) -> Iterator[tuple[int, int, bytes]]:
        """Channel, time and bytes of all that chunks hold which have some of the channels and of the time."""
        for chunk in self._chunks:
            if chunk.start < stop and start <= chunk.end and (chunk.channels is None or chunk.channels & wanted):
                for kind, record in _records(self._unpacked(chunk), str(self._path)):
                    if kind == MESSAGE:
                        number, _, time = record.number("H"), record.number("I"), record.number("Q")
                        record.take(8)
                        yield number, time, record.take(record.left())
        for number, time, place, size in self._loose:
            yield number, time, self._at(place, size) if number in wanted and start <= time < stop else b""

    def _unpacked(self, chunk: _Chunk) -> bytes:
        """The records of a chunk."""
        if self._held[0] == chunk.place:
            return self._held[1]
        kind, size = struct.unpack("<BQ", self._at(chunk.place, HEAD))
        if kind != CHUNK:
            raise ValueError(f"the index tells a chunk at {chunk.place}, where there is none")
        record = Cursor(self._at(chunk.place + HEAD, size), str(self._path))
        record.take(16)
        size, checksum, packing = record.number("Q"), record.number("I"), record.text()
        raw = record.take(record.number("Q"))
        if packing not in PACKINGS:
            raise InputError(f"{self._path}: expected chunks in lz4, zstd or as they are, got {packing}")
        found = bounded.unpacked(packing, size, raw) if packing else raw
        if len(found) != size:
            raise ValueError(f"the chunk at {chunk.place} says it holds {size} bytes, got {len(found)}")
        if checksum and zlib.crc32(found) != checksum:
            raise ValueError(f"the checksum of the chunk at {chunk.place} differs")
        self._held = (chunk.place, found)
        return found

    def _at(self, place: int, size: int) -> bytes:
        if place + size > self._file.size:
            raise ValueError(f"{size} bytes at {place} are more than it holds")
        self._file.seek(place)
        return self._file.read(size)


def _records(raw: bytes, origin: str) -> Iterator[tuple[int, Cursor]]:
    """What each record is, and its content."""
    held = Cursor(raw, origin)
    while held.left() > 0:
        kind, size = held.number("B"), held.number("Q")
        yield kind, Cursor(held.take(size), origin)


def _normal(name: str) -> str:
    """The name of a type as ROS 2 has it."""
    return name if name.count("/") != 1 else name.replace("/", "/msg/")
