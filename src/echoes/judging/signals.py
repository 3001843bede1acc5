"""What one micro-Doppler recording tells about itself: its channels, its limits, and what moves in it."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from scipy.signal.windows import hann

from echoes.readers.recordings import Picture, Returns, Signal

WINDOW_S = 0.1  # of the spectra that motion is told by, between the numbers of samples below
SHORTEST, LONGEST = 32, 512
BLOCKS, BLOCK = 16, 256  # of windows that follow each other, which are looked at, evenly spread
NEAR_DC = 2  # bins on either side of standing still: the main lobe of the window
LOUD = 30.0  # times the median of its spectrum that motion has: 15 dB
ENDS = 0.12  # share of the velocities of either sign, the fastest ones, between which what is faster folds over
ONE_SIDED = 4.0  # times its mirror image that an echo has which tells of an imbalance
LEAST_WINDOWS, LEAST_BINS = 5, 12  # in which it is seen
STEADY = 0.8  # of the image's phase: it is the same at all velocities, that of two movers is not
SAME = 1e-4  # share of the power of two channels in which they differ: they are one


@dataclass(frozen=True)
class Traits:
    """None where a recording of its kind, or one so short, does not tell.

    digest        of all that it holds.
    constant      what of it never changes, such as "I"; empty for nothing.
    one_channel   I and Q are the same up to a factor.
    clipped       share of the samples at the limits of what could be stored.
    wavelength_m  of the carrier.
    offset_db     power of the mean relative to what changes.
    image_db      mirror image of an imbalance of I and Q, relative to what it is of.
    folded        how often the loudest goes from the highest velocity of one sign to that of the other from a window
                  to the next, as a share of the windows with motion; of complex samples.
    approaching   share of the power of what moves that approaches.
    largest       value of a picture, 0 to 1.
    """

    digest: str
    constant: str = ""
    one_channel: bool = False
    clipped: float | None = None
    wavelength_m: float | None = None
    offset_db: float | None = None
    image_db: float | None = None
    folded: float | None = None
    approaching: float | None = None
    largest: float | None = None


def measure(held: Signal | Returns | Picture) -> Traits:
    """What a recording tells, as a reader gave it."""
    match held:
        case Signal():
            return _signal(held)
        case Returns():
            columns = {"the Doppler": held.doppler, "the power": held.power}
            return Traits(_digest(held.stamps, *columns.values()), _constant(columns))
        case Picture():
            largest = float(held.values.max())
            return Traits(_digest(held.values), _constant({"the picture": held.values}), largest=largest)


def _signal(held: Signal) -> Traits:
    samples, signed = held.samples, np.iscomplexobj(held.samples)
    digest, clipped, wavelength_m = _digest(samples), held.clipped, held.wavelength_m
    channels = {"I": samples.real, "Q": samples.imag} if signed else {"the signal": samples}
    constant = _constant(channels)
    if constant or not np.isfinite(samples).all():
        return Traits(digest, constant, clipped=clipped, wavelength_m=wavelength_m)
    mean = samples.mean(dtype=np.complex128)
    moved = samples - mean
    power = float((moved.real.astype(np.float64) ** 2 + moved.imag.astype(np.float64) ** 2).mean())
    offset_db = _db(abs(mean) ** 2 / power) if power > 0 else None
    one_channel = signed and _one_channel(moved)
    spectra = _spectra(moved, held.rate_hz)
    image_db = _image_db(spectra) if signed and not one_channel and spectra is not None else None
    folded, approaching = (None, None) if spectra is None or not signed else _motion(spectra)
    return Traits(digest, "", one_channel, clipped, wavelength_m, offset_db, image_db, folded, approaching)


def _digest(*arrays: np.ndarray) -> str:
    found = blake2b(digest_size=16)
    for array in arrays:
        found.update(np.ascontiguousarray(array).view(np.uint8).data)
    return found.hexdigest()


def _constant(columns: dict[str, np.ndarray]) -> str:
    """Those that are the same from the first value to the last."""
    return " and ".join(name for name, values in columns.items() if values.size and float(np.ptp(values)) == 0)


def _one_channel(moved: np.ndarray) -> bool:
    """Whether one part of (N,) samples without their mean is the other one times a number, the same throughout."""
    covariance = np.cov(moved.real.astype(np.float64), moved.imag.astype(np.float64))
    variance = np.linalg.eigvalsh(covariance)
    return bool(variance[0] < SAME * variance[1])


def _spectra(moved: np.ndarray, rate_hz: float) -> np.ndarray | None:
    """(M, L) spectra of windows of the samples, 0 first, those of standing still emptied; None for a short recording.

    Real samples have both halves, which mirror each other.
    """
    length = int(np.clip(2 ** round(np.log2(max(WINDOW_S * rate_hz, 1))), SHORTEST, LONGEST))
    if len(moved) < 2 * length:
        return None
    starts = np.arange(0, len(moved) - length + 1, length // 2)
    if len(starts) > BLOCKS * BLOCK:
        firsts = np.linspace(0, len(starts) - BLOCK, BLOCKS).round().astype(int)
        starts = starts[(firsts[:, None] + np.arange(BLOCK)).reshape(-1)]
    windows = np.lib.stride_tricks.sliding_window_view(moved, length)[starts]
    spectra = np.asarray(np.fft.fft(windows * hann(length, sym=False), axis=1))
    spectra[:, : NEAR_DC + 1], spectra[:, -NEAR_DC:] = 0, 0
    return spectra


def _motion(spectra: np.ndarray) -> tuple[float | None, float | None]:
    """How often the loudest folds over, and which share of the power of what moves approaches."""
    power = spectra.real**2 + spectra.imag**2
    half = power.shape[1] // 2
    floor = np.median(power[:, NEAR_DC + 1 : -NEAR_DC], axis=1, keepdims=True)
    loudest = power.argmax(axis=1)
    moving = power.max(axis=1) > LOUD * np.maximum(floor[:, 0], np.finfo(np.float32).tiny)
    if not moving.any():
        return None, None
    above = np.maximum(power[moving] - floor[moving], 0)
    frequency = np.where(loudest < half, loudest, loudest - 2 * half)
    end = np.where(moving & (np.abs(frequency) > (1 - ENDS) * half), np.sign(frequency), 0)
    crossed = np.count_nonzero(end[1:] * end[:-1] < 0)
    return float(crossed / np.count_nonzero(moving)), float(above[:, 1:half].sum() / above.sum())


def _image_db(spectra: np.ndarray) -> float | None:
    """The mirror image that a receiver makes whose I and Q differ in gain, or are not 90 degrees apart.

    It gives K1 z + K2 conj(z) of z, so that beside Z(f) there is K2 / conj(K1) conj(Z(f)) at -f: their product has the
    same phase at all times and all velocities. Two echoes that happen to mirror each other do not have it.
    """
    half = spectra.shape[1] // 2
    ahead, behind = spectra[:, NEAR_DC + 1 : half], spectra[:, -NEAR_DC - 1 : half : -1]
    stronger, weaker = (pick(abs(ahead) ** 2, abs(behind) ** 2) for pick in (np.maximum, np.minimum))
    floor = np.median(np.concatenate([abs(ahead) ** 2, abs(behind) ** 2], axis=1), axis=1, keepdims=True)
    told = (stronger > LOUD * np.maximum(floor, weaker / LOUD * ONE_SIDED)) & (stronger > 0)
    seen = told.sum(axis=0) >= LEAST_WINDOWS
    if seen.sum() < LEAST_BINS:
        return None
    products = np.where(told, ahead * behind / np.where(told, stronger, 1), 0)[:, seen]
    image = products.sum(axis=0) / told[:, seen].sum(axis=0)
    mean, size = image.mean(), np.abs(image)
    if not (size > 0).all() or abs((image / size).mean()) < STEADY:
        return None
    return _db(abs(mean) ** 2)


def _db(ratio: float) -> float:
    return float(10 * np.log10(max(ratio, 1e-30)))
