"""The command line: its help, and its errors in one line."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from echoes import metrics
from echoes.cli import app
from test_pipeline import NUMBERS, TRACKS


def test_help_is_short_and_names_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) < 28
    commands = "enhance generate pack live inspect calibrate export results view report params track estimate preset"
    commands += " verify du info"
    for command in commands.split():
        assert f"\n  {command} " in result.stdout
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    assert "..." not in result.stdout.split("Commands:")[1]


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, echoes.cli; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_error_of_the_user_is_one_line_and_a_status_of_2(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from echoes.cli import main; main()", "results"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("echoes: metrics: expected <track>/evaluate.json")


def test_a_defect_of_ours_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metrics" / "radar").mkdir(parents=True)
    (tmp_path / "metrics" / "radar" / "evaluate.json").write_text('{"ldm": {"chamfer_m": "text"}}')
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["results"])
    assert result.exit_code == 1
    assert isinstance(result.exception, TypeError)


def test_results_are_the_tables_of_all_evaluated_tracks_and_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    block = {"chamfer_m": 0.71, "chamfer_m_lo": 0.65, "chamfer_m_hi": 0.78, "calls": 1}
    for track in ("astyx", "radar"):
        metrics.write(Path("metrics", track, "evaluate.json"), {"cd_1": block, "frames": 64, "threshold": 0.46})
    picture = Path("metrics", "radar", "plots", "evaluate", "birdseye.png")
    picture.parent.mkdir(parents=True)
    picture.touch()
    result = CliRunner().invoke(app, ["results"])
    assert result.exit_code == 0, result.output
    assert result.stdout.index("astyx: frames 64") < result.stdout.index("radar: frames 64, threshold 0.46")
    assert result.stdout.count("[0.650, 0.780]") == 2
    assert result.stdout.endswith("picture of radar: metrics/radar/plots/evaluate/birdseye.png\n")
    assert "picture of astyx" not in result.stdout
    document = CliRunner().invoke(app, ["results", "--markdown"])
    assert document.stdout.count("| cd_1 | 0.710 [0.650, 0.780] | 1 |") == 2


def test_folds_alone_are_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    metrics.write(Path("metrics", "astyx", "folds.json"), {"fused": {"points_chamfer_ratio": 0.66}, "folds": 4})
    result = CliRunner().invoke(app, ["results"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("astyx, points of all folds: folds 4\n\n")


def test_every_reader_of_params_yaml_is_known_to_the_commands() -> None:
    from echoes.readers.catalog import READERS

    assert {NUMBERS[track]["source"]["reader"] for track in TRACKS} <= set(READERS)
