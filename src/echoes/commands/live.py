"""Command live: frames of a radar from a stream or from datagrams -> a cloud for each, back on the same way."""

import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Thread
from typing import Any, Literal

import numpy as np

from echoes.commands import framing
from echoes.commands.chosen import Pack
from echoes.commands.framing import IN, Joined
from echoes.compute.device import best_device
from echoes.compute.precision import Precision
from echoes.errors import InputError
from echoes.inference.enhancer import Choice, Enhancer
from echoes.inference.live import Arrived, Live, Made, Newest, Reference
from echoes.readers import ego_motion
from echoes.readers.ego_motion import Doppler

Way = Literal["stdin", "udp"]
Given = Literal["over_ground", "relative"]  # what the Doppler of the frames that come is relative to
DATAGRAM = 1 << 16  # bytes, more than one has
UNKNOWN = np.full(3, np.nan)


@dataclass(frozen=True)
class Wanted:
    """doppler: None where the model takes it as it comes; every: each frame, in place of the newest where it is late;
    host, port: of datagrams; readout, precision: as `Enhancer` takes them.
    """

    way: Way
    host: str
    port: int
    doppler: Given | None
    every: bool
    readout: Choice
    precision: Precision


def live(model: Pack, wanted: Wanted) -> str:
    """Enhance what comes until it ends, or until Ctrl-C; gives what to tell of it.

    Raises InputError where the model or the options cannot be used, and for a stream that is none of frames.
    """
    device = best_device()
    enhancer = Enhancer.load(model.folder, readout=wanted.readout, precision=wanted.precision, device=device)
    source = model.reading().source
    loop = Live(enhancer, reference(enhancer.ego_motion, wanted.doppler, source), time.perf_counter)
    loop.warm()
    if wanted.way == "udp":
        with Datagrams(wanted.host, wanted.port) as socket_:
            print("listening on {}:{}".format(*socket_.address), file=sys.stderr, flush=True)
            lines = run(loop, socket_.frames(), socket_.send, wanted.every)
        if damaged := socket_.joined.damaged:
            lines.append(f"{damaged} datagrams were damaged, or of frames without an end")
        return "\n".join(lines)
    # Without a buffer: a thread that waits in one at the end of the process stops Python from ending.
    with open(0, "rb", buffering=0, closefd=False) as stream:
        return "\n".join(run(loop, arriving(stream), written, wanted.every))


def reference(trained: str, given: Given | None, source: Any) -> Reference:
    """How the Doppler that comes becomes the one that the model takes. trained: its `ego_motion`.

    source   the section that tells what the Doppler of the sensor is like.

    Raises InputError where this is not told, or cannot be.
    """
    if trained == "none":
        if given == "over_ground":
            raise InputError("--doppler: expected relative, as the model was trained, got over_ground")
        return _as_it_is
    if given is None:
        raise InputError("--doppler: expected over_ground or relative for a model of Doppler over ground, got none")
    if given == "over_ground":
        return _as_it_is
    doppler: Doppler = source.doppler
    return lambda points: ego_motion.without_estimated(points, doppler)


def _as_it_is(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return points, UNKNOWN


def run(loop: Live, frames: Iterator[Arrived], send: Callable[[Made], None], every: bool) -> list[str]:
    """Send a cloud for each frame that is taken; gives lines of what was done. Ctrl-C ends it as a last frame does."""
    newest = Newest()
    if not every:
        Thread(target=_fill, args=(newest, frames), daemon=True).start()
    taken: Iterable[Arrived] = frames if every else newest
    try:
        for made in loop(taken):
            send(made)
    except KeyboardInterrupt:
        pass
    return told(loop, newest.dropped)


def _fill(newest: Newest, frames: Iterator[Arrived]) -> None:
    """What the thread does that waits for frames: whatever goes wrong there is told where they are taken."""
    try:
        for frame in frames:
            newest.put(frame)
    except BaseException as error:
        newest.end(error)
        return
    newest.end()


def told(loop: Live, dropped: int) -> list[str]:
    """How many frames there were, what became of them, how long they took, and how unlike the training they were."""
    middle, slowest = (1e3 * loop.latencies.quantile(level) for level in (0.5, 0.99))
    lines = [
        f"{loop.taken} frames enhanced, {dropped} dropped because a newer one was there",
        f"latency from arrival to cloud: {middle:.1f} ms (median), {slowest:.1f} ms (99 of 100)",
        *(f"{count} frames without a cloud: {why}" for why, count in loop.empty.items()),
    ]
    return [*lines, *loop.unlike()]


def arriving(stream: framing.Source) -> Iterator[Arrived]:
    """The frames of a stream, as they come."""
    for stamp, points in framing.messages(stream, IN):
        yield Arrived(stamp, points, time.perf_counter())


def written(made: Made) -> None:
    """A cloud, on stdout."""
    sys.stdout.buffer.write(framing.packed(made.stamp, made.cloud))
    sys.stdout.buffer.flush()


class Datagrams:
    """UDP: frames from anyone, clouds back to whoever sent last. An empty datagram ends it."""

    def __init__(self, host: str, port: int) -> None:
        """port: 0 for any that is free."""
        self.joined = Joined(IN)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._sender: tuple[str, int] | None = None

    def __enter__(self) -> "Datagrams":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()
        return host, port

    def frames(self) -> Iterator[Arrived]:
        while True:
            datagram, self._sender = self._socket.recvfrom(DATAGRAM)
            if not datagram:
                return
            found = self.joined.take(datagram)
            if found is not None:
                yield Arrived(*found, time.perf_counter())

    def send(self, made: Made) -> None:
        assert self._sender is not None, "a frame has come"
        for datagram in framing.datagrams(made.stamp, made.cloud):
            self._socket.sendto(datagram, self._sender)
