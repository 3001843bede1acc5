"""The stage `folds`: every fold built in a project of its own, and one file of numbers."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import test_end_to_end
from echoes import metrics
from echoes.errors import InputError
from echoes.folds import running
from folds import small

SPLIT = {"by": "stretch", "gap_s": 1.0, "folds": 2, "fold": 1, "val": 0.2, "seed": 0}


@pytest.fixture
def numbers() -> dict:
    """The parameters of the smallest radar track, split by stretch."""
    params = test_end_to_end.small_params("radar")
    return {**params, "tracks": [], "folds": ["radar"], "radar": {**params["radar"], "split": dict(SPLIT)}}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: dict) -> Path:
    """A project whose pipeline is one quick stage, as the current folder."""
    small.alone(monkeypatch, tmp_path / "home")
    monkeypatch.chdir(small.project(tmp_path / "project", numbers))
    return tmp_path / "project"


def test_every_fold_is_built_and_measured_against_its_radar(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    test_end_to_end.run("folds", "radar")
    found = metrics.read(root / "metrics" / "radar" / "folds.json")
    assert (found["folds"], found["stretches"], found["frames"]) == (2, 2, 6)
    ldm = found["ldm"]
    assert (ldm["points_chamfer_m_fold_0"], ldm["points_chamfer_m_fold_1"]) == (0.5, 1.0)
    assert (ldm["points_chamfer_ratio"], ldm["points_worse_than_radar"]) == (0.75, 0)
    first = (root / "metrics" / "radar" / "folds.json").read_bytes()
    assert "evaluating fold 1" in capfd.readouterr().out
    test_end_to_end.run("folds", "radar")
    assert "evaluating" not in capfd.readouterr().out
    assert (root / "metrics" / "radar" / "folds.json").read_bytes() == first


def test_a_fold_that_fails_leaves_no_numbers_and_the_next_run_goes_on(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = root / "stages" / "evaluate.py"
    good = script.read_text()
    script.write_text(good.replace("print(", "assert fold == 0\nprint("))
    with pytest.raises(running.Ended, match=r"^fold 1 of radar \(0 to 1\) failed"):
        test_end_to_end.run("folds", "radar")
    assert not (root / "metrics" / "radar" / "folds.json").exists()
    script.write_text(good)
    test_end_to_end.run("folds", "radar")
    assert (root / "metrics" / "radar" / "folds.json").is_file()


def test_a_track_that_is_not_split_by_stretch_is_refused(root: Path, numbers: dict) -> None:
    numbers["radar"]["split"] = {"by": "sequence", "val": 0.1, "test": 0.2, "seed": 0}
    (root / "params.yaml").write_text(yaml.safe_dump(numbers))
    with pytest.raises(InputError, match=r"^radar\.split\.by: expected stretch, "):
        test_end_to_end.run("folds", "radar")
    assert not (root / ".dvc" / "tmp" / "folds").exists()


@pytest.mark.slow
def test_the_real_stages_run_in_every_fold_and_none_of_them_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: dict
) -> None:
    """`dvc repro folds@radar` in a copy of this checkout, the smallest radar track."""
    small.alone(monkeypatch, tmp_path / "home")
    root, here = tmp_path / "project", test_end_to_end.ROOT
    shutil.copytree(here / "src", root / "src")
    shutil.copytree(here / "stages", root / "stages")
    shutil.copytree(here / "data" / "scratch", root / "data" / "scratch")
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copyfile(here / name, root / name)
    test_end_to_end.write_recordings(root, "radar")
    (root / "params.yaml").write_text(yaml.safe_dump(numbers))
    dvc = lambda *arguments: subprocess.run([*running.DVC, *arguments], cwd=root, check=True, capture_output=True)
    dvc("init", "--no-scm")
    said = dvc("repro", "folds@radar").stdout.decode()
    # initialize, folds and, in each of the two, all others; what they start from comes from the cache, and in the
    # second the list of its code too.
    assert said.count("Running stage") == 3 + 2 * len(test_end_to_end.STAGES)
    found = metrics.read(root / "metrics" / "radar" / "folds.json")
    assert found["folds"] == 2
    assert {"radar", "ldm", "cd_1"} <= set(found)
    assert found["radar"]["points_chamfer_ratio"] == found["radar"]["chamfer_ratio"] == 1.0
    assert dvc("repro", "--force", "--single-item", "folds@radar").stdout.decode().count("Running stage") == 1
