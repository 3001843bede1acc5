"""SIGTERM and SIGINT as a question that is asked between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):  # noqa: N818 (no error: somebody asked for it)
    """A training was asked to stop, and has saved its state."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


@contextmanager
def deferred_signals() -> Iterator[Callable[[], int]]:
    """Within, the first signal is noted and not obeyed: the function tells its number, 0 for none.

    A second one acts as if nobody listened. Only the main thread can listen; in others nothing is ever noted.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        _install(before)

    _install(dict.fromkeys(SIGNALS, note))
    try:
        yield lambda: came[0] if came else 0
    finally:
        _install(before)


def _install(handlers: dict) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
