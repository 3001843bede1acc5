"""Anyone's slow-time signals: complex samples of one range cell or of a continuous wave, a recording in each file.

    *.npy, *.wav, *.mat or *.h5 (.hdf5), in the folders ACTIVITY or USER/ACTIVITY, or in none

    .npy   complex numbers, or two columns or rows of real ones, I and Q
    .wav   two channels, I and Q, at the rate that is told
    .mat   of MATLAB, up to v7 or v7.3; the variable that is told, as in a .npy, or two, I and Q
    .h5    likewise, with the path of a dataset as its name

Only what is named is read, and of HDF5 (v7.3 too) piece by piece. The rate and the carrier are told, as most files do
not know them. I + jQ is to turn forward when the target approaches; a radar whose I and Q are exchanged, or which
mixes the other way round, is `swapped`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import h5py
import numpy as np
from scipy.constants import speed_of_light
from scipy.io import loadmat, whosmat

from echoes.errors import InputError, one_line
from echoes.readers import folders, hdf5, npy, wav
from echoes.readers.frames import MOVED
from echoes.readers.recordings import RecordingEntry, Signal, check_samples, clipped

PIECE = 1 << 20  # samples at a time
MAX_VALUE = 1e12  # of a part of a sample
NUMBERS = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}  # of MATLAB
NUMBER_BYTES = 16  # of a complex double, the largest of them
PARTS = ("real", "imag")  # the fields of a complex number in MATLAB's HDF5
# What `echoes track` writes where no track has this reader.
EXAMPLE = """\
source:
  reader: iq
  variable: iq # in .mat and .h5: of complex numbers or of I and Q, or [I, Q]; null for .npy and .wav
  iq: normal # or swapped: the sign of the velocity is the other one
  rate_hz: 1000.0 # samples per second
  frequency_hz: 24.0e+9 # of the carrier
"""


@dataclass(frozen=True)
class Source:
    """Where the recordings come from, in params.yaml.

    variable      name in a .mat or path in a .h5: of complex numbers or of I and Q, or two names, those of I and of Q.
    iq            normal: I + jQ turns forward when approaching; swapped: Q + jI does.
    rate_hz       samples per second.
    frequency_hz  of the carrier.
    """

    RENAMED: ClassVar = MOVED

    reader: Literal["iq"]
    variable: str | tuple[str, str] | None
    iq: Literal["normal", "swapped"]
    rate_hz: float
    frequency_hz: float

    def __post_init__(self) -> None:
        for name in ("rate_hz", "frequency_hz"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name}: expected more than 0, got {getattr(self, name)}")


def index(root: Path, source: Source) -> list[RecordingEntry]:
    """One recording per file."""
    found = folders.labelled(root, list(FORMATS), [0, 1, 2])
    return [
        RecordingEntry(path.relative_to(root).as_posix(), labels, _format(path).size(path, source) / source.rate_hz)
        for path, labels in found.items()
    ]


def read(root: Path, source: Source, recorded: RecordingEntry) -> Signal:
    """One recording as it is."""
    path = root / recorded.key
    samples = _format(path).samples(path, source)
    check_samples(samples, MAX_VALUE, path)
    if source.iq == "swapped":
        samples = samples.imag + 1j * samples.real
    return Signal(samples, source.rate_hz, speed_of_light / source.frequency_hz, clipped(samples))


class Format(NamedTuple):
    """How many samples a file has, and what they are: (N,) complex64."""

    size: Callable[[Path, Source], int]
    samples: Callable[[Path, Source], np.ndarray]


def _format(path: Path) -> Format:
    suffix = path.suffix.lower()
    if suffix == ".mat" and not h5py.is_hdf5(path):
        return Format(_matlab_size, _matlab)
    return FORMATS[suffix]


def _npy_size(path: Path, source: Source) -> int:
    return _size([npy.opened(path)], path)


def _npy(path: Path, source: Source) -> np.ndarray:
    return _joined([npy.opened(path)], path)


def _wav_size(path: Path, source: Source) -> int:
    found = wav.listed(path, 2)
    if found.rate_hz != source.rate_hz:
        raise InputError(f"{path}: expected {source.rate_hz:g} Hz, as rate_hz says, got {found.rate_hz} Hz")
    return found.size


def _wav(path: Path, source: Source) -> np.ndarray:
    parts = wav.samples(path, 2)
    return (parts[:, 0] + 1j * parts[:, 1]).astype(np.complex64)


def _hdf5_size(path: Path, source: Source) -> int:
    with hdf5.opened(path) as file:
        return _size(_datasets(file, path, source), path)


def _hdf5(path: Path, source: Source) -> np.ndarray:
    with hdf5.opened(path) as file:
        return _joined(_datasets(file, path, source), path)


def _datasets(file: h5py.File, path: Path, source: Source) -> list[h5py.Dataset]:
    return [hdf5.dataset(file, name.strip("/"), path) for name in _names(path, source)]


def _matlab_size(path: Path, source: Source) -> int:
    """From the list of the variables, which does not tell whether they are complex."""
    return min(max(shape, default=0) for shape in _matlab_shapes(path, source))


def _matlab(path: Path, source: Source) -> np.ndarray:
    _matlab_shapes(path, source)
    names = _names(path, source)
    try:
        found = loadmat(path, variable_names=names, appendmat=False)
        stored = [found[name] for name in names]
    except Exception as error:  # of a damaged file it raises what it likes
        raise _unreadable(path, error) from error
    return _joined(stored, path)


def _matlab_shapes(path: Path, source: Source) -> list[tuple[int, ...]]:
    """Of the variables that are named; raises InputError unless they are numbers and may fit the file."""
    try:
        listed = {name: (shape, kind) for name, shape, kind in whosmat(path, appendmat=False)}
    except Exception as error:  # of a damaged file it raises what it likes
        raise _unreadable(path, error) from error
    most = max(path.stat().st_size * hdf5.PACKED, hdf5.SMALL_BYTES)
    for name in _names(path, source):
        if name not in listed:
            raise InputError(f"{path}: expected a variable {name}, got only {', '.join(listed) or 'nothing'}")
        shape, kind = listed[name]
        if kind not in NUMBERS or prod(shape) * NUMBER_BYTES > most:
            raise InputError(f"{path}: expected numbers that fit the file in {name}, got {shape} of {kind}")
    return [listed[name][0] for name in _names(path, source)]


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: expected a whole file of MATLAB, got: {one_line(error)}")


def _names(path: Path, source: Source) -> tuple[str, ...]:
    if source.variable is None:
        raise InputError(f"{path}: expected the name of what it holds in source.variable, got null")
    return (source.variable,) if isinstance(source.variable, str) else source.variable


def _size(stored: Sequence[Any], path: Path) -> int:
    """Samples of arrays that together hold two numbers of each, of which complex ones are two."""
    size = max(max(one.shape, default=0) for one in stored)
    each = {len(stored) * prod(one.shape) * _numbers(one.dtype) for one in stored}
    if size <= 2 or each != {2 * size} or any(size not in one.shape for one in stored):
        shown = " and ".join(f"{one.shape} of {one.dtype}" for one in stored)
        raise InputError(f"{path}: expected complex samples, or I and Q as two columns, rows or variables, got {shown}")
    return size


def _numbers(dtype: np.dtype) -> int:
    """How many there are in a value of that type; 0 for what holds none."""
    if dtype.names == PARTS:
        return 2 if all(dtype[part].kind in "iuf" and not dtype[part].shape for part in PARTS) else 0
    return {"c": 2, "i": 1, "u": 1, "f": 1}.get(dtype.kind, 0)


def _joined(stored: Sequence[Any], path: Path) -> np.ndarray:
    """(N,) complex64 of arrays, in memory or in a file."""
    found = np.empty(_size(stored, path), np.complex64)
    for first in range(0, len(found), PIECE):
        piece = slice(first, first + PIECE)
        columns = [column for one in stored for column in _columns(one, piece)]
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused later
            found[piece] = columns[0] if len(columns) == 1 else columns[0] + 1j * columns[1]
    return found


def _columns(stored: Any, piece: slice) -> list[np.ndarray]:
    """Of a piece along the longest axis: complex numbers, one of I and Q, or both."""
    longest = int(np.argmax(stored.shape))
    part = stored[(slice(None),) * longest + (piece,)]
    rows = np.moveaxis(part, longest, 0).reshape(part.shape[longest], -1)
    if rows.dtype.names:
        return [rows[name][:, 0] for name in PARTS]
    return list(rows.T)


FORMATS = {
    ".npy": Format(_npy_size, _npy),
    ".wav": Format(_wav_size, _wav),
    ".mat": Format(_hdf5_size, _hdf5),  # of v7.3; see _format
    ".h5": Format(_hdf5_size, _hdf5),
    ".hdf5": Format(_hdf5_size, _hdf5),
}
