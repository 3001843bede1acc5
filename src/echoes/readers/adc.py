"""Raw samples of FMCW radars in NumPy files: one frame of chirps each.

    *.npy, ACTIVITY/*.npy or USER/ACTIVITY/*.npy    (chirps, antennas, samples) or (chirps, samples), complex or real

The slow-time signal is that of the range cell and antenna that vary most over the chirps (see fmcw.py, which also
says which mixing is meant). Frames are recordings of their own, because time passes between them that the files do
not tell. In some recordings the parts are int16 that were stored as uint16 (65531 for -5): `wrapped`.
"""

import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from scipy.constants import speed_of_light

from echoes.errors import InputError
from echoes.readers import fmcw, folders
from echoes.readers.frames import MOVED
from echoes.readers.recordings import RecordingEntry, Signal

# What NumPy's parser of a header, a Python literal, and mapping a file of fewer bytes than it says raise.
BROKEN = (ValueError, OSError, EOFError, TypeError, ArithmeticError, MemoryError, RecursionError, tokenize.TokenError)
MAX_VALUE = 1e9  # of a sample, which are 16 bits mostly


@dataclass(frozen=True)
class Source:
    """Where the recordings come from, in params.yaml."""

    RENAMED: ClassVar = MOVED

    reader: Literal["adc"]
    wrapped: bool  # real and imaginary parts are int16 stored as uint16
    chirp_s: float  # from one chirp of a transmitter to its next
    frequency_hz: float  # of the middle of the sampled ramp

    def __post_init__(self) -> None:
        for name in ("chirp_s", "frequency_hz"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name}: expected more than 0, got {getattr(self, name)}")


def index(root: Path, source: Source) -> list[RecordingEntry]:
    """One recording per file."""
    found = folders.labelled(root, [".npy"], [0, 1, 2])
    return [
        RecordingEntry(path.relative_to(root).as_posix(), labels, len(_loaded(path)) * source.chirp_s)
        for path, labels in found.items()
    ]


def read(root: Path, source: Source, recorded: RecordingEntry) -> Signal:
    """The strongest mover of one frame, over its chirps."""
    samples = fmcw.slow_time(cube(root / recorded.key, source.wrapped))
    return Signal(samples, 1 / source.chirp_s, speed_of_light / source.frequency_hz)


def cube(path: Path, wrapped: bool) -> np.ndarray:
    """(chirps, antennas, samples) complex128 or float64, with the sign of each part restored."""
    found = np.ascontiguousarray(_loaded(path))
    found = found.reshape(len(found), -1, found.shape[-1])
    with np.errstate(invalid="ignore", over="ignore"):  # what a cast complains of is refused below
        found = found.astype(np.complex128 if np.iscomplexobj(found) else np.float64)
    sane = (np.abs(found.real) <= MAX_VALUE) & (np.abs(found.imag) <= MAX_VALUE)
    if not sane.all():
        raise InputError(f"{path}: expected finite samples, got {found[~sane][0]} ({MAX_VALUE:g} is the most)")
    return _unwrapped(found, path) if wrapped else found


def _unwrapped(found: np.ndarray, path: Path) -> np.ndarray:
    parts = found.view(np.float64)
    if parts.min() < 0 or parts.max() > 65535:
        raise InputError(f"{path}: expected 0 to 65535 as samples are wrapped, got {parts.min()} to {parts.max()}")
    return np.where(parts > 32767, parts - 65536, parts).view(found.dtype)


def _loaded(path: Path) -> np.ndarray:
    """The array, not yet in memory."""
    try:
        with np.errstate(over="raise"):  # a size beyond 64 bits
            found = np.lib.format.open_memmap(path, mode="r")  # of .npy only: np.load takes .npz and pickles too
    except BROKEN as error:
        raise InputError(f"{path}: expected a whole .npy file, got: {' '.join(str(error).split())}") from error
    if found.ndim not in (2, 3) or found.dtype.kind not in "iufc" or len(found) < 2 or not found.size:
        raise InputError(
            f"{path}: expected numbers (chirps, samples) or (chirps, antennas, samples), "
            f"got {found.shape} of {found.dtype}"
        )
    return found
