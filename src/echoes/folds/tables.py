"""frames.csv, which evaluate writes: a row for each frame, protocol and method."""

import csv
import math
from pathlib import Path

from echoes.errors import InputError
from echoes.folds.summary import Measured

PLACE = Path("plots", "evaluate", "frames.csv")  # among the metrics of a track
NAMES = ("frame", "stretch", "protocol", "method")


def read(path: Path, fold: int) -> list[Measured]:
    """The rows of a fold; an empty field is a value that the frame does not have. Raises InputError for others."""
    try:
        with path.open(newline="") as file:
            table = csv.DictReader(file, strict=True)
            names, rows = list(table.fieldnames or ()), list(table)
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: expected a table, got {error}") from error
    if missing := [name for name in NAMES if name not in names]:
        raise InputError(f"{path}: expected the columns {', '.join(NAMES)}, got no {', '.join(missing)}")
    if not rows:
        raise InputError(f"{path}: expected frames, got none")
    keys = [name for name in names if name not in NAMES]
    return [
        Measured(
            fold,
            row["frame"],
            row["stretch"],
            row["protocol"],
            row["method"],
            {key: _number(row[key], f"{path}:{line}: {key}") for key in keys if row[key] not in ("", None)},
        )
        for line, row in enumerate(rows, start=2)
    ]


def _number(text: str, place: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise InputError(f"{place}: expected a number, got {text!r}") from error
    if not math.isfinite(number):
        raise InputError(f"{place}: expected a finite number, got {text}")
    return number
