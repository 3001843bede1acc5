"""A cloud, (M,) with float32 fields of which x, y, z are the first -> a file that other programs open."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import meshio
import numpy as np
from pypcd4 import Encoding, PointCloud

from echoes.inference.columns import names, rows


def write_ply(cloud: np.ndarray, path: Path) -> None:
    """Binary PLY, a property per field."""
    buffer = BytesIO()
    values = {name: np.ascontiguousarray(cloud[name]) for name in names(cloud)[3:]}
    meshio.write_points_cells(buffer, rows(cloud)[:, :3], [], point_data=values, file_format="ply", binary=True)
    header, end, vertices = buffer.getvalue().partition(b"end_header\n")
    # meshio's comment holds the time of day, and the same cloud must give the same bytes
    lines = [line for line in header.splitlines(keepends=True) if not line.startswith(b"comment")]
    path.write_bytes(b"".join(lines) + end + vertices)


def write_pcd(cloud: np.ndarray, path: Path) -> None:
    """Binary PCD with the same fields."""
    fields = names(cloud)
    PointCloud.from_points(rows(cloud), fields, (np.float32,) * len(fields)).save(path, encoding=Encoding.BINARY)


def write_npy(cloud: np.ndarray, path: Path) -> None:
    """NumPy array (M, fields) float32."""
    np.save(path, rows(cloud))


def write_csv(cloud: np.ndarray, path: Path) -> None:
    """Text with a header, in the fewest digits that give the same float32 back."""
    np.savetxt(path, rows(cloud).astype(str), fmt="%s", delimiter=",", header=",".join(names(cloud)), comments="")


def write_bin(cloud: np.ndarray, path: Path) -> None:
    """Rows of little-endian float32 and nothing else, as of KITTI."""
    path.write_bytes(rows(cloud).astype("<f4").tobytes())


def annotate(path: Path, notes: Sequence[str]) -> None:
    """Put comments of one line each, in ASCII, into the header of a PLY or a PCD; others have no place for them."""
    if path.suffix not in COMMENTS:
        return
    before, mark = COMMENTS[path.suffix]
    *first, rest = path.read_bytes().split(b"\n", before)
    path.write_bytes(b"\n".join([*first, *(mark + note.encode("ascii") for note in notes), rest]))


COMMENTS = {".ply": (2, b"comment "), ".pcd": (0, b"# ")}  # lines that come before comments, and what begins one
WRITERS = {"ply": write_ply, "pcd": write_pcd, "npy": write_npy, "csv": write_csv, "bin": write_bin}
