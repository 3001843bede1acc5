"""Acconeer A121, a 60 GHz pulsed coherent radar: complex samples in the HDF5 of Acconeer's exploration tool.

    *.h5, ACTIVITY/*.h5 or USER/ACTIVITY/*.h5
        server_info                                JSON: ticks_per_second
        sessions/session_K/session_config          JSON: groups[G][SENSOR] has sweep_rate, frame_rate, ...
        sessions/session_K/group_G/entry_E/        sensor_id, and of the sensor's results
            result/frame, tick                     (frames, sweeps, ranges) compound int16 real, imag; (frames,)

Every entry is a recording, FILE#session_K/group_G/entry_E. Its signal is that of the range whose samples vary most
over slow time. Most sensors sample in bursts: a few sweeps, then a pause until the next frame. `slow_time` says
which samples are taken: `frames` is the mean of each frame's sweeps at the frame rate (breathing, slow motion; any
file); `sweeps` is all sweeps at the sweep rate, and refuses a file with pauses between its frames.

The phase grows with the distance (Acconeer's phase tracking and surface velocity take a rising phase for an
increasing distance and water that flows away), so it is turned around here: forward when approaching. The public
recordings are too short to check it.
"""

import json
import math
import re
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import h5py
import numpy as np
from scipy.constants import speed_of_light

from echoes.errors import InputError
from echoes.readers import folders, hdf5
from echoes.readers.frames import MOVED
from echoes.readers.recordings import RecordingEntry, Signal, clipped

FREQUENCY_HZ = 60.5e9
FASTEST_HZ = 1e12  # of a clock or a rate
MAX_VALUE = 1e9  # of a sample, which are int16
SUFFIXES = [".h5", ".hdf5"]


@dataclass(frozen=True)
class Source:
    """Where the recordings come from, in params.yaml."""

    RENAMED: ClassVar = MOVED

    reader: Literal["acconeer"]
    slow_time: Literal["sweeps", "frames"]


class Timing(NamedTuple):
    """What the configuration of a sensor says about time; None where it leaves a rate open."""

    sweep_hz: float | None
    frame_hz: float | None
    sweeps: int  # per frame
    gapless: bool


def index(root: Path, source: Source) -> list[RecordingEntry]:
    """The entries of all sessions in all files."""
    recorded = []
    for path, labels in folders.labelled(root, SUFFIXES, [0, 1, 2]).items():
        with hdf5.opened(path) as file:
            for name in _entries(file, path):
                origin = f"{path}#{name}"
                frames = _frames(file, name, origin)
                rate_hz = _rate_hz(file, name, origin, source)
                count = len(frames) * (frames.shape[1] if source.slow_time == "sweeps" else 1)
                recorded.append(RecordingEntry(f"{path.relative_to(root).as_posix()}#{name}", labels, count / rate_hz))
    return recorded


def is_one(path: Path) -> bool:
    """Whether a file is HDF5 with sessions in it."""
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with hdf5.opened(path) as file:
        return "sessions" in hdf5.names(file)


def read(root: Path, source: Source, recorded: RecordingEntry) -> Signal:
    """One entry."""
    file_name, _, name = recorded.key.rpartition("#")
    path, origin = root / file_name, f"{root / file_name}#{name}"
    with hdf5.opened(path) as file:
        rate_hz = _rate_hz(file, name, origin, source)
        stored = _frames(file, name, origin)[:]
    real, imag = (stored[part].astype(np.float64) for part in ("real", "imag"))
    largest = max(np.abs(real).max(), np.abs(imag).max())  # NaN where any is
    if not largest <= MAX_VALUE:
        raise InputError(f"{origin}: expected finite samples, got {largest} ({MAX_VALUE:g} is the most)")
    samples = real - 1j * imag
    slow = samples.reshape(-1, samples.shape[2]) if source.slow_time == "sweeps" else samples.mean(axis=1)
    strongest = np.argmax(slow.var(axis=0))
    at_limit = clipped(samples[:, :, strongest])
    return Signal(slow[:, strongest].astype(np.complex64), rate_hz, speed_of_light / FREQUENCY_HZ, at_limit)


def _entries(file: h5py.File, path: Path) -> list[str]:
    """session_K/group_G/entry_E, in order of their numbers."""
    sessions = hdf5.member(file, "sessions", path)
    if not isinstance(sessions, h5py.Group):
        raise InputError(f"{path}: expected a group sessions, got only {', '.join(hdf5.names(file)) or 'nothing'}")
    found = [
        f"{session}/{group}/{entry}"
        for session in _numbered(sessions, "session_", path)
        for group in _numbered(sessions[session], "group_", path)
        for entry in _numbered(sessions[session][group], "entry_", path)
    ]
    if not found:
        raise InputError(f"{path}: expected sessions/session_K/group_G/entry_E, got none")
    return found


def _numbered(group: Any, prefix: str, path: Path) -> list[str]:
    found = [n for n in hdf5.names(group) if re.fullmatch(f"{prefix}[0-9]{{1,9}}", n)]
    groups = [n for n in found if isinstance(hdf5.member(group, n, path), h5py.Group)]
    return sorted(groups, key=lambda n: int(n.removeprefix(prefix)))


def _frames(file: h5py.File, name: str, origin: str) -> h5py.Dataset:
    frames = hdf5.dataset(file["sessions"][name], "result/frame", origin)
    parts = [frames.dtype[part].kind for part in ("real", "imag") if part in (frames.dtype.names or ())]
    if frames.ndim != 3 or 0 in frames.shape or len(parts) < 2 or not set(parts) <= set("iuf"):
        raise InputError(
            f"{origin}: expected result/frame as (frames, sweeps, ranges) of real and imag, "
            f"got {frames.shape} of {frames.dtype}"
        )
    return frames


def _rate_hz(file: h5py.File, name: str, origin: str, source: Source) -> float:
    """Of the samples that `source.slow_time` takes."""
    timing = _timing(file, name, origin)
    if source.slow_time == "sweeps":
        if timing.sweep_hz is None or not timing.gapless:
            raise InputError(
                f"{origin}: expected sweeps without pauses for slow_time: sweeps, "
                f"got bursts of {timing.sweeps} (slow_time: frames reads them)"
            )
        return timing.sweep_hz
    if timing.frame_hz is not None:
        return timing.frame_hz
    if timing.gapless and timing.sweep_hz is not None:
        return timing.sweep_hz / timing.sweeps
    return _measured_hz(file, name, origin)


def _timing(file: h5py.File, name: str, origin: str) -> Timing:
    session, group, _ = name.split("/")
    config = _document(file["sessions"][session], "session_config", origin)
    stored = hdf5.dataset(file["sessions"][name], "sensor_id", origin)
    if stored.shape != () or stored.dtype.kind not in "iu":
        raise InputError(f"{origin}: expected sensor_id as a whole number, got {stored.shape} of {stored.dtype}")
    sensor = int(stored[()])
    try:
        settings = config["groups"][int(group.removeprefix("group_"))][str(sensor)]
        sweep_hz, frame_hz, sweeps = (settings[key] for key in ("sweep_rate", "frame_rate", "sweeps_per_frame"))
        continuous = settings["continuous_sweep_mode"]
        rates = [float(rate) for rate in (sweep_hz, frame_hz) if rate is not None]
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{origin}: expected the rates of sensor {sensor} in session_config, got none") from error
    count = _frames(file, name, origin).shape[1]
    if sweeps != count or not all(1 / FASTEST_HZ <= rate <= FASTEST_HZ for rate in rates):
        raise InputError(
            f"{origin}: expected {count} sweeps per frame and rates above 0 in session_config, got {sweeps}, {rates}"
        )
    if any(isinstance(rate, str) for rate in (sweep_hz, frame_hz)) or not isinstance(continuous, bool):
        told = "rates as numbers and continuous_sweep_mode as true or false"
        raise InputError(f"{origin}: expected {told}, got {reprlib.repr(settings)}")
    filled = len(rates) == 2 and math.isclose(frame_hz * count, sweep_hz, rel_tol=1e-6)
    return Timing(sweep_hz, frame_hz, count, continuous or filled)


def _measured_hz(file: h5py.File, name: str, origin: str) -> float:
    """Frames per second by the clock of the sensor, for a frame rate that was left open."""
    stored = hdf5.dataset(file["sessions"][name], "result/tick", origin)
    found = _document(file, "server_info", origin).get("ticks_per_second")
    per_second = found if isinstance(found, (int, float)) and 0 < found <= FASTEST_HZ else 0
    ticks = np.asarray(stored[:], np.float64) if stored.ndim == 1 and stored.dtype.kind in "iuf" else np.zeros(0)
    if not per_second or len(ticks) < 2 or not (np.diff(ticks) > 0).all() or not np.isfinite(ticks[-1] - ticks[0]):
        raise InputError(f"{origin}: expected a frame_rate, or ticks_per_second and ticks that increase, got neither")
    if len(ticks) != (count := len(_frames(file, name, origin))):
        raise InputError(f"{origin}: expected a tick for each of {count} frames, got {len(ticks)}")
    rate_hz = float((len(ticks) - 1) * per_second / (ticks[-1] - ticks[0]))
    if not 1 / FASTEST_HZ <= rate_hz <= FASTEST_HZ:
        raise InputError(f"{origin}: expected ticks of {1 / FASTEST_HZ:g} to {FASTEST_HZ:g} frames/s, got {rate_hz:g}")
    return rate_hz


def _document(group: Any, name: str, origin: str) -> dict[str, Any]:
    stored = hdf5.dataset(group, name, origin)
    if stored.shape != () or stored.dtype.kind not in "OS":
        raise InputError(f"{origin}: expected {name} as one text, got {stored.shape} of {stored.dtype}")
    text = stored[()]
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{origin}: expected {name} as JSON, got {reprlib.repr(text)}") from error
    if not isinstance(found, dict):
        raise InputError(f"{origin}: expected {name} as a JSON object, got a {type(found).__name__}")
    return found
