"""Text tables, JSON documents and rigid transforms, read strictly: any fault names the file."""

import gzip
import io
import json
import reprlib
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from echoes.errors import InputError

NUMBER = (int, float)
FIRST_CHARACTERS = 4096  # of a table, in which blank lines, header and first row must end
FARTHEST_M = 1e9  # of a translation
MAX_CHARACTERS = 64 << 20  # of a text, which a gzip file of a few kB can claim to be
_WORDS = {list: "a list", dict: "an object", NUMBER: "a number"}


def read(path: Path, header: tuple[str, ...]) -> np.ndarray:
    """(N, len(header)) float64 rows of a table of numbers separated by blanks.

    Blank lines may come before the header. A last line without its end was cut off, and is refused.
    """
    lines = text(path).lstrip().split("\n", 1)
    _check_header(lines[0], header, path)
    body = lines[1] if len(lines) == 2 else ""
    if body and not body.endswith("\n"):
        raise InputError(f"{path}: expected a line end after the last row, got a file cut off in it")
    if not body.strip():
        return np.zeros((0, len(header)))
    try:
        rows = np.loadtxt(io.StringIO(body), ndmin=2, comments=None)
    except ValueError as error:
        raise InputError(f"{path}: expected rows of {len(header)} numbers, got: {error}") from error
    if rows.shape[1] != len(header):
        raise InputError(f"{path}: expected {len(header)} numbers per row, got {rows.shape[1]}")
    return rows


def first_row(path: Path, header: tuple[str, ...]) -> list[float]:
    """The first row of such a table, without reading the rest."""
    _check_there(path)
    try:
        with _open(path) as file:
            line, row, *_ = [*file.read(FIRST_CHARACTERS).lstrip().split("\n", 2), "", ""]
    except (EOFError, OSError, zlib.error, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    _check_header(line, header, path)
    try:
        numbers = [float(word) for word in row.split()]
    except ValueError as error:
        raise InputError(f"{path}: expected a row of numbers, got {row.strip()!r}") from error
    if len(numbers) != len(header):
        raise InputError(f"{path}: expected {len(header)} numbers in the first row, got {len(numbers)}")
    return numbers


def document(path: Path, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """A JSON object that has the named entries, each of the type given."""
    content = text(path)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, got {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object, got a {type(found).__name__}")
    for key, kind in kinds.items():
        if not isinstance(found.get(key), kind):
            raise InputError(f"{path}: expected {key} as {_WORDS[kind]}, got {reprlib.repr(found.get(key))}")
    return found


def rigid(rows: Any, origin: str) -> np.ndarray:
    """(4, 4) rotation and translation; `origin` names it in messages."""
    try:
        matrix = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{origin}: expected 4 rows of 4 numbers, got {reprlib.repr(rows)}") from error
    if matrix.shape != (4, 4) or not (np.abs(matrix) <= FARTHEST_M).all() or (matrix[3] != (0, 0, 0, 1)).any():
        raise InputError(f"{origin}: expected 4 rows of 4 numbers, the last 0 0 0 1, got {reprlib.repr(rows)}")
    rotation = matrix[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-3 or np.linalg.det(rotation) < 0:
        raise InputError(f"{origin}: expected a rotation (orthonormal, determinant 1), got {rotation.tolist()}")
    return matrix


def placed(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """(4, 4) of a rotation (3, 3) and a translation (3,)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, translation
    return matrix


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: no such file")


def _open(path: Path) -> io.TextIOWrapper:
    packed = path.suffix == ".gz"
    return io.TextIOWrapper(gzip.open(path) if packed else path.open("rb"), encoding="utf-8")


def text(path: Path) -> str:
    """The content of a text file, or of a gzip file of text."""
    _check_there(path)
    try:
        with _open(path) as file:
            found = file.read(MAX_CHARACTERS)
            longer = bool(file.read(1))
    except (EOFError, OSError, zlib.error, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    if longer:
        raise InputError(f"{path}: expected a text of at most {MAX_CHARACTERS >> 20} MiB, got more")
    return found


def _unreadable(path: Path, error: Exception) -> InputError:
    kind = "gzip-compressed text" if path.suffix == ".gz" else "text"
    return InputError(f"{path}: expected {kind}, got: {error}")


def _check_header(line: str, header: tuple[str, ...], path: Path) -> None:
    if tuple(line.split()) != header:
        raise InputError(f"{path}: expected the header {' '.join(header)}, got {line.strip()[:80]!r}")
