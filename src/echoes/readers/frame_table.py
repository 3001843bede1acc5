"""A table that tells of each file of a recording when it was measured, and perhaps how the radar moved.

    file                             path in the folder of the recording; a row without one is passed over
    stamp_s                          [s]
    vx, vy, vz                       of the radar over ground, along the axes of its files [m/s]; optional
    tx, ty, tz, qx, qy, qz, qw       pose, radar -> world, likewise [m], and a unit quaternion (as of TUM); optional

Text as of cloud_files; other columns are passed over, and a row may leave velocity and pose empty. What
`echoes enhance` writes beside its clouds, frames.tsv, is such a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from scipy.spatial.transform import Rotation

from echoes.errors import InputError
from echoes.readers import cloud_files
from echoes.readers.frames import MAX_VALUE
from echoes.readers.splits import LATEST_S
from echoes.readers.tables import placed

FILE, STAMP = "file", "stamp_s"
VELOCITY = ("vx", "vy", "vz")
POSE = ("tx", "ty", "tz", "qx", "qy", "qz", "qw")


@dataclass(frozen=True)
class Row:
    """number: of the row; velocity (3,) and pose (4, 4) as they were told, None where they were not."""

    number: int
    stamp_s: float
    velocity: np.ndarray | None
    pose: np.ndarray | None


def load(path: Path) -> Mapping[str, Row]:
    """File -> its row, in the order of the table; raises InputError naming the file and the line."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a table with the columns {FILE} and {STAMP}")
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _load(path: Path, modified_ns: int) -> Mapping[str, Row]:
    """Once for all frames of a recording."""
    try:
        lines, separator = cloud_files.lines(path)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path}: expected a table of text, got {error}") from error
    names = cloud_files.cells(lines[0].lstrip("# "), separator) if lines else []
    _check_names(names, path)
    found: dict[str, Row] = {}
    for number, line in enumerate(lines[1:], start=2):
        cells = cloud_files.cells(line, separator)
        if len(cells) != len(names):
            raise InputError(f"{path}: expected {len(names)} columns in row {number}, got {len(cells)}")
        comma = separator == ";"  # which is also that of 1,5
        told = {
            name: cell.replace(",", ".") if comma and name != FILE else cell
            for name, cell in zip(names, cells, strict=True)
        }
        if not told[FILE]:
            continue
        name = PurePosixPath(told[FILE]).as_posix()
        if name in found:
            raise InputError(f"{path}: expected a row for each file, got {name} twice")
        found[name] = _row(number, told, f"{path}: row {number}")
    return found


def _check_names(names: Sequence[str], path: Path) -> None:
    optional = [group for group in (VELOCITY, POSE) if set(group) & set(names)]
    needed = [FILE, STAMP, *(name for group in optional for name in group)]
    if len(set(names)) < len(names) or not set(needed) <= set(names):
        got = ", ".join(names) or "none"
        raise InputError(f"{path}: expected the columns {', '.join(needed)}, each once, got {got}")


def _row(number: int, told: Mapping[str, str], origin: str) -> Row:
    (stamp_s,) = _numbers(told, (STAMP,), origin)
    velocity = _numbers(told, VELOCITY, origin) if told.get(VELOCITY[0]) else None
    return Row(number, float(stamp_s), velocity, _pose(told, origin) if told.get(POSE[0]) else None)


def _pose(told: Mapping[str, str], origin: str) -> np.ndarray:
    numbers = _numbers(told, POSE, origin)
    if abs(np.linalg.norm(numbers[3:]) - 1) > 1e-2:
        raise InputError(f"{origin}: expected a unit quaternion qx, qy, qz, qw, got {numbers[3:].tolist()}")
    return placed(Rotation.from_quat(numbers[3:]).as_matrix(), numbers[:3])


def _numbers(told: Mapping[str, str], names: Sequence[str], origin: str) -> np.ndarray:
    cells = [told[name] for name in names]
    try:
        numbers = np.array([float(cell) for cell in cells])
    except ValueError as error:
        raise InputError(f"{origin}: expected numbers for {', '.join(names)}, got {', '.join(cells)}") from error
    if not (np.abs(numbers) <= (LATEST_S if names == (STAMP,) else MAX_VALUE)).all():
        raise InputError(f"{origin}: expected finite numbers for {', '.join(names)}, got {', '.join(cells)}")
    return numbers
