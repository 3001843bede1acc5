"""One training of a stage at a time in a folder, also where the death of dvc left another one running."""

import fcntl
import logging
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from echoes.errors import InputError

LOG = logging.getLogger(__name__)
FLOCK = "hhqqi"  # of fcntl(2): type, whence, start, length, process


@contextmanager
def single_run(lock: Path) -> Iterator[None]:
    """Within, no other process holds `lock`. One that does gets a SIGTERM: a training then saves its state and ends.

    So the artifacts and curves of a folder are always of its newest run. Raises InputError where the other process is
    not on this machine.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    opened = os.open(lock, os.O_CREAT | os.O_RDWR)
    try:
        # A POSIX lock: it ends with the process, however it ends, and tells whose it is.
        if other := _holder(opened):
            if other < 0:
                raise InputError(f"{lock}: expected no other run in this folder, got one on another machine")
            LOG.warning("%s: process %d still runs in this folder and is asked to stop", lock.stem, other)
            with suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(other, signal.SIGTERM)
        fcntl.lockf(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _holder(opened: int) -> int:
    """The process that has a file locked, 0 for none."""
    asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, process = struct.unpack(FLOCK, fcntl.fcntl(opened, fcntl.F_GETLK, asked))
    return 0 if kind == fcntl.F_UNLCK else process
