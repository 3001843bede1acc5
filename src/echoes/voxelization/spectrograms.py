"""A recording as a reader gives it -> its crops, as spectrograms in network range."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from echoes.errors import InputError
from echoes.rasters import complex_stft
from echoes.rasters.complex_stft import ComplexStftParams, stft_complex
from echoes.rasters.doppler_time import DopplerTimeParams, doppler_time_power
from echoes.rasters.spectrograms import Layout, StftParams, stft_power, to_network
from echoes.readers.recordings import Picture, RecordingEntry, Returns, Signal
from echoes.voxelization.crops import Crops, cut


@dataclass(frozen=True)
class PictureParams(Layout):
    """The section `<track>.grid` for spectrograms stored as images, whose 0 and 1 are floor and ceiling."""

    raster: Literal["picture"]


SpectrogramParams = StftParams | ComplexStftParams | DopplerTimeParams | PictureParams


def prepare(
    read: Callable[[Path, Any, RecordingEntry], Signal | Returns | Picture],
    root: Path,
    source: Any,
    params: SpectrogramParams,
    crops: Crops,
) -> np.ndarray:
    """Read a recording once and rasterize all its crops: (K, C, F, T) float16 in network range.

    Raises InputError, naming the recording, where it does not fit the parameters, and what the reader raises.
    """
    held = read(root, source, crops.recorded)
    try:
        return _rasterized(held, params, crops).astype(np.float16)
    except InputError as error:
        key = crops.recorded.key
        raise error if str(error).startswith(key) else InputError(f"{key}: {error}") from error


def moving(
    read: Callable[[Path, Any, RecordingEntry], Signal | Returns | Picture],
    root: Path,
    source: Any,
    params: StftParams | ComplexStftParams | DopplerTimeParams,
    crops: Crops,
) -> np.ndarray:
    """(K,) bool, in which crops something is as loud as `params.quiet_db`; raises what `prepare` does."""
    return params.moving(prepare(read, root, source, params, crops))


def _rasterized(held: Signal | Returns | Picture, params: SpectrogramParams, crops: Crops) -> np.ndarray:
    match held, params:
        case Signal(), StftParams():
            _check_finite(held.samples, "samples")
            power = stft_power(held.samples, held.rate_hz, held.wavelength_m, params)
        case Signal(), ComplexStftParams():
            _check_finite(held.samples, "samples")
            spectra = stft_complex(held.samples, held.rate_hz, held.wavelength_m, params)
            return cut(complex_stft.to_network(spectra, params), crops, params)
        case Returns(), DopplerTimeParams():
            _check_finite(held.power, "powers")
            time = params.whole(crops.recorded.duration_s)
            power = doppler_time_power(held.stamps, held.scan, held.doppler, held.power, time, params)
        case Picture(), PictureParams():
            return _picture(held.values, params)
        case _:
            fits = {Signal: "stft or stft_complex", Returns: "doppler_time", Picture: "picture"}[type(held)]
            raise InputError(f"grid.raster: expected {fits} for what the reader gives, got {params.raster}")
    return cut(to_network(power, params.floor_db, params.ceiling_db)[None], crops, params)


def _picture(values: np.ndarray, params: PictureParams) -> np.ndarray:
    """(C, H, W) 0..1, the highest velocity first -> (1, C, F, T) -1..1, the lowest first."""
    expected = params.velocity.size, params.time.size
    if values.shape[1:] != expected:
        rows, columns = values.shape[1:]
        raise InputError(
            f"expected {expected[0]} x {expected[1]} pixels, the sizes of grid.velocity and grid.time, "
            f"got {rows} x {columns}"
        )
    return 2 * values[None, :, ::-1] - 1


def _check_finite(values: np.ndarray, name: str) -> None:
    if not np.isfinite(values).all():
        raise InputError(f"expected finite {name}, got {values[~np.isfinite(values)][0]}")
