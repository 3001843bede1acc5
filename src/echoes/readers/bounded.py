"""Files and compressed streams of strangers: no size that they tell is believed before the bytes are there."""

import sys
from bz2 import BZ2Decompressor
from collections.abc import Callable
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from lz4.frame import LZ4FrameDecompressor

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError
else:
    from backports.zstd import ZstdDecompressor, ZstdError

PACKED = 1000  # bytes that a byte of a compressed chunk may hold
DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "bz2": BZ2Decompressor,
    "lz4": LZ4FrameDecompressor,
    "zstd": ZstdDecompressor,
}
DAMAGE = (OSError, ValueError, RuntimeError, EOFError, ZstdError)  # what they raise


class File(BufferedReader):
    """A file that never makes room for more than is left in it."""

    def __init__(self, path: Path) -> None:
        super().__init__(FileIO(path))
        self.size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self.size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def unpacked(form: str, size: int, raw: bytes) -> bytes:
    """Exactly `size` bytes; the decompressor makes no more, whatever the stream holds. Raises one of DAMAGE."""
    if size > PACKED * len(raw):
        raise ValueError(f"A chunk says it holds {size} bytes in {len(raw)}.")
    found: bytes = DECOMPRESSORS[form]().decompress(raw, max_length=size + 1)
    if len(found) != size:
        raise ValueError(f"A chunk says it holds {size} bytes, got {'more' if len(found) > size else len(found)}.")
    return found


def whole(raw: bytes) -> bytes:
    """What a stream of zstd holds that does not tell its size. Raises one of DAMAGE."""
    decompressor = ZstdDecompressor()
    found: bytes = decompressor.decompress(raw, max_length=PACKED * len(raw))
    if not decompressor.eof:
        raise ValueError(f"A message of {len(raw)} bytes is cut off, or holds more than {PACKED} times as many.")
    return found
