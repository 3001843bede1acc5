"""24 GHz continuous-wave Doppler modules recorded with a sound card: WAV files of one channel.

    ACTIVITY/*.wav or USER/ACTIVITY/*.wav     the folders are the labels, or
    labels.csv and *.wav beside it            columns file, class, and where a file has several passes t_cpa_s_approx

One real channel does not tell the sign of a velocity. A row of labels.csv is one pass of a vehicle with the time
of its closest approach; a file with passes of several classes is cut halfway between two that differ, and each
part is a recording. Every WAV beside labels.csv needs a row; rows of other files (.bin) are left out.

The audio rate holds 137 m/s, which nobody walks: the signal is filtered and resampled to the lowest multiple of
300 Hz (which divides 44.1 and 48 kHz) that is 5 * max_speed_mps / wavelength or more. 4 would be Nyquist's rate;
the rest is room for the filter's slope, so that no echo up to max_speed_mps is weakened or folded onto. The hum of
the mains and the offset stay in.
"""

import csv
import math
import reprlib
from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path, PurePath
from typing import ClassVar, Literal

import numpy as np
from scipy.constants import speed_of_light
from scipy.signal import resample_poly

from echoes.errors import InputError
from echoes.readers import folders, visible, wav
from echoes.readers.frames import MOVED
from echoes.readers.recordings import RecordingEntry, Signal, clipped

LABELS, COLUMNS, CLOSEST = "labels.csv", ("file", "class"), "t_cpa_s_approx"
LONGEST_NAME = 255  # bytes, of a file
RATE_STEP_HZ = 300
MAX_TAPS = 20_000  # the filter that resamples is so long: rates that share no factor would need a long one
RATE_MARGIN = 1.25  # over Nyquist's rate


@dataclass(frozen=True)
class Source:
    """Where the recordings come from, in params.yaml."""

    RENAMED: ClassVar = MOVED

    reader: Literal["cw24"]
    frequency_hz: float  # of the carrier
    max_speed_mps: float  # that the resampled signal still holds

    def __post_init__(self) -> None:
        for name in ("frequency_hz", "max_speed_mps"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name}: expected more than 0, got {getattr(self, name)}")


def index(root: Path, source: Source) -> list[RecordingEntry]:
    """All recordings; the header of every file is checked."""
    if (root / LABELS).is_file():
        return _from_table(root)
    found = folders.labelled(root, [".wav"], [1, 2])
    return [RecordingEntry(p.relative_to(root).as_posix(), labels, _duration_s(p)) for p, labels in found.items()]


def read(root: Path, source: Source, recorded: RecordingEntry) -> Signal:
    """One recording at the lower rate, in units of full scale."""
    name, _, part = recorded.key.partition("#")
    path = root / name
    wavelength_m = speed_of_light / source.frequency_hz
    recorded_hz, rate_hz = wav.header(path, 1).rate_hz, rate(source)
    if recorded_hz < rate_hz:
        raise InputError(f"{path}: expected {rate_hz} Hz or more for {source.max_speed_mps} m/s, got {recorded_hz} Hz")
    common = math.gcd(rate_hz, recorded_hz)
    if recorded_hz // common > MAX_TAPS:
        raise InputError(f"{path}: expected a rate with a common factor with {rate_hz} Hz, got {recorded_hz} Hz")
    stored = wav.samples(path, 1)[:, 0]
    samples = resample_poly(stored, rate_hz // common, recorded_hz // common)
    if part:
        start_s, stop_s = map(float, part.split("-"))
        samples = samples[round(start_s * rate_hz) : round(stop_s * rate_hz)]
    return Signal(samples.astype(np.float32), float(rate_hz), wavelength_m, clipped(stored))


def rate(source: Source) -> int:
    """Samples per second after resampling."""
    nyquist_hz = 2 * 2 * source.max_speed_mps * source.frequency_hz / speed_of_light
    return RATE_STEP_HZ * math.ceil(RATE_MARGIN * nyquist_hz / RATE_STEP_HZ)


def _duration_s(path: Path) -> float:
    found = wav.listed(path, 1)
    return found.size / found.rate_hz


def _from_table(root: Path) -> list[RecordingEntry]:
    passes = _passes(root / LABELS)
    for path in sorted(root.glob("*.wav")):
        if path.name not in passes and not visible.is_hidden(PurePath(path.name)):
            raise InputError(f"{path}: expected a row of {LABELS} for it, got none")
    recorded = []
    for name, found in sorted(passes.items()):
        duration_s = _duration_s(root / name)
        parts = _parts(found, duration_s, root / name)
        for label, start_s, stop_s in parts:
            key = name if len(parts) == 1 else f"{name}#{start_s:.3f}-{stop_s:.3f}"
            recorded.append(RecordingEntry(key, {"activity": label}, stop_s - start_s))
    return recorded


def _parts(passes: list[tuple[str, float | None]], duration_s: float, path: Path) -> list[tuple[str, float, float]]:
    """Class, start and stop [s] of each run of passes of one class."""
    if len({label for label, _ in passes}) == 1:
        return [(passes[0][0], 0.0, duration_s)]
    timed = sorted((time, label) for label, time in passes if time is not None)
    if len(timed) < len(passes) or not 0 <= timed[0][0] <= timed[-1][0] <= duration_s:
        raise InputError(f"{path}: expected {CLOSEST} of 0 to {duration_s:.1f} for each pass in {LABELS}, got {passes}")
    runs = [(label, [time for time, _ in run]) for label, run in groupby(timed, key=lambda row: row[1])]
    borders = [0.0, *((a[-1] + b[0]) / 2 for (_, a), (_, b) in pairwise(runs)), duration_s]
    return [(label, start, stop) for (label, _), (start, stop) in zip(runs, pairwise(borders), strict=True)]


def _passes(path: Path) -> dict[str, list[tuple[str, float | None]]]:
    """File -> class and time of each of its rows."""
    found = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file, strict=True)
            for column in COLUMNS:
                if column not in (rows.fieldnames or ()):
                    raise InputError(f"{path}: expected a column {column}, got {', '.join(rows.fieldnames or ())}")
            for row in rows:
                if not row["file"] or not row["class"]:
                    raise InputError(f"{path}: expected file and class in line {rows.line_num}, got {row}")
                if row["file"] != Path(row["file"]).name or len(row["file"].encode()) > LONGEST_NAME:
                    told = f"the name of a file beside it in line {rows.line_num}"
                    raise InputError(f"{path}: expected {told}, got {reprlib.repr(row['file'])}")
                if row["file"].lower().endswith(".wav"):
                    label = folders.label(row["class"])
                    found[row["file"]].append((label, _time_s(row.get(CLOSEST), path, rows.line_num)))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a CSV table, got: {error}") from error
    if not found:
        raise InputError(f"{path}: expected rows of .wav files, got none")
    return found


def _time_s(text: str | None, path: Path, line: int) -> float | None:
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"{path}: expected {CLOSEST} as a number in line {line}, got {text!r}")
    return found
