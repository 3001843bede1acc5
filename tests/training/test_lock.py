"""A run follows another one in the same folder: it waits until that one has saved its state and is gone."""

import subprocess
import sys
from pathlib import Path

from echoes.training.lock import single_run

HOLDER = """
import signal, sys, time
from pathlib import Path
from echoes.training.signals import deferred_signals
from echoes.training.lock import single_run
with single_run(Path("train_toy.lock")), deferred_signals() as asked:
    print("here", flush=True)
    while not asked():
        time.sleep(0.01)
    time.sleep(0.3)
    Path("saved").touch()
"""


def test_a_run_that_dvc_left_behind_saves_its_state_before_the_next_one_begins(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)}
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"here\n"
        with single_run(Path("train_toy.lock")):
            assert Path("saved").exists()
        assert other.wait() == 0
    assert f"train_toy: process {other.pid} still runs in this folder and is asked to stop" in caplog.text


def test_nothing_is_in_the_way_of_a_run_after_one_that_ended(tmp_path, caplog):
    for _ in range(2):
        with single_run(tmp_path / "train_toy.lock"):
            pass
    assert caplog.text == ""
