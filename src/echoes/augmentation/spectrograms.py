"""Alterations of spectrograms in training batches: of what a network is given, and of what it is to say.

A spectrogram is (C, F, T) in network range: -1 at the floor, 1 at the ceiling, linear in dB. The generator is the
caller's, named by step and sample. For a number of 0 nothing is drawn. There are no flips: they turn velocity or time
around.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from echoes.errors import InputError

FLOOR, CEILING = -1.0, 1.0
LENGTHS = ("shift_s", "gain_db", "noise_db", "time_mask_s", "velocity_mask_mps")


@dataclass(frozen=True)
class SpectrogramAugmentation:
    """The section `<track>.vae.augmentation` of spectrograms.

    Of input and target alike, for the result is another recording:
    shift_s            longest shift along time, either way.
    shift              what comes in at the end: circular, what goes out at the other one; padded, the floor.
    gain_db            standard deviation of what is added to all powers of a crop, noise included.

    Of the input alone, which the decoder gives without:
    noise_db           mean power of noise, above the floor.
    time_mask_s        longest time that is at the floor (Park et al. 2019, Section 2, for their mean).
    velocity_mask_mps  widest band of velocities that is at the floor.
    """

    of: Literal["spectrograms"]
    shift_s: float
    shift: Literal["circular", "padded"]
    gain_db: float
    noise_db: float
    time_mask_s: float
    velocity_mask_mps: float

    def __post_init__(self) -> None:
        for name in LENGTHS:
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")

    @property
    def alters(self) -> bool:
        """Whether input and target become others."""
        return self.shift_s > 0 or self.gain_db > 0

    @property
    def disturbs(self) -> bool:
        """Whether the input becomes another than the target."""
        return self.noise_db > 0 or self.time_mask_s > 0 or self.velocity_mask_mps > 0


@dataclass(frozen=True)
class Steps:
    """Of a cell along velocity [m/s] and time [s], and of network range [dB], which is 2 wide."""

    velocity_mps: float
    time_s: float
    range_db: float


def altered(crop: np.ndarray, steps: Steps, p: SpectrogramAugmentation, rng: np.random.Generator) -> np.ndarray:
    """Another recording of the same kind, (C, F, T)."""
    most = round(p.shift_s / steps.time_s)
    if most:
        cells = int(rng.integers(-most, most, endpoint=True))
        crop = rolled(crop, cells) if p.shift == "circular" else padded(crop, cells)
    if p.gain_db:
        crop = louder(crop, p.gain_db * rng.standard_normal(), steps.range_db)
    return crop


def disturbed(crop: np.ndarray, steps: Steps, p: SpectrogramAugmentation, rng: np.random.Generator) -> np.ndarray:
    """The crop (C, F, T) with noise, and with a band of velocities and a span of time missing."""
    if p.noise_db:
        crop = noisy(crop, p.noise_db, steps.range_db, rng)
    widths = (round(p.velocity_mask_mps / steps.velocity_mps), round(p.time_mask_s / steps.time_s))
    return masked(crop, widths, rng)


def rolled(crop: np.ndarray, cells: int) -> np.ndarray:
    """Later by so many cells; what goes out at the end comes in at the start."""
    return np.roll(crop, cells, axis=-1)


def padded(crop: np.ndarray, cells: int) -> np.ndarray:
    """Later by so many cells, or earlier where they are negative; the floor comes in."""
    made = np.full_like(crop, FLOOR)
    size = crop.shape[-1]
    if abs(cells) < size:
        made[..., max(cells, 0) : size + min(cells, 0)] = crop[..., max(-cells, 0) : size - max(cells, 0)]
    return made


def louder(crop: np.ndarray, gain_db: float, range_db: float) -> np.ndarray:
    """All powers times the gain, within floor and ceiling."""
    return np.clip(crop + np.float32(2 * gain_db / range_db), FLOOR, CEILING)


def noisy(crop: np.ndarray, noise_db: float, range_db: float, rng: np.random.Generator) -> np.ndarray:
    """With the power of complex Gaussian noise, an exponential one of mean `noise_db` above the floor, in each cell."""
    above_db = (crop - FLOOR) * (range_db / 2)
    power = 10 ** (above_db / 10) + 10 ** (noise_db / 10) * rng.standard_exponential(crop.shape)
    return np.clip(FLOOR + (2 / range_db) * 10 * np.log10(power), FLOOR, CEILING).astype(crop.dtype)


def masked(crop: np.ndarray, widths: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """At the floor in a band of each axis (F, T): its width is uniform in 0..widths, its place anywhere inside.

    (Park et al. 2019, Section 2.) Both masks are of all channels.
    """
    made = crop.copy()
    for axis, most in ((-2, widths[0]), (-1, widths[1])):
        if most:
            width = int(rng.integers(min(most, crop.shape[axis]), endpoint=True))
            first = int(rng.integers(crop.shape[axis] - width, endpoint=True))
            np.moveaxis(made, axis, 0)[first : first + width] = FLOOR
    return made
