"""Training curves: a CSV for `dvc plots`, one row per interval of the training."""

import csv
from pathlib import Path
from types import TracebackType

import numpy as np

from echoes import files
from echoes.errors import InputError

ROWS = 200  # at most, whatever the number of steps: enough to see, small in a diff


class Curve:
    """Averages what is added over intervals of the training, and writes them when the training ends."""

    def __init__(self, path: Path, steps: int) -> None:
        self._path, self._steps, self._every = path, steps, max(1, steps // ROWS)
        self._rows: list[dict[str, float]] = []
        self._pending: list[dict[str, float]] = []

    def add(self, step: int, **values: float) -> None:
        self._pending.append(values)
        if (step + 1) % self._every == 0 or step + 1 == self._steps:
            means = {name: sum(v[name] for v in self._pending) / len(self._pending) for name in values}
            self._rows.append({"step": step + 1, **means})
            self._pending = []

    def last(self, name: str) -> float:
        """The mean over the last tenth of the training."""
        tail = self._rows[-max(1, len(self._rows) // 10) :]
        return sum(row[name] for row in tail) / len(tail)

    def __enter__(self) -> "Curve":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return  # a run that failed leaves no curve that looks whole
        with files.replacing(self._path) as temporary, temporary.open("w", newline="") as file:
            table = csv.DictWriter(file, list(self._rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in self._rows)


def read(path: Path) -> dict[str, np.ndarray]:
    """Column name -> (N,) float64 of a file that a Curve wrote."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    try:
        values = np.array(rows[1:], dtype=np.float64).reshape(len(rows) - 1, len(rows[0]))
    except (ValueError, IndexError) as error:
        raise InputError(f"{path}: expected a row of names and rows of as many numbers, got {error}") from error
    return dict(zip(rows[0], values.T, strict=True))
