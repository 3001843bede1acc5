"""Limits around one case: time and memory."""

import faulthandler
import mmap
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SECONDS = 20.0  # a case takes milliseconds; a busy machine is no hang
SPARE_BYTES = 256 << 20  # that a case may take beyond what the process has


class Hang(BaseException):
    """No answer in time. No Exception, so that no reader can catch it."""


def _late(number: int, frame: FrameType | None) -> None:
    raise Hang(f"no answer after {SECONDS:g} s")


@contextmanager
def limited() -> Iterator[None]:
    """Raises Hang or MemoryError for a block that takes too much; ends the process where C code hangs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    before = signal.signal(signal.SIGALRM, _late)
    faulthandler.dump_traceback_later(3 * SECONDS, exit=True)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()
