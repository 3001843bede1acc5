"""Command report: one page of a track, whatever of it was made so far."""

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.reports.test_scenes import parsed
from typer.testing import CliRunner, Result

import artifacts
from echoes import imports, metrics
from echoes.cli import app
from echoes.reports import curves

BLOCK = {"chamfer_m": 0.5, "chamfer_m_lo": 0.25, "chamfer_m_hi": 0.75, "points_f1_ratio": 1.5}


def run(track: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["report", "--track", track, *arguments])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(imports.ROOT / "params.yaml", tmp_path / "params.yaml")
    return tmp_path


def write_table(path: Path, rows: list[list[object]], delimiter: str = "\t") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


@pytest.fixture
def evaluated(project: Path) -> Path:
    """The track `astyx` with grids, an evaluation, a picture of it, a training and the numbers of its frames."""
    grids = artifacts.write_grids(project / "data" / "astyx" / "grids.zarr")
    folder = project / "metrics" / "astyx"
    metrics.write(folder / "evaluate.json", {"<radar>": BLOCK, "fused": BLOCK, "frames": 4})
    metrics.write(folder / "train_vae.json", {"loss": 0.8, "peak_memory_mb": 512.0})
    live = folder / "live" / "train_vae" / "plots"
    write_table(live / "metrics" / "loss.tsv", [["step", "loss"], [10, 4.0], [20, 2.0], [30, ""], [40, 1.0]])
    write_table(live / "metrics" / "seconds.tsv", [["step", "seconds"], [20, 5.5], [40, 11.25]])
    frames = [["frame", "stretch", "protocol", "method", "chamfer_m"]]
    frames += [[int(f), 0, "points", m, 1.0 + i + f] for i, m in enumerate(("radar", "fused")) for f in (10, 12)]
    write_table(folder / "plots" / "evaluate" / "frames.csv", frames, ",")
    (live / "images" / "samples").mkdir(parents=True)
    for path in (folder / "plots" / "evaluate" / "bird.png", *(live / "images/samples" / f"{n}.png" for n in (9, 40))):
        Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(path)
    assert len(grids) == 14
    return project


def test_a_report_is_one_page_with_all_that_was_made(evaluated):
    result = run("astyx", "page.html")
    assert result.exit_code == 0, result.output
    text, found = Path("page.html").read_text(), parsed(Path("page.html"))
    assert not re.search(r"https?:|url\(|@import|<script", text)
    assert all(value.startswith("data:image/png;base64,") for name, value in found.attributes if name == "src")
    assert text.count("data:image/png") == 2  # of evaluate, and the last one of the training
    assert 'alt="train_vae after 40 steps"' in text
    assert '<th scope="row">&lt;radar&gt;</th><td>0.500<small>[0.250, 0.750]</small></td><td>1.50<small>' in text
    assert "<td>street-2</td><td>0.20</td><td>13.00</td><td>14.00</td><td>1.08</td>" in text  # the worst of fused
    assert '<th scope="row">source.reader</th><td>simulated</td><td>astyx</td>' in text
    assert re.search(r'aria-label="loss: 4 to 1 after 40 steps"', text)
    assert "<td>seconds</td><td>11.2</td>" in text
    assert re.search(r'<th scope="row">grids</th><td>[0-9a-f]{12}</td><td>raw r</td>', text)
    assert "not there yet" not in result.stdout
    again = Path("page.html").read_bytes()
    assert run("astyx", "page.html", "--overwrite").exit_code == 0
    assert Path("page.html").read_bytes() == again


def test_a_track_of_which_nothing_was_made_has_its_parameters_and_a_line_of_what_is_missing(project):
    result = run("microdoppler", "page.html")
    assert result.exit_code == 0, result.output
    told = "not there yet: results, pictures, trainings, provenance, sizes and seconds; `dvc repro evaluate@"
    assert told in result.stdout
    text = Path("page.html").read_text()
    assert told in text
    assert "microdoppler is the default track of its family." in text
    assert "microdoppler.source" not in text
    assert '<th scope="row">source.reader</th><td>simulated_people</td>' in text
    parsed(Path("page.html"))


def test_what_has_no_effect_is_no_difference(project):
    run("vod", "page.html")
    different = Path("page.html").read_text().split("<details>")[0]
    assert "source.reader" in different
    assert "architecture.vq.codes" not in different


def test_what_cannot_be_reported_is_told_in_one_line(project):
    Path("page.html").touch()
    for track, output, told in (
        ("nine", "other.html", "--track: expected a track of params.yaml (radar, "),
        ("radar", "page.html", "page.html: expected a new file, got one that is there"),
    ):
        result = run(track, output)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"echoes: {told}")


def test_a_curve_runs_from_its_first_to_its_last_value_with_a_gap_where_there_is_none():
    drawn = curves.chart("loss <a>", [(1, 4.0), (2, 2.0), (3, float("nan")), (5, 1.0)])
    assert drawn.count("<polyline") == 2
    assert 'points="4.0,22.0 77.0,' in drawn
    assert drawn.split("<polyline")[2].startswith(' points="296.0,112.0"')
    assert "loss &lt;a&gt;" in drawn
    assert curves.chart("nothing", [(1, float("nan"))]) == ""
    decades = curves.chart("loss", [(1, 100.0), (2, 10.0), (3, 1.0)])
    assert "4.0,22.0 150.0,67.0 296.0,112.0" in decades
