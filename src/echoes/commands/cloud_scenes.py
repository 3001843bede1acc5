"""The clouds that `echoes enhance` wrote, to look at."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from echoes.commands.outputs import INDEX
from echoes.commands.shows import Show, of_space
from echoes.dataset.frames import evenly_spaced
from echoes.errors import InputError
from echoes.models.radar.clouds import POINT_COLUMNS
from echoes.readers import cloud_files
from echoes.readers.frames import check_points
from echoes.reports.scenes import Layer, Scene

SPREAD = "spread"  # the column of several samples
HEAD = 4096  # bytes in which a file tells its columns
POINT_M = 0.3  # the width of a point


@dataclass(frozen=True)
class Listed:
    """A line of the index: a cloud."""

    file: str
    sequence: str
    stamp_s: str
    points: int


def show(folder: Path, most: int) -> Show:
    """At most `most` of the clouds, evenly spread; raises InputError where `folder` is none that enhance wrote."""
    rows = listed(folder)
    chosen = [rows[i] for i in evenly_spaced(np.arange(len(rows)), most)]

    def scenes() -> Iterator[Scene]:
        for row in chosen:
            columns, points = cloud(folder / row.file, row.points)
            values = {name: points[:, columns.index(name)] for name in columns[3:]}
            yield Scene(f"{row.file}, {row.sequence} at {row.stamp_s} s", [Layer("cloud", points[:, :3], values)])

    first = cloud(folder / chosen[0].file, chosen[0].points)[1][:, :3]
    low, high = np.quantile(first, (0.01, 0.99), axis=0) if len(first) else (np.zeros(3), np.full(3, 50.0))
    return Show(f"{folder.name}: clouds", of_space(low, high, POINT_M), scenes(), len(chosen), len(rows), [])


def listed(folder: Path) -> list[Listed]:
    """The clouds of the index in its order, without frames that were skipped."""
    path = folder / INDEX
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a folder that echoes enhance wrote")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file, delimiter="\t"))
        made = [row for row in table if row["file"]]
        rows = [Listed(row["file"], row["sequence"], row["stamp_s"], int(row["points"])) for row in made]
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path}: expected the index that echoes enhance writes, got {error!r}") from error
    for row in rows:
        if Path(row.file).name != row.file or Path(row.file).suffix not in cloud_files.WRITTEN:
            raise InputError(f"{path}: expected names of clouds in the folder, got {row.file!r}")
    if not rows:
        raise InputError(f"{path}: expected clouds, got none")
    return rows


def cloud(path: Path, count: int) -> tuple[tuple[str, ...], np.ndarray]:
    """The columns and (count, K) points of a cloud; raises InputError where the file holds anything else."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    columns = (*POINT_COLUMNS, SPREAD) if _spread(path, count) else POINT_COLUMNS
    points = check_points(cloud_files.points(path, columns), columns, path)
    if len(points) != count:
        raise InputError(f"{path}: expected {count} points, got {len(points)}")
    return columns, points


def _spread(path: Path, count: int) -> bool:
    """Whether a cloud has the column of several samples, by what its format tells of itself."""
    if path.suffix == ".bin":
        return path.stat().st_size == 4 * count * (len(POINT_COLUMNS) + 1) > 0
    with path.open("rb") as file:
        head = file.read(HEAD)
    mark = f", {len(POINT_COLUMNS) + 1})" if path.suffix == ".npy" else SPREAD
    return mark.encode() in head
