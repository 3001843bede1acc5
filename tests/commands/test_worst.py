"""The worst frames of each method, by how much farther from the target it is than what goes in."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

import artifacts
from echoes.cli import app

# Chamfer distances [m] by frame: of the radar, and of two methods.
POINTS = {3: (1.0, 2.0, 0.5), 7: (2.0, 1.0, 3.0), 11: (0.5, 1.5, 0.5)}


@pytest.fixture
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A track of clouds with the table that evaluate writes, in which cells say the opposite of points."""
    monkeypatch.chdir(tmp_path)
    artifacts.write_grids(Path("data", "mine", "grids.zarr"))
    path = Path("metrics", "mine", "plots", "evaluate", "frames.csv")
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["frame", "stretch", "protocol", "method", "iou_3d", "chamfer_m"])
        for i, method in enumerate(("radar", "fused", "cd_1")):
            for frame, distances in POINTS.items():
                table.writerow([frame, 0, "cells", method, 0.1, 1 / distances[i]])
            for frame, distances in POINTS.items():
                table.writerow([frame, 0, "points", method, "", distances[i]])
    return path


def rows(count: int) -> list[list[str]]:
    result = CliRunner().invoke(app, ["results", "--worst", str(count)])
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.stdout.splitlines()[3:]]


def test_the_worst_frames_of_each_method_come_first_with_what_they_are_of(evaluated: Path) -> None:
    assert rows(2) == [
        ["fused", "11", "street-2", "0.10", "0.50", "1.50", "3.00"],
        ["fused", "3", "street-0", "0.30", "1.00", "2.00", "2.00"],
        ["cd_1", "7", "street-1", "0.20", "2.00", "3.00", "1.50"],
        ["cd_1", "11", "street-2", "0.10", "0.50", "0.50", "1.00"],
    ]
    assert len(rows(9)) == 2 * len(POINTS)


def test_where_nothing_was_evaluated_it_is_told_in_one_line(evaluated: Path) -> None:
    evaluated.unlink()
    result = CliRunner().invoke(app, ["results", "--worst", "2"])
    assert result.exit_code == 2
    assert result.stderr.startswith("echoes: metrics: expected <track>/plots/evaluate/frames.csv, ")
