"""A place in the bytes of a ROS message, in either form: of ROS 1, and of ROS 2, which is CDR (OMG DDS-XTypes 7.4.1).

ROS 1 writes values without padding, little-endian; a list and a text begin with their length, a header with its number.
CDR says its byte order in front, pads each number to a multiple of its own size, ends a text with a zero byte, and its
headers have no number. A size found in a message is compared with the bytes that are left before anything of that size
is made.
"""

import struct
from collections.abc import Sequence
from typing import Literal

import numpy as np

from echoes.errors import InputError

Order = Literal["<", ">"]
Leaves = Sequence[tuple[str, str]]  # of a structure: the name of each number, and what numpy calls its kind
ENCAPSULATION: dict[bytes, Order] = {b"\x00\x00": ">", b"\x00\x01": "<"}  # what CDR begins with -> its byte order


class Cursor:
    """A place in the bytes of a message of ROS 1; `origin` names the message in errors."""

    order: Order = "<"
    widest = 1  # bytes: no number begins at a multiple of more

    def __init__(self, raw: bytes, origin: str) -> None:
        self.raw, self.origin, self.place = raw, origin, 0

    def left(self) -> int:
        return len(self.raw) - self.place

    def take(self, size: int) -> bytes:
        if size > self.left():
            raise InputError(f"{self.origin}: expected {size} more bytes of the message, got {max(0, self.left())}")
        self.place += size
        return self.raw[self.place - size : self.place]

    def number(self, code: str) -> int:
        """Of a code of `struct`."""
        size = struct.calcsize(code)
        self._align(size)
        return int(struct.unpack(self.order + code, self.take(size))[0])

    def text(self) -> str:
        return self.take(self.number("I")).decode("utf-8", "replace").rstrip("\0")

    def values(self, dtype: np.dtype, count: int) -> np.ndarray:
        """(count, ...) numbers one behind the other."""
        if count:
            self._align(dtype.base.itemsize)
        return np.frombuffer(self.take(count * dtype.itemsize), dtype.newbyteorder(self.order))

    def array(self, dtype: np.dtype) -> np.ndarray:
        """A list: its length, then its elements."""
        return self.values(dtype, self.number("I"))

    def stamp_ns(self) -> int:
        """The stamp of the header that begins here [ns]."""
        _, seconds, nanoseconds = struct.unpack("<III", self.take(12))
        return int(seconds) * 10**9 + int(nanoseconds)

    def header(self) -> int:
        """The stamp [ns] of the header; behind it stands the message."""
        stamp_ns = self.stamp_ns()
        self.text()
        return stamp_ns

    def table(self, leaves: Leaves, count: int) -> dict[str, np.ndarray]:
        """(count,) a column for each number of `count` structures one behind the other."""
        least = sum(np.dtype(code).itemsize for _, code in leaves)
        if not least or count * least > self.left():
            wanted = f"{count} structures of {least or 'some'} bytes"
            raise InputError(f"{self.origin}: expected {wanted}, got {max(0, self.left())} bytes of the message")
        return self._columns(leaves, count)

    def _columns(self, leaves: Leaves, count: int) -> dict[str, np.ndarray]:
        rows = self.values(np.dtype([(name, code) for name, code in leaves]), count)
        return {name: rows[name] for name, _ in leaves}

    def _align(self, size: int) -> None:
        """To the place where a number of that size begins."""


class Cdr(Cursor):
    """A place in the bytes of a message of ROS 2; places count from behind the four bytes that say the byte order."""

    widest = 8

    def __init__(self, raw: bytes, origin: str) -> None:
        super().__init__(raw[4:], origin)
        if len(raw) < 4 or raw[:2] not in ENCAPSULATION:
            raise InputError(f"{origin}: expected a message in CDR, which begins with 00 00 or 00 01, got {raw[:4]!r}")
        self.order = ENCAPSULATION[raw[:2]]

    def stamp_ns(self) -> int:
        seconds, nanoseconds = struct.unpack(f"{self.order}iI", self.take(8))
        return int(seconds) * 10**9 + int(nanoseconds)

    def _align(self, size: int) -> None:
        self.place += -self.place % size

    def _columns(self, leaves: Leaves, count: int) -> dict[str, np.ndarray]:
        """The padding inside of a structure depends on where it begins, so every one is asked for its place."""
        kinds = [np.dtype(self.order + code) for _, code in leaves]
        layouts = [_layout([kind.itemsize for kind in kinds], phase) for phase in range(self.widest)]
        starts = np.zeros(count, np.int64)
        place = self.place
        for i in range(count):
            starts[i] = place
            place += layouts[place % self.widest][-1]
        raw = np.frombuffer(self.take(place - self.place), np.uint8)
        places = starts[:, None] + np.array(layouts)[starts % self.widest, :-1] - (place - len(raw))
        return {
            name: raw[places[:, i, None] + np.arange(kind.itemsize)].reshape(-1).view(kind)
            for i, ((name, _), kind) in enumerate(zip(leaves, kinds, strict=True))
        }


def _layout(sizes: Sequence[int], phase: int) -> list[int]:
    """Where each number of a structure begins that itself begins at `phase`, and last where the structure ends."""
    offsets, end = [], phase
    for size in sizes:
        begin = end + -end % size
        offsets.append(begin - phase)
        end = begin + size
    return [*offsets, end - phase]
