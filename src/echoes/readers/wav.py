"""WAV files of one channel, or of I and Q: what their header says, and their samples in units of full scale.

Who writes a WAV tells its length at the end. Where that never came, because the recorder was killed or wrote into a
pipe, the header says 0 or FFFFFFFF bytes, and the samples go on to the end of the file.
"""

import logging
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from echoes.errors import InputError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID_END = bytes.fromhex("0000 0000 1000 8000 00AA 0038 9B71")  # of the encodings that have a number
DTYPES = {(PCM, 8): "u1", (PCM, 16): "<i2", (PCM, 24): "u1", (PCM, 32): "<i4", (FLOAT, 32): "<f4", (FLOAT, 64): "<f8"}
LOUDEST = 1e6  # of full scale: a float beyond it is no sound
NO_LENGTH = 0xFFFFFFFF
WORDS = {1: "one channel", 2: "two channels, I and Q"}
LOG = logging.getLogger(__name__)


class Header(NamedTuple):
    rate_hz: int
    size: int  # number of samples of each channel
    channels: int
    encoding: tuple[int, int]  # PCM or FLOAT, bits
    place: int  # of the first sample in the file [bytes]
    unended: bool  # the header tells no length: the samples end with the file


class Chunk(NamedTuple):
    start: bytes  # the first 64 bytes at most
    size: int
    place: int
    unended: bool


def listed(path: Path, channels: int) -> Header:
    """What `header` gives; says so where the length of a file is told by nothing but its end."""
    found = header(path, channels)
    if found.unended:
        LOG.info("%s: its header tells no length, %d whole samples are read", path, found.size)
    return found


def header(path: Path, channels: int) -> Header:
    """What a file of so many channels holds; refuses what `samples` could not read whole."""
    chunks = _chunks(path)
    if "fmt " not in chunks or "data" not in chunks:
        raise InputError(f"{path}: expected a WAV file with chunks 'fmt ' and 'data', got {list(chunks)}")
    content = chunks["fmt "].start
    if len(content) < 16:
        raise InputError(f"{path}: expected a 'fmt ' chunk of 16 bytes or more, got {len(content)}")
    encoding, held, rate_hz, _, block, bits = struct.unpack("<HHIIHH", content[:16])
    if encoding == EXTENSIBLE and content[26:40] == GUID_END:
        (encoding,) = struct.unpack("<H", content[24:26])
    if (encoding, bits) not in DTYPES:
        raise InputError(f"{path}: expected PCM of 8 to 32 bits or float, got encoding {encoding} of {bits} bits")
    if held != channels:
        raise InputError(f"{path}: expected {WORDS[channels]}, got {held}")
    if not rate_hz or block * 8 != bits * channels:
        raise InputError(f"{path}: expected a rate and whole samples, got {rate_hz} Hz and blocks of {block} bytes")
    data = chunks["data"]
    if data.size < block or (data.size % block and not data.unended):
        got = f"{data.size} bytes for samples of {block}" if data.size else "none"
        raise InputError(f"{path}: expected samples, got {got}")
    return Header(rate_hz, data.size // block, channels, (encoding, bits), data.place, data.unended)


def samples(path: Path, channels: int) -> np.ndarray:
    """(N, channels) float64; full scale of the encoding is -1..1."""
    found = header(path, channels)
    return _values(path, found).reshape(-1, channels)


def _values(path: Path, found: Header) -> np.ndarray:
    """All channels of a sample, then the next one: (N * channels,) float64."""
    count = found.size * found.channels
    encoding, bits = found.encoding
    dtype = np.dtype(DTYPES[found.encoding])
    stored = np.fromfile(path, dtype, count * bits // 8 // dtype.itemsize, offset=found.place)
    if encoding == FLOAT:
        sane = np.abs(stored) <= LOUDEST
        if not sane.all():
            raise InputError(f"{path}: expected finite samples, got {stored[~sane][0]}")
        return stored.astype(np.float64)
    if bits == 8:
        return (stored.astype(np.float64) - 128) / 128
    if bits == 24:  # into the upper bytes of 32 bits, where the sign is
        wide = np.zeros((count, 4), np.uint8)
        wide[:, 1:] = stored.reshape(-1, 3)
        stored = wide.view("<i4")[:, 0]
    return stored.astype(np.float64) / -float(np.iinfo(stored.dtype).min)


def _chunks(path: Path) -> dict[str, Chunk]:
    """By name; the first of each name counts."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    length = path.stat().st_size
    found: dict[str, Chunk] = {}
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
            raise InputError(f"{path}: expected a RIFF WAVE file, got one that starts with {start[:4]!r}")
        while len(head := file.read(8)) == 8:
            name, size = head[:4].decode("latin-1"), int.from_bytes(head[4:], "little")
            at = file.tell()
            told = int.from_bytes(start[4:8], "little") + 8  # the length of the file
            unended = name == "data" and (size == NO_LENGTH or (size == 0 and told not in (length, length - 1)))
            if unended:
                size = length - at
            if name in ("fmt ", "data") and at + size > length:
                raise InputError(f"{path}: expected {size} bytes in {name!r}, got {length - at}: the file was cut off")
            found.setdefault(name, Chunk(file.read(min(size, 64)), size, at, unended))
            file.seek(at + size + size % 2)
    return found
