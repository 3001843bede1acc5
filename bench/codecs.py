"""Size and time of codecs on the arrays of artifacts, such as grids.zarr.

    python bench/codecs.py data/radar/grids.zarr [OTHERS]

Each codec takes the first megabytes of each array in the chunks that `arrays` cuts it into. Printed are the share of
the bytes that is left, and milliseconds per megabyte (median of RUNS), to write and to read.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import machine
import numpy as np
import zarr
from numcodecs import Blosc

from echoes.arrays import CHUNK_BYTES

RUNS = 3
MOST, LEAST = 2 << 20, 1 << 16  # bytes of an array that are taken, and below which it is left out
SHUFFLES = {"none": Blosc.NOSHUFFLE, "bytes": Blosc.SHUFFLE, "bits": Blosc.BITSHUFFLE}
CODECS = [
    ("zstd", 3, "bytes"),  # ours
    ("zstd", 1, "bytes"),
    ("zstd", 3, "bits"),
    ("zstd", 3, "none"),
    ("lz4", 5, "bytes"),
    ("lz4", 5, "bits"),
]


def arrays(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The beginning of each array of an artifact that has enough."""
    for name, array in zarr.open_group(path, mode="r").arrays():
        row = max(1, array.nbytes // max(1, array.shape[0]))
        if array.nbytes >= LEAST:
            yield name, np.asarray(array[: max(1, MOST // row)])


def chunks(array: np.ndarray) -> list[bytes]:
    raw = array.tobytes()
    return [raw[start : start + CHUNK_BYTES] for start in range(0, len(raw), CHUNK_BYTES)]


def measured(codec: Blosc, pieces: list[bytes]) -> tuple[float, float, float]:
    """Share of the bytes left, and milliseconds per megabyte to encode and to decode."""
    writing, reading, packed = [], [], [bytes(codec.encode(piece)) for piece in pieces]
    for _ in range(RUNS):
        start = perf_counter()
        for piece in pieces:
            codec.encode(piece)
        middle = perf_counter()
        for piece in packed:
            codec.decode(piece)
        writing.append(middle - start)
        reading.append(perf_counter() - middle)
    size = sum(map(len, pieces))
    per_megabyte = 1000 / (size / (1 << 20))
    return sum(map(len, packed)) / size, median(writing) * per_megabyte, median(reading) * per_megabyte


def main(*paths: str) -> None:
    machine.tell()
    for path in map(Path, paths):
        for name, array in arrays(path):
            print(f"\n{path.name}/{name}, {array.dtype}, {array.nbytes / (1 << 20):.1f} MiB")
            for cname, level, shuffle in CODECS:
                codec = Blosc(cname, level, SHUFFLES[shuffle], typesize=array.itemsize)
                left, written, read = measured(codec, chunks(array))
                print(f"  {cname:<5} {level}  {shuffle:<6} {left:6.1%}  {written:6.2f}  {read:6.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
