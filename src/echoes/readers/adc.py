"""Raw samples of FMCW radars, chirp by chirp: NumPy files, or captures of Texas Instruments' DCA1000.

    *.npy or *.bin, ACTIVITY/*.npy or USER/ACTIVITY/*.npy    an array; .bin: little-endian int16, one after the other

Which axes a file has is said by name, the slowest first: `frames`, `chirps`, `antennas` that receive, `samples`, and
where complex samples are stored as two real numbers `iq`, I before Q. A DCA1000 writes of two LVDS lanes, which carry
the samples in turn, I0 I1 Q0 Q1: there `lanes` is the last axis. So it writes (Texas Instruments, SWRA581B)

    xWR16xx, 18xx, 64xx, 68xx    [frames, chirps, antennas, samples, iq, lanes], or [frames, chirps, antennas, samples]
    xWR12xx, 14xx                [frames, chirps, samples, iq, antennas], or [frames, chirps, samples, antennas]

of complex, or of real samples; the latter two always with 4 antennas, of which some may be zero.

The sizes of the axes are told, too, and compared with the file. Chirps of several transmitters take turns: slow time
then goes on once in a turn, and each pair of transmitter and antenna is an antenna of its own. They are not summed,
because a target that is not straight ahead reaches them with different phases.

The slow-time signal is that of the range cell and antenna that vary most over the whole file (see fmcw.py, which also
says which mixing is meant). `slow_time: chirps` is all chirps of a transmitter, and is refused where there are pauses
between the frames. `padded` is all of them at their times, to the nearest chirp, with zeros in the pauses; what stands
still, the mean, is taken out before, so that it does not come and go with the frames. `frames` is the mean over the
chirps of each frame, at the rate of the frames. In some recordings the parts are int16 that were stored as uint16
(65531 for -5): `wrapped`.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from scipy.constants import speed_of_light

from echoes.errors import InputError
from echoes.readers import fmcw, folders, npy
from echoes.readers.chirps import FrameParams
from echoes.readers.frames import MOVED
from echoes.readers.recordings import RecordingEntry, Signal, check_samples, clipped

LANES = 2
WORD = np.dtype("<i2")  # of a capture
INNER = ("chirps", "antennas", "samples", "lanes", "iq")  # the order that the axes of a frame are brought into
PAUSE = 0.1  # of the time between two chirps of a transmitter: longer than that, a pause between frames is one
MAX_VALUE = 1e9  # of a sample, which are 16 bits mostly
MOST_FRAMES = 16  # of which it is told whether they reach the limits of the converter
AxisName = Literal["frames", "chirps", "antennas", "samples", "lanes", "iq"]
# What `echoes track` writes where no track has this reader.
EXAMPLE = """\
source:
  reader: adc
  axes: [frames, chirps, antennas, samples] # of the files, the slowest first; iq and lanes, too, where there are such
  iq: normal # or swapped: the sign of the velocity is the other one
  wrapped: false # int16 stored as uint16
  slow_time: chirps # or padded: with zeros in pauses between frames; or frames: the mean over the chirps of each
  frame:
    chirps: 128 # of all transmitters
    antennas: 4
    samples: 256
    transmitters: 1 # whose chirps take turns
    chirp_s: 1.0e-4 # from a chirp to the next
    period_s: 0.0128 # from a frame to the next; null where a file is one frame, and has no such axis
    sample_rate_hz: 5.0e+6
    frequency_hz: 77.8e+9 # of the middle of the sampled ramp
"""


@dataclass(frozen=True)
class Source:
    """Where the recordings come from, in params.yaml.

    axes       of the array in a file, the slowest first.
    iq         normal: I + jQ turns forward when approaching; swapped: Q + jI does.
    wrapped    the parts of the samples are int16 stored as uint16.
    slow_time  what follows each other: all chirps of a transmitter, these with zeros in the pauses between frames, or
               the mean over the chirps of each frame.
    """

    RENAMED: ClassVar = MOVED

    reader: Literal["adc"]
    axes: tuple[AxisName, ...]
    iq: Literal["normal", "swapped"]
    wrapped: bool
    slow_time: Literal["chirps", "padded", "frames"]
    frame: FrameParams

    def __post_init__(self) -> None:
        shown = ", ".join(self.axes)
        if len(set(self.axes)) < len(self.axes) or not {"chirps", "samples"} <= set(self.axes):
            raise InputError(f"axes: expected chirps and samples, and each axis once, got {shown}")
        if "lanes" in self.axes and ("iq" not in self.axes or self.frame.samples % LANES):
            raise InputError(f"axes: expected iq beside lanes, and even samples, got {shown} of {self.frame.samples}")
        if "antennas" not in self.axes and self.frame.antennas != 1:
            raise InputError(f"frame.antennas: expected 1 where axes has none, got {self.frame.antennas}")
        if ("frames" in self.axes) == (self.frame.period_s is None):
            raise InputError(
                f"frame.period_s: expected a time where axes has frames, else null, got {self.frame.period_s}"
            )
        self._check_slow_time()

    def _check_slow_time(self) -> None:
        if self.slow_time != "chirps" and "frames" not in self.axes:
            raise InputError(f"slow_time: expected chirps where axes has no frames, got {self.slow_time}")
        if self.slow_time == "chirps" and self.frame.pause_s > PAUSE * self.frame.turn_s:
            told = f"frames of {self.frame.chirps} chirps with pauses of {self.frame.pause_s:g} s between them"
            raise InputError(f"slow_time: expected padded or frames for {told}, got chirps")

    @property
    def interval_s(self) -> float:
        """From a sample of the slow-time signal to the next."""
        if self.slow_time == "frames" and self.frame.period_s is not None:
            return self.frame.period_s
        return self.frame.turn_s

    @property
    def samples_per_frame(self) -> int:
        """Of the slow-time signal."""
        return 1 if self.slow_time == "frames" else self.frame.chirps // self.frame.transmitters

    @property
    def step(self) -> float:
        """From the first sample of a frame to that of the next, in samples."""
        if self.slow_time == "padded" and self.frame.period_s is not None:
            return self.frame.period_s / self.frame.turn_s
        return self.samples_per_frame

    def size(self, frames: int) -> int:
        """Samples of the slow-time signal of so many frames; no pause behind the last of them is one."""
        return round((frames - 1) * self.step) + self.samples_per_frame

    def sizes(self) -> dict[str, int]:
        """Axis -> its size, of all but the frames."""
        frame, lanes = self.frame, LANES if "lanes" in self.axes else 1
        held = {"chirps": frame.chirps, "antennas": frame.antennas, "samples": frame.samples // lanes}
        known = {**held, "lanes": LANES, "iq": 2}
        return {name: known[name] for name in self.axes if name != "frames"}


class Recording:
    """The frames of a file, each read when its turn comes, as (chirps of a transmitter, antennas, samples)."""

    def __init__(self, path: Path, source: Source) -> None:
        self._path, self._source = path, source
        self._stored = _capture(path, source) if path.suffix.lower() == ".bin" else _array(path, source)
        if len(self) * source.frame.chirps < 2 * source.frame.transmitters:
            raise InputError(f"{path}: expected two chirps of a transmitter or more, got one")

    def __len__(self) -> int:
        return self._stored.shape[self._source.axes.index("frames")] if "frames" in self._source.axes else 1

    def __iter__(self) -> Iterator[np.ndarray]:
        """Complex128, or float64 of real samples."""
        return (self._cube(number) for number in range(len(self)))

    def _cube(self, number: int) -> np.ndarray:
        frame, axes = self._source.frame, self._source.axes
        stored = np.take(self._stored, number, axes.index("frames")) if "frames" in axes else self._stored
        held = [name for name in axes if name != "frames"]
        ordered = np.transpose(stored, [held.index(name) for name in INNER if name in held])
        values = _checked(np.ascontiguousarray(ordered), self._path)
        values = _unwrapped(values, self._path) if self._source.wrapped else values
        if "iq" in axes:
            values = values[..., 0] + 1j * values[..., 1]
        if self._source.iq == "swapped":
            values = _swapped(values, self._path)
        return values.reshape(frame.chirps // frame.transmitters, frame.transmitters * frame.antennas, frame.samples)


def index(root: Path, source: Source) -> list[RecordingEntry]:
    """One recording per file."""
    found = folders.labelled(root, [".npy", ".bin"], [0, 1, 2])
    return [
        RecordingEntry(path.relative_to(root).as_posix(), labels, source.size(frames) * source.interval_s)
        for path, labels in found.items()
        for frames in [len(Recording(path, source))]
    ]


def read(root: Path, source: Source, recorded: RecordingEntry) -> Signal:
    """The strongest mover of a file, over its chirps or its frames."""
    stored = Recording(root / recorded.key, source)
    found = fmcw.slow_time(stored)
    if source.slow_time == "frames":
        found = found.mean(axis=1, keepdims=True)
    if source.slow_time == "padded":
        found = found - found.mean()
    first = np.round(np.arange(len(found)) * source.step).astype(np.int64)
    samples = np.zeros(source.size(len(found)), np.complex64)
    samples[first[:, None] + np.arange(source.samples_per_frame)] = found
    at_limit = clipped(np.stack(list(itertools.islice(stored, MOST_FRAMES))))
    return Signal(samples, 1 / source.interval_s, speed_of_light / source.frame.frequency_hz, at_limit)


def _capture(path: Path, source: Source) -> np.ndarray:
    """The array of a file of int16, not yet in memory."""
    sizes, size = source.sizes(), path.stat().st_size
    frame_bytes = math.prod(sizes.values()) * WORD.itemsize
    frames, more = divmod(size, frame_bytes)
    if more or frames < 1 or (frames > 1 and "frames" not in source.axes):
        expected = f"{'whole frames' if 'frames' in source.axes else 'one frame'} of {frame_bytes} bytes"
        told = " x ".join(f"{count} {name}" for name, count in sizes.items())
        raise InputError(f"{path}: expected {expected} ({told}), got {size} bytes, {frames} frames and {more} bytes")
    shape = tuple(frames if name == "frames" else sizes[name] for name in source.axes)
    return np.memmap(path, WORD, mode="r", shape=shape)


def _array(path: Path, source: Source) -> np.ndarray:
    """The array of a NumPy file, not yet in memory, whose sizes are those that were told."""
    found = npy.opened(path)
    if not _fits(found.shape, source.axes, source.sizes()):
        others = [names for names in itertools.permutations(source.axes) if _fits(found.shape, names, source.sizes())]
        shown = ", ".join(f"{source.sizes().get(name, 'any number of')} {name}" for name in source.axes)
        hint = f", which fits axes: [{', '.join(others[0])}]" if len(others) == 1 else ""
        raise InputError(f"{path}: expected {shown}, as axes and frame say, got {found.shape}{hint}")
    if found.dtype.kind not in ("iuf" if "iq" in source.axes else "iufc"):
        numbers = "real numbers, as axes has iq" if "iq" in source.axes else "numbers"
        raise InputError(f"{path}: expected {numbers}, got {found.dtype}")
    return found


def _fits(shape: Sequence[int], axes: Sequence[str], sizes: dict[str, int]) -> bool:
    return len(shape) == len(axes) and all(
        size == sizes.get(name, max(size, 1)) for name, size in zip(axes, shape, strict=True)
    )


def _checked(found: np.ndarray, path: Path) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):  # what a cast complains of is refused below
        found = found.astype(np.complex128 if np.iscomplexobj(found) else np.float64)
    check_samples(found, MAX_VALUE, path)
    return found


def _unwrapped(found: np.ndarray, path: Path) -> np.ndarray:
    """With the sign of each part restored."""
    parts = found.view(np.float64)
    if parts.min() < 0 or parts.max() > 65535:
        raise InputError(f"{path}: expected 0 to 65535 as samples are wrapped, got {parts.min()} to {parts.max()}")
    return np.where(parts > 32767, parts - 65536, parts).view(found.dtype)


def _swapped(found: np.ndarray, path: Path) -> np.ndarray:
    """With I in the place of Q."""
    if not np.iscomplexobj(found):
        raise InputError(f"{path}: expected complex samples for iq: swapped, got real ones")
    return found.imag + 1j * found.real
