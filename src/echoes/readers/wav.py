"""WAV files of one channel: what their header says, and their samples in units of full scale."""

import struct
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import wavfile

from echoes.errors import InputError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID_END = bytes.fromhex("0000 0000 1000 8000 00AA 0038 9B71")  # of the encodings that have a number
ENCODINGS = {(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)}


class Header(NamedTuple):
    rate_hz: int
    size: int  # number of samples


def header(path: Path) -> Header:
    """Rate and number of samples; refuses what `samples` could not read whole."""
    chunks = _chunks(path)
    if "fmt " not in chunks or "data" not in chunks:
        raise InputError(f"{path}: expected a WAV file with chunks 'fmt ' and 'data', got {list(chunks)}")
    content, _ = chunks["fmt "]
    if len(content) < 16:
        raise InputError(f"{path}: expected a 'fmt ' chunk of 16 bytes or more, got {len(content)}")
    encoding, channels, rate_hz, _, block, bits = struct.unpack("<HHIIHH", content[:16])
    if encoding == EXTENSIBLE and content[26:40] == GUID_END:
        (encoding,) = struct.unpack("<H", content[24:26])
    if (encoding, bits) not in ENCODINGS:
        raise InputError(f"{path}: expected PCM of 8 to 32 bits or float, got encoding {encoding} of {bits} bits")
    if channels != 1:
        raise InputError(f"{path}: expected one channel, got {channels}")
    if not rate_hz or block * 8 != bits:
        raise InputError(f"{path}: expected a rate and whole samples, got {rate_hz} Hz and blocks of {block} bytes")
    _, size = chunks["data"]
    if size < block:
        raise InputError(f"{path}: expected samples, got none")
    return Header(rate_hz, size // block)


def samples(path: Path) -> np.ndarray:
    """(N,) float64; full scale of the encoding is -1..1."""
    header(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks of text, which are none of our business
        try:
            _, found = wavfile.read(path)
        except (ValueError, struct.error) as error:
            raise InputError(f"{path}: expected a WAV file, got: {' '.join(str(error).split())}") from error
    if found.dtype.kind == "f":
        if not np.isfinite(found).all():
            raise InputError(f"{path}: expected finite samples, got {found[~np.isfinite(found)][0]}")
        return found.astype(np.float64)
    if found.dtype == np.uint8:
        return (found.astype(np.float64) - 128) / 128
    return found.astype(np.float64) / -float(np.iinfo(found.dtype).min)  # 24 bits come as the upper bits of 32


def _chunks(path: Path) -> dict[str, tuple[bytes, int]]:
    """Name of a chunk -> its first bytes and its size; the first of each name counts."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    length = path.stat().st_size
    found: dict[str, tuple[bytes, int]] = {}
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
            raise InputError(f"{path}: expected a RIFF WAVE file, got one that starts with {start[:4]!r}")
        while len(head := file.read(8)) == 8:
            name, size = head[:4].decode("latin-1"), int.from_bytes(head[4:], "little")
            at = file.tell()
            if name in ("fmt ", "data") and at + size > length:
                raise InputError(f"{path}: expected {size} bytes in {name!r}, got {length - at}: the file was cut off")
            found.setdefault(name, (file.read(min(size, 64)), size))
            file.seek(at + size + size % 2)
    return found
