"""Slow-time samples of a radar -> power over radial velocity and time, and power -> network range."""

from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np
from scipy.fft import next_fast_len
from scipy.signal import ShortTimeFFT, get_window

from echoes.errors import InputError
from echoes.grids import Axis, Range

BINS_PER_CELL = 2  # at least; frequencies finer than the cells, by zero-padding where the window is short
WINDOWS_AT_ONCE = 256  # of the transform in memory
LOUD = 0.999  # quantile of the cell powers that is 0 dB
MIN_CELLS = 8  # along each axis: the classifiers that evaluate trains halve them three times
WHOLE = 1e-6  # of a cell, or of a crop: rounding of seconds in params.yaml


@dataclass(frozen=True)
class Layout:
    """What the grid of every kind of spectrogram has: cells [m/s] and [s], and the powers that become -1 and 1."""

    velocity: Range
    time: Range
    floor_db: float
    ceiling_db: float

    def __post_init__(self) -> None:
        if self.time.start != 0:
            raise InputError(f"time.start: expected 0, the begin of a crop, got {self.time.start}")
        if not 1e-6 <= self.time.stop <= 1e9:
            raise InputError(f"time.stop: expected 1e-6 to 1e9 s, got {self.time.stop:g}")
        for name, axis in (("velocity", self.velocity), ("time", self.time)):
            if axis.size < MIN_CELLS:
                told = f"{MIN_CELLS}, which the classifiers of evaluate halve three times"
                raise InputError(f"{name}.size: expected at least {told}, got {axis.size}")
        if not self.ceiling_db > self.floor_db:
            raise InputError(f"ceiling_db: expected more than floor_db = {self.floor_db}, got {self.ceiling_db}")

    def axes(self) -> tuple[Axis, Axis]:
        """The velocity and the time of a crop."""
        v, t = self.velocity, self.time
        return Axis("velocity", "m/s", v.start, v.stop, v.size), Axis("time", "s", t.start, t.stop, t.size)

    def told(self) -> dict[str, Any]:
        """What the headers of grids and of models tell of network range."""
        return {"scaling": {"floor_db": self.floor_db, "ceiling_db": self.ceiling_db}}

    def powers(self, rows: np.ndarray) -> np.ndarray:
        """(K, C, F, T) crops in network range -> powers or colours: what they are, but for complex ones."""
        return rows


@dataclass(frozen=True)
class CropLayout(Layout):
    """Crops of a recording, which start every `hop_s`; what moves slower than `notch_mps` is left out.

    quiet_db  of the loudest cell of a crop, below which the crop is left out: nothing moved in it, so that its
              label is not true of it. Null keeps all.
    """

    hop_s: float
    notch_mps: float
    quiet_db: float | None

    def __post_init__(self) -> None:
        super().__post_init__()
        step_s = self.time.stop / self.time.size
        if abs(self.hop_s) > self.time.stop * 1e6:
            raise InputError(f"hop_s: expected about the length of a crop, {self.time.stop:g} s, got {self.hop_s:g}")
        if self.hop_cells < 1 or abs(self.hop_s / step_s - self.hop_cells) > WHOLE:
            raise InputError(f"hop_s: expected a multiple of {step_s:g}, a cell of time, got {self.hop_s}")
        if self.notch_mps < 0:
            raise InputError(f"notch_mps: expected 0 or more, got {self.notch_mps}")
        if self.quiet_db is not None and not self.floor_db < self.quiet_db <= self.ceiling_db:
            between = f"more than floor_db = {self.floor_db:g}, up to ceiling_db = {self.ceiling_db:g}"
            raise InputError(f"quiet_db: expected {between}, or null, got {self.quiet_db}")

    @property
    def hop_cells(self) -> int:
        return round(self.hop_s * self.time.size / self.time.stop)

    def moving(self, rows: np.ndarray) -> np.ndarray:
        """(K, C, F, T) crops in network range -> (K,) bool, whether a cell is as loud as `quiet_db`."""
        if self.quiet_db is None:
            return np.ones(len(rows), dtype=bool)
        loudest = self.powers(rows).max(axis=(1, 2, 3))
        return np.asarray(loudest >= _level(self.quiet_db, self.floor_db, self.ceiling_db))

    def whole(self, duration_s: float) -> Axis:
        """The time of a whole recording, in cells as wide as those of a crop; what is left at its end is no cell."""
        step_s = self.time.stop / self.time.size
        cells = int(duration_s / step_s + WHOLE)
        return Axis("time", "s", 0.0, cells * step_s, cells)


@dataclass(frozen=True)
class StftParams(CropLayout):
    """The section `<track>.grid` for slow-time signals.

    window    name of a SciPy window, such as hann, hamming or blackmanharris.
    overlap   share of the window that the next one has in common with it, at least; never so little that a
              cell of time has no window.
    """

    raster: Literal["stft"]
    window: str
    window_s: float
    overlap: float

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            get_window(self.window, 8)
        except ValueError as error:
            raise InputError(f"window: expected a SciPy window without parameters, got {self.window!r}") from error
        if not 0 < self.window_s <= self.time.stop / 2:
            most_s = self.time.stop / 2
            raise InputError(f"window_s: expected more than 0, up to half of a crop = {most_s:g}, got {self.window_s}")
        if not 0 <= self.overlap < 1:
            raise InputError(f"overlap: expected 0 or more and less than 1, got {self.overlap}")


def stft_power(samples: np.ndarray, rate_hz: float, wavelength_m: float, params: StftParams) -> np.ndarray:
    """Mean power of each cell, from the short-time Fourier transform.

    samples  (N,) complex, positive frequency = approaching, or real, which leaves |v|.
    returns  (F, T) float64 in the unit of |samples|^2, T cells of the whole recording; without notch, and with an
             axis up to the highest velocity, the sum over F is the mean power of the signal at that time.

    The power of a frequency is spread evenly over its width and goes to the cells by their edges. No window sticks
    out of the recording, because the step at its ends would reach over all velocities: the cells there hold what the
    nearest window saw. Raises InputError for an axis that the signal cannot fill.
    """
    velocity, time = params.axes()[0], params.whole(len(samples) / rate_hz)
    transform = _transform(np.iscomplexobj(samples), rate_hz, wavelength_m, velocity.step, time.step, params)
    share = _bin_shares(transform, wavelength_m, velocity, params.notch_mps)
    used = np.flatnonzero(share.any(axis=0))
    aligned = samples[transform.hop // 2 : round(time.stop * rate_hz)]  # windows lie evenly around a cell's middle
    begin, end = transform.lower_border_end[1], transform.upper_border_begin(len(aligned))[1]
    cell = np.minimum(time.cells((np.arange(begin, end) + 0.5) * transform.delta_t), time.size - 1)
    power, windows = np.zeros((time.size, velocity.size)), np.bincount(cell, minlength=time.size)
    for first in range(begin, end, WINDOWS_AT_ONCE):
        last = min(first + WINDOWS_AT_ONCE, end)
        found = transform.stft(aligned, first, last)[used]
        density = found.real**2 + found.imag**2
        np.add.at(power, cell[first - begin : last - begin], (share[:, used] @ density).T)
    nearest = np.clip(np.arange(time.size), cell[0], cell[-1])
    return np.asarray(transform.delta_f * (power[nearest] / windows[nearest, None]).T)


def to_network(power: np.ndarray, floor_db: float, ceiling_db: float) -> np.ndarray:
    """Power (...) of a whole recording -> -1 (floor or less) .. 1 (ceiling or more), linear in dB, float32.

    0 dB is the power that one in a thousand of the cells that have any exceeds: the gain of a recording is
    arbitrary, and its maximum is one cell's luck. Raises InputError where no cell has power.
    """
    if not (power > 0).any():
        raise InputError("expected power inside the grid, got none")
    reference = np.quantile(power[power > 0], LOUD)
    with np.errstate(divide="ignore"):  # no power is minus infinity dB, which is clipped
        power_db = 10 * np.log10(power / reference)
    return np.clip(_level(power_db, floor_db, ceiling_db), -1, 1).astype(np.float32)


def _level(power_db: Any, floor_db: float, ceiling_db: float) -> Any:
    return 2 * (power_db - floor_db) / (ceiling_db - floor_db) - 1


def shares(low: np.ndarray, high: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(cells, K) the share of each interval low..high (K,) that lies in each cell between `edges`."""
    inside = np.minimum(high, edges[1:, None]) - np.maximum(low, edges[:-1, None])
    return np.maximum(inside, 0) / (high - low)


def _transform(
    signed: bool, rate_hz: float, wavelength_m: float, step_mps: float, step_s: float, params: StftParams
) -> ShortTimeFFT:
    """Scaled so that the squared magnitude is the power spectral density, of both signs where one is kept."""
    length = round(params.window_s * rate_hz)
    windows = ceil(step_s / (params.window_s * (1 - params.overlap)) - WHOLE)  # in a cell of time
    hop = int(step_s * rate_hz / windows + WHOLE)
    if length < 2 or hop < 1:
        raise InputError(f"grid.window_s: expected more samples at {rate_hz:g} Hz, got {length} and a hop of {hop}")
    finest = ceil(BINS_PER_CELL * rate_hz * wavelength_m / 2 / step_mps)
    return ShortTimeFFT(
        get_window(params.window, length),
        hop,
        rate_hz,
        fft_mode="centered" if signed else "onesided2X",
        mfft=next_fast_len(max(length, finest)),
        scale_to="psd",
    )


def _bin_shares(transform: ShortTimeFFT, wavelength_m: float, velocity: Axis, notch_mps: float) -> np.ndarray:
    """(F, K) share of each frequency of the transform in each cell; none of those inside the notch."""
    signed, per_hz = transform.fft_mode == "centered", wavelength_m / 2
    if not signed and velocity.start < 0:
        raise InputError(
            f"grid.velocity.start: expected 0 or more, as one channel does not tell the sign, got {velocity.start:g}"
        )
    fastest = transform.fs / 2 * per_hz
    reach = max(-velocity.start, velocity.stop)
    if reach > fastest * (1 + WHOLE):
        raise InputError(
            f"grid.velocity: expected at most {fastest:.4g} m/s, which {transform.fs:g} Hz can tell, got {reach:g}"
        )
    middles, width = (-per_hz if signed else per_hz) * transform.f, per_hz * transform.delta_f
    low, high = middles - width / 2, middles + width / 2
    share = shares(low if signed else np.maximum(low, 0), high, velocity.edges)
    share[:, np.abs(middles) < notch_mps] = 0
    return share
