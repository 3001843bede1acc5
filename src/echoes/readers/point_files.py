"""Files of a point for each row, as `echoes enhance` and `echoes generate` write them, read strictly."""

import reprlib
from pathlib import Path

import numpy as np
from pypcd4 import PointCloud

from echoes.errors import InputError

SUFFIXES = (".ply", ".pcd", ".npy", ".csv", ".bin")


def points(path: Path, columns: tuple[str, ...]) -> np.ndarray:
    """(N, K) float64 in these columns, its values not yet checked.

    Raises InputError where the file has others, or is damaged.
    """
    try:
        found = _stored(path, columns)
    except Exception as error:  # of a damaged file each library raises what it likes
        told = " ".join(str(error).split())
        raise InputError(f"{path}: expected the columns {', '.join(columns)}, got {told}") from error
    if found.dtype.kind not in "iuf":
        raise InputError(f"{path}: expected numbers, got {found.dtype}")
    return found.astype(np.float64)


def _stored(path: Path, columns: tuple[str, ...]) -> np.ndarray:
    match path.suffix:
        case ".ply":
            return _ply(path.read_bytes(), columns)
        case ".pcd":
            return np.asarray(PointCloud.from_path(path).numpy(columns))
        case ".csv":
            with path.open() as file:
                if (head := file.readline().strip().split(",")) != list(columns):
                    raise ValueError(f"the columns {', '.join(head)}")
                rows = [[float(value) for value in line.split(",")] for line in file]
                return np.array(rows, np.float64).reshape(-1, len(columns))
        case ".bin":
            return np.fromfile(path, dtype="<f4").reshape(-1, len(columns))
    return np.lib.format.open_memmap(path, mode="r")  # of .npy only: np.load takes .npz and pickles too


def _ply(content: bytes, columns: tuple[str, ...]) -> np.ndarray:
    """Of a PLY as echoes writes it; meshio never ends on a header that was cut off."""
    head, _, rows = content.partition(b"end_header\n")
    lines = [line for line in head.decode("ascii").splitlines() if not line.startswith("comment")]
    vertices, properties = lines[2:3], [line.split() for line in lines[3:]]
    if lines[:2] != ["ply", "format binary_little_endian 1.0"] or not vertices[0].startswith("element vertex "):
        raise ValueError(f"the header {reprlib.repr(lines)}")
    if [(words[1][:5], words[-1]) for words in properties] != [("float", name) for name in columns]:
        raise ValueError(f"the properties {reprlib.repr(lines[3:])}")
    count = int(vertices[0].split()[-1])
    return np.frombuffer(rows, "<f4", count * len(columns)).reshape(count, len(columns))
