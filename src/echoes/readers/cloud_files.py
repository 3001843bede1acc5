"""A cloud in a file of its own -> its columns by name, as they are in the file.

    .ply   ascii, binary_little_endian or binary_big_endian; the element `vertex` first, each property a single number
    .pcd   ascii, binary or binary_compressed
    .npy   a structured array, a field per column; or (N, K) numbers
    .csv   separated by commas, semicolons (and then with 1.5 or 1,5), tabs or blanks; UTF-8 or, with its mark, UTF-16
    .las   with the extra `las`; not compressed; x, y, z in m, and the others by their names in the format
    .bin   rows of little-endian float32, as of KITTI

A plain .npy and a .bin do not name their columns, and a .csv may lack the line that does: `layout` names them then, all
of them in their order. A file that names its own takes none. PLY is read here, because meshio's reader takes bytes
without sign for such with one, and stumbles over other elements.
"""

import codecs
import re
import struct
from collections.abc import Callable, Collection, Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from pypcd4 import PointCloud

from echoes.errors import InputError, one_line
from echoes.readers import float_rows, npy

Columns = dict[str, np.ndarray]  # name -> (N,) numbers

WRITTEN = (".ply", ".pcd", ".npy", ".csv", ".bin")  # by echoes
NAMELESS = (".npy", ".bin")  # of these, those that do not tell their columns

PLY = re.compile(rb"ply\r?\n(.*?\n)end_header[ \t]*(?:\r?\n|\Z)", re.DOTALL)
PLY_ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
PLY_TYPES = (
    {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4"}
    | {"double": "f8", "float32": "f4", "float64": "f8"}
    | {f"{sign}int{8 * size}": f"{kind}{size}" for sign, kind in (("", "i"), ("u", "u")) for size in (1, 2, 4, 8)}
)
SEPARATORS = ("\t", ";", ",")
VLR_BYTES = 54  # of a variable length record of LAS without what it holds
MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
LONGEST = 300  # characters of what a library tells


def read(path: Path, layout: Sequence[str], wanted: Collection[str]) -> Columns:
    """The wanted columns of a cloud; a cloud without points may lack them.

    Raises InputError naming the file for one that is damaged, and for a column that is missing or holds no numbers.
    """
    kind, reader = FORMATS[path.suffix.lower()]
    try:
        found = reader(path, layout, wanted)
    except InputError:
        raise
    except Exception as error:  # of a damaged file each library raises what it likes
        raise InputError(f"{path}: expected {kind}, got {one_line(error)[:LONGEST]}") from error
    if missing := [name for name in wanted if name not in found]:
        if not any(len(values) for values in found.values()):
            return {name: np.zeros(0) for name in wanted}
        raise InputError(f"{path}: expected the columns {', '.join(missing)}, got {', '.join(found)}")
    for name in wanted:
        if found[name].dtype.kind not in "biuf" or found[name].ndim != 1:
            raise InputError(f"{path}: expected single numbers in the column {name}, got {found[name].dtype}")
    return {name: found[name] for name in wanted}


def points(path: Path, columns: tuple[str, ...]) -> np.ndarray:
    """(N, K) float64 in these columns of a file that echoes wrote, its values not yet checked."""
    found = read(path, columns if path.suffix in NAMELESS else (), columns)
    return np.column_stack([found[name].astype(np.float64) for name in columns])


def lines(path: Path) -> tuple[list[str], str | None]:
    """The lines of a table in a text file, without blank ones, and what separates its columns; None for blanks."""
    data = path.read_bytes()
    text = data.decode(MARKS.get(data[:2], "utf-8-sig"))
    found = [line for line in text.splitlines() if line.strip()]
    first = found[0] if found else ""
    return found, next((separator for separator in SEPARATORS if separator in first), None)


def cells(line: str, separator: str | None) -> list[str]:
    """The cells of a line, without blanks and quotes around them."""
    return [cell.strip().strip('"').strip() for cell in line.split(separator)]


def _ply(path: Path, layout: Sequence[str], wanted: Collection[str]) -> Columns:
    _check_unused(layout)
    data = path.read_bytes()
    if (header := PLY.match(data)) is None:
        raise ValueError("no lines from `ply` to `end_header`")
    form, count, point = _ply_header(header[1].decode("ascii"))
    body = memoryview(data)[header.end() :]
    least = count * (1 if form == "ascii" else point.itemsize)
    if not 0 <= least <= len(body):
        raise ValueError(f"{len(body)} bytes for {count} points")
    if count == 0:
        return _fields(np.zeros(0, point))
    if form != "ascii":
        return _fields(np.frombuffer(body[:least], point))
    rows = np.loadtxt(BytesIO(body), max_rows=count, ndmin=2)
    if len(rows) < count:
        raise ValueError(f"{len(rows)} lines for {count} points")
    return _named(rows, point.names or ())


def _ply_header(text: str) -> tuple[str, int, np.dtype]:
    """Form of the data, number of points and the layout of one."""
    words = [line.split() for line in text.splitlines()]
    words = [line for line in words if line and line[0] not in ("comment", "obj_info")]
    form = words[0][1] if words and words[0][0] == "format" and len(words[0]) == 3 else ""
    if form not in PLY_ORDERS:
        raise ValueError(f"the format {form or 'none'}")
    if len(words) < 2 or words[1][:2] != ["element", "vertex"]:
        raise ValueError("another element than `vertex` first")
    point = []
    for line in words[2:]:
        if line[0] != "property":
            break
        if len(line) != 3 or line[1] not in PLY_TYPES:
            raise ValueError(f"the property {' '.join(line[1:])}")
        point.append((line[2], PLY_ORDERS[form] + PLY_TYPES[line[1]]))
    return form, int(words[1][2]), np.dtype(point)


def _pcd(path: Path, layout: Sequence[str], wanted: Collection[str]) -> Columns:
    _check_unused(layout)
    cloud = PointCloud.from_path(path)
    points = np.atleast_1d(cloud.pc_data)
    if len(points) != cloud.metadata.points:
        raise ValueError(f"{len(points)} of {cloud.metadata.points} points")
    return _fields(points)


def _npy(path: Path, layout: Sequence[str], wanted: Collection[str]) -> Columns:
    stored = npy.opened(path)
    if not stored.dtype.names:
        return _named(stored, layout)
    _check_unused(layout)
    return _fields(stored.reshape(-1))


def _csv(path: Path, layout: Sequence[str], wanted: Collection[str]) -> Columns:
    found, separator = lines(path)
    if not found and not layout:
        raise ValueError("an empty file")
    names = list(layout) or cells(found[0].lstrip("# "), separator)
    rows = found if layout else found[1:]
    if widths := {len(line.split(separator)) for line in rows} - {len(names)}:
        raise ValueError(f"{min(widths)} columns in a line and {len(names)} names")
    chosen = [i for i, name in enumerate(names) if name in wanted]
    if len({names[i] for i in chosen}) < len(chosen):
        raise ValueError(f"a name twice in {', '.join(names)}")
    columns = {name: np.zeros(len(rows)) for name in names}
    if rows and chosen:
        if separator == ";":
            rows = [line.replace(",", ".") for line in rows]
        values = np.loadtxt(rows, delimiter=separator, comments=None, quotechar='"', usecols=chosen, ndmin=2)
        columns |= _named(values, [names[i] for i in chosen])
    return columns


def _las(path: Path, layout: Sequence[str], wanted: Collection[str]) -> Columns:
    _check_unused(layout)
    if find_spec("laspy") is None:
        raise ValueError("nothing that reads it; `pip install 'echoes[las]'` brings it")
    import laspy  # here, because it is an extra

    size = path.stat().st_size
    with path.open("rb") as file:
        begin, records = struct.unpack_from("<II", file.read(104), 96)
    if VLR_BYTES * records > begin:  # laspy would make one of each
        raise ValueError(f"{records} records in {begin} bytes")
    with laspy.open(path, read_evlrs=False) as reader:
        count, point = reader.header.point_count, reader.header.point_format
        if count * point.size > size:
            raise ValueError(f"{size} bytes for {count} points")
        points = reader.read_points(-1)
    return {name: np.array(points[name]) for name in ("x", "y", "z", *point.dimension_names)}


def _bin(path: Path, layout: Sequence[str], wanted: Collection[str]) -> Columns:
    try:
        return _named(float_rows.load(path, len(layout)), layout)
    except ValueError as error:
        raise ValueError(f"{error} and {len(layout)} names") from error


def _check_unused(layout: Sequence[str]) -> None:
    if layout:
        raise ValueError("a layout for columns that have names")


def _fields(points: np.ndarray) -> Columns:
    return {name: points[name] for name in points.dtype.names or ()}


def _named(rows: np.ndarray, names: Sequence[str]) -> Columns:
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise ValueError(f"the shape {rows.shape} and {len(names)} names")
    return {name: rows[:, i] for i, name in enumerate(names)}


UNNAMED = "whose columns `layout` names"
# What a file of each kind must be, and how it is read.
FORMATS: dict[str, tuple[str, Callable[[Path, Sequence[str], Collection[str]], Columns]]] = {
    ".ply": ("PLY that begins with its vertices", _ply),
    ".pcd": ("PCD", _pcd),
    ".npy": (f"a NumPy array with fields, or (N, K) numbers {UNNAMED}", _npy),
    ".csv": (f"a line of names and lines of numbers, or lines {UNNAMED}", _csv),
    ".las": ("LAS", _las),
    ".bin": (f"rows of float32 {UNNAMED}", _bin),
}
