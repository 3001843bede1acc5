"""A cloud with its columns -> a file that other programs open."""

from io import BytesIO
from pathlib import Path

import meshio
import numpy as np
from pypcd4 import Encoding, PointCloud

Columns = tuple[str, ...]  # x, y, z first


def write_ply(cloud: np.ndarray, path: Path, columns: Columns) -> None:
    """cloud (M, columns) float32 -> binary PLY, a property per column."""
    buffer = BytesIO()
    values = dict(zip(columns[3:], cloud[:, 3:].T, strict=True))
    meshio.write_points_cells(buffer, cloud[:, :3], [], point_data=values, file_format="ply", binary=True)
    header, end, vertices = buffer.getvalue().partition(b"end_header\n")
    # meshio's comment holds the time of day, and the same cloud must give the same bytes
    lines = [line for line in header.splitlines(keepends=True) if not line.startswith(b"comment")]
    path.write_bytes(b"".join(lines) + end + vertices)


def write_pcd(cloud: np.ndarray, path: Path, columns: Columns) -> None:
    """cloud (M, columns) float32 -> binary PCD, a field per column."""
    PointCloud.from_points(cloud, columns, (np.float32,) * len(columns)).save(path, encoding=Encoding.BINARY)


def write_npy(cloud: np.ndarray, path: Path, columns: Columns) -> None:
    """cloud (M, columns) float32 -> NumPy array."""
    np.save(path, cloud)


def write_csv(cloud: np.ndarray, path: Path, columns: Columns) -> None:
    """cloud (M, columns) float32 -> text with a header, in the fewest digits that give the same float32 back."""
    np.savetxt(path, cloud.astype(str), fmt="%s", delimiter=",", header=",".join(columns), comments="")


WRITERS = {"ply": write_ply, "pcd": write_pcd, "npy": write_npy, "csv": write_csv}
