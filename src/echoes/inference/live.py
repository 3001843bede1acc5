"""Frames of a radar as they come -> a cloud for each, the newest first where the networks are late.

`Live` is what a node of a robot wraps: it takes frames from any iterator and gives clouds. `Newest` is such an iterator
that another thread fills, a callback for example; nothing here grows with the number of frames.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import log
from threading import Condition

import numpy as np

from echoes.errors import InputError
from echoes.inference import columns
from echoes.inference.enhancer import Enhancer
from echoes.models.radar.familiarity import Recording
from echoes.rasters import sweeps
from echoes.rasters.sweeps import Sweep

Clock = Callable[[], float]  # seconds
# (N, 5) returns as they come -> the same with the Doppler that the model takes, and the velocity (3,) [m/s] of the
# radar over ground in its own frame, NaN where it is not known. No returns where the Doppler has no reference.
Reference = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
MAX_VALUE = 1e9  # of any number of a frame, as in recordings
WATCHED = 512  # frames, the first ones, of which it is told how unlike the training they are
FIRST_S, RATIO, BINS = 1e-5, 1.01, 2000  # of latencies: from 10 microseconds to over an hour


@dataclass(frozen=True)
class Arrived:
    """stamp: of the frame, in any unit; points (N, 5) x, y, z [m], Doppler [m/s], power [dB]; at_s: when it came."""

    stamp: float
    points: np.ndarray
    at_s: float


@dataclass(frozen=True)
class Made:
    """stamp: of the frame; cloud (M, K) float32 in the columns of the enhancer, empty where it has none."""

    stamp: float
    cloud: np.ndarray


class Newest:
    """The newest frame that nobody has taken yet: a newer one replaces it, and it is counted as dropped."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: Arrived | None = None
        self._ended = False
        self._error: BaseException | None = None
        self.dropped = 0

    def put(self, frame: Arrived) -> None:
        with self._changed:
            self.dropped += self._frame is not None
            self._frame = frame
            self._changed.notify()

    def end(self, error: BaseException | None = None) -> None:
        """No more frames come; error: why, which whoever takes the frames is told after the last of them."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify()

    def __iter__(self) -> Iterator[Arrived]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frame is not None or self._ended)
                frame, self._frame = self._frame, None
            if frame is None:
                break
            yield frame
        if self._error is not None:
            raise self._error


class Latencies:
    """How long each of many frames took, in bins of 1 % that are as many for any number of frames."""

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, np.int64)

    def add(self, seconds: float) -> None:
        place = int(log(max(seconds, FIRST_S) / FIRST_S) / log(RATIO))
        self._counts[min(place, BINS - 1)] += 1

    @property
    def count(self) -> int:
        return int(self._counts.sum())

    def quantile(self, level: float) -> float:
        """Seconds, within 1 %: of `count` latencies in their order, that in the place `level` (0..1); 0 for none."""
        if not self.count:
            return 0.0
        place = int(np.searchsorted(self._counts.cumsum(), max(level * self.count, 1)))
        return FIRST_S * RATIO ** (place + 0.5)


class Live:
    """An enhancer of frames that come one by one.

    reference  gives their Doppler the reference that the model takes; clock: that of `Arrived.at_s`.
    latencies  of frames, from their arrival until the next one was asked for, that is with what is done with the cloud.
    empty      why frames had no cloud, and how many.
    """

    def __init__(self, enhancer: Enhancer, reference: Reference, clock: Clock) -> None:
        self.enhancer, self._reference, self._clock = enhancer, reference, clock
        self.latencies, self.empty, self.taken = Latencies(), dict[str, int](), 0
        self._recording = Recording(enhancer.seen)
        count = 0 if enhancer.sweeps is None else enhancer.sweeps.count - 1
        self._past: deque[tuple[float, np.ndarray, np.ndarray]] = deque(maxlen=count)  # stamp, returns, velocity

    def warm(self) -> None:
        """Call the networks once, because a first call takes longer than all others."""
        middle = [(axis.start + axis.stop) / 2 for axis in reversed(self.enhancer.grid.axes)]
        self.enhancer(np.array([[*middle, 0.0, 0.0]], np.float32))

    def __call__(self, frames: Iterable[Arrived]) -> Iterator[Made]:
        """A cloud for each frame, in their order."""
        for frame in frames:
            yield Made(frame.stamp, self.cloud(frame))
            self.latencies.add(self._clock() - frame.at_s)

    def cloud(self, frame: Arrived) -> np.ndarray:
        """(M, K) float32; the number of the frame among those that were taken names its noise."""
        number, self.taken = self.taken, self.taken + 1
        if frame.points.ndim != 2 or frame.points.shape[1] != 5:
            raise InputError(f"points: expected (N, 5) of frame {number}, got {frame.points.shape}")
        if not (np.abs(frame.points) <= MAX_VALUE).all():
            return self._none("numbers that are not finite")
        points, velocity = self._reference(frame.points)
        if len(points) < len(frame.points):
            return self._none("Doppler that tells no ego velocity")
        if not self.enhancer.grid.cells(points)[1].any():
            return self._none("no return inside the grid")
        radar = self.enhancer.frame(points, self._earlier(frame.stamp, velocity))
        self._past.appendleft((frame.stamp, points, velocity))
        if number < WATCHED:
            self._recording.take(radar.cells, self.enhancer.grid)
        (made,), _ = self.enhancer.timed([radar], [number])
        return columns.rows(made)

    def unlike(self) -> list[str]:
        """A line for each way in which the first frames were unlike those of the training."""
        return self._recording.told()

    def _none(self, why: str) -> np.ndarray:
        self.empty[why] = self.empty.get(why, 0) + 1
        return np.zeros((0, len(self.enhancer.columns)), np.float32)

    def _earlier(self, stamp: float, velocity: np.ndarray) -> list[Sweep]:
        """The frames before this one that go in with it, the newest first; none behind a clock that jumped back."""
        if self.enhancer.sweeps is None:
            return []
        found = []
        for before, points, its_velocity in self._past:
            age_s = stamp - before
            way = sweeps.motion((None, None), (its_velocity, velocity), age_s)
            if 0 < age_s <= self.enhancer.sweeps.seconds and way is not None:
                found.append(Sweep(points, age_s, way))
        return found
