"""What every reader of micro-Doppler recordings gives: an index of recordings, and what one of them holds.

A reader is a module with a frozen `Source` dataclass (its section of params.yaml) and two functions:

    index(root: Path, source: Source) -> list[RecordingEntry]                       cheap: lists, labels and checks
    read(root: Path, source: Source, recorded: RecordingEntry) -> Signal | Returns | Picture     pure

`read` runs in worker processes and in any order, so it keeps no state between recordings.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from echoes.errors import InputError

WITHIN = 0.005  # of the range of the samples: what is so near to a limit is just within it
PILED = 3.0  # times as many samples as just within it are at a limit that cuts them off


@dataclass(frozen=True)
class RecordingEntry:
    """One recording, before it is read.

    key         unique: what `read` needs to find it again, and what a split never cuts between its crops.
    labels      kind of label -> its value, such as {"user": "3", "activity": "walk"}; every recording of a reader
                has the same kinds, the most telling last.
    duration_s  of what can be cut into crops; 0 for a single picture.
    """

    key: str
    labels: dict[str, str]
    duration_s: float


@dataclass(frozen=True)
class Signal:
    """Slow-time samples of one range cell, or of a continuous wave.

    samples       (N,) complex64, whose phase turns forward (positive frequency) when the target APPROACHES, or
                  float32 for a sensor with one channel, which does not know the sign of a velocity.
    rate_hz       samples per second.
    wavelength_m  of the carrier; the radial velocity [m/s], positive = receding, is -frequency * wavelength_m / 2.
    clipped       share of the samples, as they were stored, that lie at the limits of what could be (see `clipped`).
    """

    samples: np.ndarray
    rate_hz: float
    wavelength_m: float
    clipped: float = 0.0


@dataclass(frozen=True)
class Returns:
    """Detected points of a person, scan after scan.

    stamps    (S,) float64 s, of each scan from the start of the recording, increasing.
    scan      (N,) int64, which scan a return belongs to.
    doppler   (N,) float32 m/s, positive = receding.
    power     (N,) float32 linear.
    """

    stamps: np.ndarray
    scan: np.ndarray
    doppler: np.ndarray
    power: np.ndarray


@dataclass(frozen=True)
class Picture:
    """A spectrogram that was stored as an image.

    values  (C, H, W) float32 0..1; the first row is the highest velocity, the first column the earliest time.
            C is 1 for power, 3 for an RGB image that is trained as it is.
    """

    values: np.ndarray


def check_samples(samples: np.ndarray, most: float, path: Path) -> None:
    """Raises InputError naming the file for a sample that is not finite, or has a part beyond `most`."""
    sane = (np.abs(samples.real) <= most) & (np.abs(samples.imag) <= most)
    if not sane.all():
        raise InputError(f"{path}: expected finite samples, got {samples[~sane][0]} ({most:g} is the most)")


def clipped(stored: np.ndarray) -> float:
    """The share of samples (any shape, as they are in a file) at which an amplifier or a converter was at its limit.

    There they pile up: the largest or the smallest value is taken far more often than those just within. Of complex
    samples, that of the part which has more.
    """
    parts = (stored.real, stored.imag) if np.iscomplexobj(stored) else (stored,)
    return max((_piled(part.reshape(-1)) for part in parts), default=0.0)


def _piled(values: np.ndarray) -> float:
    """Of real values (N,)."""
    if not len(values) or (span := float(values.max()) - float(values.min())) == 0:
        return 0.0
    found = 0
    for side in (values.astype(np.float64), -values.astype(np.float64)):
        top = side.max()
        within = side[(side < top) & (side > top - WITHIN * span)]
        below = within if len(within) else side[side < top]
        next_to_it = max(len(within), int(np.count_nonzero(below == below.max())))
        at_limit = int(np.count_nonzero(side == top))
        if top != 0 and at_limit > PILED * next_to_it:  # nothing is 0, not a limit
            found += at_limit
    return found / len(values)
