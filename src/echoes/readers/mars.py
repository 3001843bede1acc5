"""MARS: returns of a person who does rehabilitation movements in front of a TI IWR1443 radar.

    subject{S}/radar_data{M}.mat    MATLAB v7.3 = HDF5; radar_data_cropped (8, N): frame number, object number,
                                    x lateral, y range, z height [m], Doppler [m/s], intensity (linear), time [s]

An & Ogras, "MARS: mmWave-based Assistive Rehabilitation System for Smart Healthcare", ACM TECS 20(5s), 2021.
S is the user, M the movement. About ten scans a second; a few are missing (stamps say so). Doppler comes in
steps of .356 m/s up to +-2.49 m/s.

Doppler is positive = receding and is taken as it is: in the front lunges, where the whole body moves, the mean
Doppler of a scan and the rate of change of its mean range (both over .2 s) correlate by +.45 to +.89 for all three
users.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import h5py
import numpy as np

from echoes.errors import InputError
from echoes.readers import hdf5, visible
from echoes.readers.frames import MOVED
from echoes.readers.recordings import RecordingEntry, Returns

TABLE = "radar_data_cropped"
FRAME, DOPPLER, INTENSITY, TIME = 0, 5, 6, 7
LATEST = 1e12  # of any number; times are seconds since 1970
MOVEMENTS = (
    "left_upper_limb_extension",
    "right_upper_limb_extension",
    "both_upper_limb_extension",
    "left_front_lunge",
    "right_front_lunge",
    "squat",
    "left_side_lunge",
    "right_side_lunge",
    "left_limb_extension",
    "right_limb_extension",
)
NAME = re.compile(r"subject([1-9]\d*)/radar_data([1-9]|10)\.mat")


@dataclass(frozen=True)
class Source:
    """Where the recordings come from, in params.yaml."""

    RENAMED: ClassVar = MOVED

    reader: Literal["mars"]


def index(root: Path, source: Source) -> list[RecordingEntry]:
    """One recording per user and movement, in that order."""
    recorded = []
    for path in sorted(root.glob("subject*/*.mat")):
        key = path.relative_to(root).as_posix()
        if visible.is_hidden(path.relative_to(root)):
            continue
        if not (name := NAME.fullmatch(key)):
            raise InputError(f"{path}: expected subject{{S}}/radar_data{{1..{len(MOVEMENTS)}}}.mat as name")
        with hdf5.opened(path) as file:
            times = np.asarray(_table(file, path)[TIME, :], dtype=np.float64)
        if not 0 <= times[-1] - times[0] < np.inf:
            raise InputError(f"{path}: expected times that increase, got {times[0]} first and {times[-1]} last")
        labels = {"user": name[1], "activity": MOVEMENTS[int(name[2]) - 1]}
        recorded.append(RecordingEntry(key, labels, float(times[-1] - times[0])))
    if not recorded:
        raise InputError(f"{root}: expected subject{{S}}/radar_data{{M}}.mat in it, got none")
    return recorded


def read(root: Path, source: Source, recorded: RecordingEntry) -> Returns:
    """The returns of one recording, the still ones too."""
    path = root / recorded.key
    with hdf5.opened(path) as file:
        rows = np.asarray(_table(file, path)[:], dtype=np.float64)
    sane = np.abs(rows) <= LATEST
    if not sane.all():
        column, position = np.argwhere(~sane)[0]
        told = f"got {rows[column, position]} in row {column} of {TABLE}"
        raise InputError(f"{path}: expected finite numbers, {told} ({LATEST:g} is the most)")
    if (rows[INTENSITY] < 0).any():
        raise InputError(f"{path}: expected intensities of 0 and more, got {rows[INTENSITY].min()}")
    first = np.concatenate([[True], np.diff(rows[FRAME]) != 0])
    stamps = rows[TIME, first] - rows[TIME, 0]
    if (np.diff(rows[FRAME, first]) < 0).any() or (np.diff(stamps) <= 0).any():
        raise InputError(f"{path}: expected frames whose numbers and times increase, got some out of order")
    return Returns(stamps, np.cumsum(first) - 1, rows[DOPPLER].astype(np.float32), rows[INTENSITY].astype(np.float32))


def _table(file: h5py.File, path: Path) -> h5py.Dataset:
    table = hdf5.dataset(file, TABLE, path)
    if table.ndim != 2 or table.shape[0] != 8 or table.shape[1] == 0 or table.dtype.kind not in "fiu":
        raise InputError(f"{path}: expected {TABLE} as (8, N) numbers, got {table.shape} of {table.dtype}")
    return table
