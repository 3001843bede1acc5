"""DVC in the project of a fold: its output goes through, a question to stop is handed on, one run at a time."""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from echoes import entry
from echoes.errors import InputError
from echoes.training.signals import deferred_signals

LOG = logging.getLogger(__name__)
DVC = (sys.executable, "-m", "dvc")
LOCK = "run.lock"
POLL_S = 0.1


class Ended(Exception):  # noqa: N818 (maybe no error: somebody may have asked for it)
    """A fold ended before it was evaluated; status: with which the stage shall end."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def run(main: Callable[[str], None]) -> None:
    """Run a stage that builds folds for the track that is its only argument."""
    try:
        entry.run(main)
    except Ended as ended:
        print(f"{Path(sys.argv[0]).stem}: {ended}", file=sys.stderr)
        sys.exit(ended.status)


def cache(root: Path) -> Path:
    """Where the DVC repository `root` has its cache. Raises InputError where it is none."""
    asked = subprocess.run([*DVC, "cache", "dir"], cwd=root, capture_output=True, text=True)
    if asked.returncode:
        raise InputError(f"{root.resolve()}: expected a DVC repository, got {' '.join(asked.stderr.split())}")
    return root / asked.stdout.strip()


def repro(folder: Path, target: str, name: str) -> None:
    """Build `target` in a project and what it needs, as far as it is not built; raises Ended, with `name`, if it fails.

    SIGTERM and SIGINT become a SIGINT to all that runs there: a training then saves its state. So does what a killed
    run has left behind in the folder, which is waited for.
    """
    with _claimed(folder / LOCK, name) as lock, deferred_signals() as asked:
        # A process group of its own: who asks it to stop reaches the stage that DVC runs, and the stage alone decides.
        process = subprocess.Popen([*DVC, "repro", target], cwd=folder, process_group=0, pass_fds=(lock,))
        os.pwrite(lock, str(process.pid).encode(), 0)
        status = _wait(process, asked)
    if number := asked():
        raise Ended(f"{name} was stopped by {signal.Signals(number).name}; the next run goes on there", 128 + number)
    if status:
        failed = status if status > 0 else 128 - status  # by a signal
        raise Ended(f"{name} failed: `dvc repro {target}` in {folder} ended with status {failed}", failed)


def _wait(process: subprocess.Popen, asked: Callable[[], int]) -> int:
    told = False
    try:
        while process.poll() is None:
            if asked() and not told:
                told = True
                os.killpg(process.pid, signal.SIGINT)
            time.sleep(POLL_S)
    finally:
        if process.poll() is None:  # a second signal: whoever sent it waits for nothing
            os.killpg(process.pid, signal.SIGTERM)
    return process.returncode


@contextmanager
def _claimed(path: Path, name: str) -> Iterator[int]:
    """Within, the open lock is held, by this process and by those it is passed to, however this one ends."""
    lock = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        if not _locked(lock):
            other = int(os.pread(lock, 20, 0) or 0)
            LOG.warning("%s: process group %d still runs in %s and is asked to stop", name, other, path.parent)
            with suppress(ProcessLookupError):  # it ended meanwhile
                if other:
                    os.killpg(other, signal.SIGINT)
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.ftruncate(lock, 0)
        yield lock
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
