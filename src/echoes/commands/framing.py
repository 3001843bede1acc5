"""Clouds as bytes: on a stream, or as datagrams. All little-endian.

    float64 stamp, uint32 n, n rows of float32     5 columns in: x, y, z [m], Doppler [m/s], power [dB]
                                                   6 columns out: x, y, z [m], power [dB], Doppler [m/s], probability

A datagram holds one such message. What does not fit into one goes on in the next ones, of the same stamp: a message of
as many rows as a datagram takes is not the last of its cloud, one of fewer rows is.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Protocol

import numpy as np

from echoes.errors import InputError

HEADER = Struct("<dI")
IN, OUT = 5, 6  # columns
MOST = 1 << 20  # points of a frame
FULL = {IN: 3200, OUT: 2700}  # rows of a datagram: less than 65,507 bytes
Message = tuple[float, np.ndarray]  # stamp, (N, columns) float32


class Source(Protocol):
    """What bytes come from, such as a file without a buffer: up to `count` of them, none at its end."""

    def read(self, count: int, /) -> bytes | None: ...


def packed(stamp: float, rows: np.ndarray) -> bytes:
    """A message; rows (N, columns)."""
    return HEADER.pack(stamp, len(rows)) + np.ascontiguousarray(rows, "<f4").tobytes()


def messages(source: Source, columns: int) -> Iterator[Message]:
    """Those of a stream, one by one, until it ends; raises InputError where it ends within one, or claims too much."""
    while header := _exactly(source, HEADER.size):
        stamp, count = HEADER.unpack(header)
        if count > MOST:
            raise InputError(f"stream: expected at most {MOST} points of a frame, got {count}")
        body = _exactly(source, 4 * columns * count) if count else b""
        if len(body) < 4 * columns * count:
            raise InputError(f"stream: expected {4 * columns * count} bytes of {count} points, got none")
        yield stamp, _rows(body, columns)


def _exactly(source: Source, count: int) -> bytes:
    """So many bytes; none at the end of the stream."""
    parts, missing = [], count
    while missing:
        part = source.read(missing)
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    if 0 < missing < count:
        raise InputError(f"stream: expected {count} bytes of a frame, got {count - missing}")
    return b"".join(parts)


def _rows(body: bytes, columns: int) -> np.ndarray:
    return np.frombuffer(body, "<f4").reshape(-1, columns).astype(np.float32)


def datagrams(stamp: float, rows: np.ndarray) -> list[bytes]:
    """The messages of a cloud (N, columns), the last with fewer rows than it could take."""
    full = FULL[rows.shape[1]]
    return [packed(stamp, rows[start : start + full]) for start in range(0, len(rows) + 1, full)]


class Joined:
    """Datagrams -> frames. damaged: how many datagrams were no message, or belonged to a frame that never ended."""

    def __init__(self, columns: int) -> None:
        self._columns, self.damaged = columns, 0
        self._stamp = 0.0
        self._parts: list[np.ndarray] = []

    def take(self, datagram: bytes) -> Message | None:
        """The frame that a datagram is the last of; None for any other datagram."""
        found = self._parsed(datagram)
        if found is None:
            self.damaged += 1
            return None
        stamp, rows = found
        if self._parts and (stamp != self._stamp or len(self._parts) * FULL[self._columns] >= MOST):
            self.damaged += len(self._parts)
            self._parts = []
        self._stamp = stamp
        self._parts.append(rows)
        if len(rows) == FULL[self._columns]:
            return None
        whole, self._parts = np.concatenate(self._parts), []
        return stamp, whole

    def _parsed(self, datagram: bytes) -> Message | None:
        if len(datagram) < HEADER.size:
            return None
        stamp, count = HEADER.unpack_from(datagram)
        if count > FULL[self._columns] or len(datagram) != HEADER.size + 4 * self._columns * count:
            return None
        return stamp, _rows(datagram[HEADER.size :], self._columns)
