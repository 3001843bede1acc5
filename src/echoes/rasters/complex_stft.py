"""Slow-time samples of a radar -> complex short-time spectra in network range, a bin of a window in each cell.

Powers in cells, as `spectrograms` gives them, are spread over frequencies and lead back to no samples. These do: a crop
is the transform of samples at a rate that its velocities fill (`stft`).
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy.signal import resample

from echoes.errors import InputError
from echoes.rasters.spectrograms import LOUD, WHOLE, CropLayout
from echoes.rasters.stft import Stft, half_bin, powers, spectra


@dataclass(frozen=True)
class ComplexStftParams(CropLayout):
    """The section `<track>.grid` for slow-time signals whose phase is kept: real and imaginary part of each cell.

    window       name of a SciPy window, such as hann, hamming or blackmanharris.
    hop          samples in a cell of time, at the rate that the velocities fill; these reach as far below 0 as above.
    compression  exponent of the magnitude, more than 0 and up to 1.
    """

    raster: Literal["stft_complex"]
    window: str
    window_s: float
    hop: int
    compression: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.velocity.start != -self.velocity.stop:
            raise InputError(f"velocity.start: expected {-self.velocity.stop:g}, got {self.velocity.start:g}")
        if not 0 < self.window_s <= self.time.stop / 2:
            most_s = self.time.stop / 2
            raise InputError(f"window_s: expected more than 0, up to half of a crop = {most_s:g}, got {self.window_s}")
        _ = self.stft

    @property
    def stft(self) -> Stft:
        rate_hz = self.hop * self.time.size / self.time.stop
        return Stft(self.window, self.window_s, self.hop, self.velocity.size, rate_hz, self.compression)

    def told(self) -> dict[str, Any]:
        return {**super().told(), "stft": asdict(self.stft)}

    def powers(self, rows: np.ndarray) -> np.ndarray:
        """(..., 2, F, T) -> (..., 1, F, T), their power in network range of powers."""
        return powers(rows, self.compression, self.floor_db, self.ceiling_db)


def stft_complex(samples: np.ndarray, rate_hz: float, wavelength_m: float, params: ComplexStftParams) -> np.ndarray:
    """Short-time spectra (F, T) of a whole recording, complex, velocities ascending.

    samples  (N,) complex, positive frequency = approaching.

    The band of the axis is cut out of the recording, which is resampled to the rate that the band fills; what is slower
    than the notch is left out of all of it. Before and after the recording there is nothing. Raises InputError for a
    signal without sign, for velocities that are not those of `hop` samples in a cell within half a cell, and for those
    that the signal cannot have.
    """
    if not np.iscomplexobj(samples):
        raise InputError("grid.raster: expected stft for one channel, which has no phase to keep, got stft_complex")
    stft, velocity, time = params.stft, params.axes()[0], params.whole(len(samples) / rate_hz)
    filled = stft.rate_hz * wavelength_m / 4
    if abs(filled - velocity.stop) > velocity.step / 4:
        told = f"{-filled:.5g} to {filled:.5g} m/s, which hop = {stft.hop} in a cell of {time.step:g} s is at"
        got = f"{velocity.start:g} to {velocity.stop:g}"
        raise InputError(f"grid.velocity: expected {told} a wavelength of {1000 * wavelength_m:.4g} mm, got {got}")
    if stft.rate_hz > rate_hz * (1 + WHOLE):
        told = f"at most {rate_hz * wavelength_m / 4:.4g} m/s, which {rate_hz:g} Hz can tell"
        raise InputError(f"grid.velocity: expected {told}, got {filled:.4g}")
    band = _baseband(samples[: round(time.stop * rate_hz)], rate_hz, wavelength_m, time.size, params)
    return spectra(band, stft.hop // 2, time.size, stft)


def to_network(found: np.ndarray, params: ComplexStftParams) -> np.ndarray:
    """(F, T) complex, of a whole recording -> (2, F, T) float32, its two parts, of magnitude 0 .. 1 (ceiling or more).

    0 dB is what it is for powers (`spectrograms.to_network`). Raises InputError where no cell has power.
    """
    power = found.real**2 + found.imag**2
    if not (power > 0).any():
        raise InputError("expected power inside the grid, got none")
    loudest = np.quantile(power[power > 0], LOUD) * 10 ** (params.ceiling_db / 10)
    magnitude = np.sqrt(power / loudest)
    scale = np.divide(magnitude.clip(max=1) ** params.compression, magnitude, where=magnitude > 0, out=0 * magnitude)
    made = found * (scale / np.sqrt(loudest))
    return np.stack([made.real, made.imag]).astype(np.float32)


def _baseband(
    samples: np.ndarray, rate_hz: float, wavelength_m: float, cells: int, params: ComplexStftParams
) -> np.ndarray:
    """(cells * hop,) samples whose frequency rises with velocity: bin j of the transform is the middle of cell j."""
    taken = np.conj(samples).astype(np.complex128)
    frequency_hz = np.fft.fftfreq(len(taken), 1 / rate_hz)
    spectrum = np.where(np.abs(frequency_hz) * wavelength_m / 2 < params.notch_mps, 0, np.fft.fft(taken))
    shifted = np.fft.ifft(spectrum) * np.conj(half_bin(len(taken), rate_hz, params.stft))
    return np.asarray(resample(shifted, cells * params.hop))
