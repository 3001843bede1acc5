"""DVC in the project of a fold: nothing is built twice, and whoever stops it is told where."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from echoes.errors import InputError
from echoes.folds import projects, running
from folds import small

SPLIT = {"by": "stretch", "gap_s": 1.0, "folds": 2, "fold": 0, "val": 0.2, "seed": 0}
NUMBERS = {
    "tracks": [],
    "init_from": {"radar": "scratch"},
    "folds": ["radar"],
    "runtime": {},
    "radar": {"split": SPLIT},
}
DRIVER = """\
import sys
from pathlib import Path
from echoes.folds import running
running.run(lambda track: running.repro(Path(track), "evaluate@radar", "fold 1 of radar"))
"""
WAIT = """
import signal, time
from threading import Event
asked = Event()
signal.signal(signal.SIGINT, lambda *_: asked.set())
Path("ready").touch()
if not Path("again").exists():
    asked.wait(60)
    Path("again").touch()
    sys.exit(130)
"""  # as a training that is asked to stop: it leaves something, and goes on from there
PATIENCE_S = 240.0


@pytest.fixture
def fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project of a fold."""
    small.alone(monkeypatch, tmp_path / "home")
    root = small.project(tmp_path / "project", NUMBERS)
    return projects.write(root, NUMBERS, "radar", 1, running.cache(root))


def waits(fold: Path) -> None:
    """From now on its stage waits for a SIGINT at first."""
    script = fold / "stages" / "evaluate.py"
    script.write_text(script.read_text().replace("print(", f"{WAIT}print(", 1))


def wait(reached: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.01)


def runs(group: int) -> bool:
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


@contextmanager
def started(fold: Path) -> Iterator[subprocess.Popen]:
    """A stage that builds the fold, in a process of its own; with what it says."""
    command = [sys.executable, "-c", DRIVER, str(fold)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_what_is_built_is_built_once_and_goes_through(fold: Path, capfd: pytest.CaptureFixture[str]) -> None:
    running.repro(fold, "evaluate@radar", "fold 1 of radar")
    assert "evaluating fold 1" in capfd.readouterr().out
    assert (fold / "metrics" / "radar" / "plots" / "evaluate" / "frames.csv").is_file()
    running.repro(fold, "evaluate@radar", "fold 1 of radar")
    assert "evaluating" not in capfd.readouterr().out
    for changed in ("stages/evaluate.py", "data/raw/radar/far.txt"):  # behind links
        with (fold / changed).open("a") as file:
            file.write("\n")
        running.repro(fold, "evaluate@radar", "fold 1 of radar")
        assert "evaluating fold 1" in capfd.readouterr().out


def test_what_was_built_in_a_folder_that_is_gone_comes_from_the_cache(
    fold: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    running.repro(fold, "evaluate@radar", "fold 1 of radar")
    root = fold.parents[3]
    fold.rename(root / "aside")
    projects.write(root, NUMBERS, "radar", 1, running.cache(root))
    capfd.readouterr()
    running.repro(fold, "evaluate@radar", "fold 1 of radar")
    assert "evaluating" not in capfd.readouterr().out
    assert (fold / "metrics" / "radar" / "plots" / "evaluate" / "frames.csv").is_file()


def test_a_fold_that_fails_is_named_with_the_status(fold: Path) -> None:
    (fold / "stages" / "evaluate.py").write_text("raise SystemExit(3)")
    with pytest.raises(
        running.Ended, match=r"^fold 1 of radar failed: `dvc repro evaluate@radar` in \S+ ended "
    ) as end:
        running.repro(fold, "evaluate@radar", "fold 1 of radar")
    assert end.value.status == 255  # of dvc
    assert "\n" not in str(end.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_question_to_stop_is_handed_on_and_the_next_run_goes_on(fold: Path, number: signal.Signals) -> None:
    waits(fold)
    with started(fold) as process:
        wait((fold / "ready").exists)
        process.send_signal(number)
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + number
    assert said.splitlines()[-1] == f"-c: fold 1 of radar was stopped by {number.name}; the next run goes on there"
    assert (fold / "again").exists()
    running.repro(fold, "evaluate@radar", "fold 1 of radar")


def test_what_a_killed_run_left_behind_is_asked_to_stop(fold: Path) -> None:
    waits(fold)
    with started(fold) as process:
        wait((fold / "ready").exists)
        left = int((fold / running.LOCK).read_text())
        process.kill()
        process.wait()
        assert runs(left)
        with started(fold) as following:
            said, _ = following.communicate(timeout=PATIENCE_S)
    assert following.returncode == 0, said
    assert f"fold 1 of radar: process group {left} still runs in {fold} and is asked to stop" in said
    assert "evaluating fold 1" in said
    wait(lambda: not runs(left))  # until somebody has taken notice of its end


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small.alone(monkeypatch, tmp_path)
    with pytest.raises(InputError, match=rf"^{tmp_path}: expected a DVC repository, got "):
        running.cache(tmp_path)
