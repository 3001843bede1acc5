"""Complex short-time spectra in network range -> the powers that they show, and the samples that they are of."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from scipy.signal import ShortTimeFFT, get_window

from echoes.errors import InputError

MOST_BINS = 1 << 16
LEAST = 0.01  # of the sum of squared windows where it is highest, that every sample has: else noise drowns it


@dataclass(frozen=True)
class Stft:
    """The transform of crops, and how its values are compressed: all that leads back to samples.

    window       name of a SciPy window; window_s: its length; hop: samples from one window to the next, a cell of time.
    bins         of the transform, as many as cells of velocity; rate_hz: of the samples.
    compression  exponent c of the magnitude: z |z|^(c - 1) has the phase of z, and faint echoes beside loud ones are
                 no longer nothing (Richter et al. 2023, who take 0.5 for speech).
    """

    window: str
    window_s: float
    hop: int
    bins: int
    rate_hz: float
    compression: float

    def __post_init__(self) -> None:
        if not 0 < self.compression <= 1:
            raise InputError(f"compression: expected more than 0, up to 1, got {self.compression}")
        if self.hop < 1 or not self.rate_hz > 0 or self.bins > MOST_BINS:
            told = f"a sample or more at more than 0 Hz, and at most {MOST_BINS} bins"
            raise InputError(f"hop: expected {told}, got {self.hop} at {self.rate_hz:g} Hz and {self.bins}")
        shortest, longest = self.hop / self.rate_hz, self.bins / self.rate_hz
        if not self.hop <= self.length <= self.bins:
            told = f"from a cell of time to a sample per cell of velocity, {shortest:.4g} to {longest:.4g} s"
            raise InputError(f"window_s: expected {told}, got {self.window_s:g}")
        try:
            weight = self.taps() ** 2
        except ValueError as error:
            raise InputError(f"window: expected a SciPy window without parameters, got {self.window!r}") from error
        laps = np.pad(weight, (0, -len(weight) % self.hop)).reshape(-1, self.hop).sum(axis=0)
        if laps.min() < LEAST * laps.max():
            told = f"more, as such windows every {shortest:.4g} s leave gaps"
            raise InputError(f"window_s: expected {told}, got {self.window_s:g}")

    @property
    def length(self) -> int:
        """Samples in a window."""
        return round(self.window_s * self.rate_hz) if isfinite(self.window_s * self.rate_hz) else 0

    def taps(self) -> np.ndarray:
        """(length,) of the window."""
        return np.asarray(get_window(self.window, self.length))


def powers(values: np.ndarray, compression: float, floor_db: float, ceiling_db: float) -> np.ndarray:
    """(..., 2, F, T) as `complex_stft` gives them -> (..., 1, F, T) float32, -1 (floor or less) .. 1 (ceiling), in dB.

    Raises InputError for other channels than a real and an imaginary part, which a header of strangers may tell of.
    """
    if values.shape[-3] != 2:
        raise InputError(f"stft: expected spectrograms of 2 channels, got {values.shape[-3]}")
    real, imaginary = (values[..., i : i + 1, :, :].astype(np.float32) for i in range(2))
    magnitude = np.hypot(real, imaginary)
    with np.errstate(divide="ignore"):  # nothing is minus infinity dB, which is clipped
        level_db = ceiling_db + 20 / compression * np.log10(magnitude)
    return np.clip(2 * (level_db - floor_db) / (ceiling_db - floor_db) - 1, -1, 1).astype(np.float32)


def samples(values: np.ndarray, stft: Stft) -> np.ndarray:
    """(2, F, T) as `complex_stft` gives them -> (T * hop,) complex64 samples of the same crop, at `stft.rate_hz`.

    Positive frequency is approaching; of amplitude 1 is a tone as loud as the ceiling. Their transform is (2, F, T)
    again, but for the cells whose windows reach out of the crop.
    """
    cells, start = values.shape[-1], stft.length // 2 - stft.hop // 2
    band = stft.taps().sum() * _inverted(_expanded(values, stft), stft)[start : start + cells * stft.hop]
    return np.conj(band * half_bin(len(band), stft.rate_hz, stft)).astype(np.complex64)


def inconsistency(values: np.ndarray, stft: Stft) -> float:
    """|STFT(iSTFT(X)) - X| / |X| of (2, F, T) values: 0 for the spectra of samples, 1 for what no samples have."""
    wanted = _expanded(values, stft)
    again = spectra(_inverted(wanted, stft), stft.length // 2, wanted.shape[1], stft)
    size = float(np.linalg.norm(wanted))
    return float(np.linalg.norm(again - wanted)) / size if size else 0.0


def half_bin(count: int, rate_hz: float, stft: Stft) -> np.ndarray:
    """(count,) samples of the frequency of half a bin: the cells of velocity lie evenly around 0, the bins do not."""
    return np.exp(1j * np.pi * stft.rate_hz / stft.bins * np.arange(count) / rate_hz)


def spectra(band: np.ndarray, first: int, cells: int, stft: Stft) -> np.ndarray:
    """(F, T) of windows around the sample `first` and every hop after it; zeros around the samples."""
    transform = ShortTimeFFT(stft.taps(), stft.hop, stft.rate_hz, fft_mode="centered", mfft=stft.bins)
    before = -first % stft.hop
    number = (first + before) // stft.hop
    return np.asarray(transform.stft(np.pad(band, (before, 0)), number, number + cells))


def _inverted(wanted: np.ndarray, stft: Stft) -> np.ndarray:
    """((T - 1) hop + length,) the samples whose spectra are nearest to (F, T) (Griffin & Lim 1984, Eq. 6)."""
    cells, taps = wanted.shape[1], stft.taps()
    turned = np.roll(np.fft.ifft(np.fft.ifftshift(wanted, axes=0), axis=0), stft.length // 2, axis=0)
    frames = turned[: stft.length] * taps[:, None]
    made = np.zeros((cells - 1) * stft.hop + stft.length, np.complex128)
    weight = np.zeros(len(made))
    for start, frame in zip(range(0, cells * stft.hop, stft.hop), frames.T, strict=True):
        made[start : start + stft.length] += frame
        weight[start : start + stft.length] += taps**2
    known = weight > np.finfo(np.float64).eps * weight.max()
    return np.divide(made, weight, where=known, out=np.zeros_like(made))


def _expanded(values: np.ndarray, stft: Stft) -> np.ndarray:
    """(2, F, T) -> (F, T) complex, before its magnitudes were compressed."""
    made = values[0].astype(np.float64) + 1j * values[1]
    return made * np.abs(made) ** (1 / stft.compression - 1)
