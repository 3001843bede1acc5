"""The folder that enhance writes: a cloud per frame and their index."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from echoes import files
from echoes.inference.pointclouds import WRITERS
from echoes.readers.frames import Entry

Format = Literal["ply", "pcd", "npy", "csv", "bin"]

INDEX = "frames.tsv"


@dataclass(frozen=True)
class Row:
    """A frame in the index of the clouds: file is empty and points 0 where the frame was skipped.

    ego_velocity (3,) is what was taken out of the Doppler [m/s], in the radar's frame; NaN for nothing.
    """

    file: str
    entry: Entry
    points: int
    ego_velocity: np.ndarray


def written(
    cloud: np.ndarray | None,
    folder: Path,
    entry: Entry,
    number: int,
    form: Format,
    velocity: np.ndarray,
) -> Row:
    """Write a cloud under the name of its sequence and the number of its frame in the recording."""
    if cloud is None:
        return Row("", entry, 0, velocity)
    name = f"{files.safe_name(entry.sequence.replace('/', '-'))}_{number:06d}.{form}"
    WRITERS[form](cloud, folder / name)
    return Row(name, entry, len(cloud), velocity)


def write_index(rows: Sequence[Row], path: Path) -> None:
    """A line per frame of the recording, skipped ones too."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["file", "sequence", "stamp_s", "points", "ego_x_mps", "ego_y_mps", "ego_z_mps"])
        for row in rows:
            velocity = ["" if np.isnan(v) else f"{v:.4f}" for v in row.ego_velocity]
            table.writerow([row.file, row.entry.sequence, f"{row.entry.stamp:.6f}", row.points, *velocity])
