"""Detected points of a person, scan after scan -> power over radial velocity and time."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from echoes.errors import InputError
from echoes.grids import Axis
from echoes.rasters.spectrograms import CropLayout, shares


@dataclass(frozen=True)
class DopplerTimeParams(CropLayout):
    """The section `<track>.grid` for detected points.

    resolution_mps  width of a Doppler bin of the sensor: a return may have any velocity within half of it.
    """

    raster: Literal["doppler_time"]
    resolution_mps: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution_mps <= 0:
            raise InputError(f"resolution_mps: expected more than 0, got {self.resolution_mps}")


def doppler_time_power(
    stamps: np.ndarray, scan: np.ndarray, doppler: np.ndarray, power: np.ndarray, time: Axis, params: DopplerTimeParams
) -> np.ndarray:
    """Histogram of the Doppler of each scan, weighted with power, then its mean over each cell of time.

    stamps   (S,) s, of each scan, increasing; scan (N,) the scan of each return.
    doppler  (N,) m/s, positive = receding; power (N,) linear.
    time     the cells, (T,), of the whole recording.
    returns  (F, T) float64 in the unit of `power`; 0 where nothing was detected.

    A return is spread evenly over the resolution of the sensor, else cells between its Doppler bins stay empty;
    what lies outside the axis or moves slower than the notch is dropped. A scan lasts from halfway to the one
    before to halfway to the next, but no longer than a median period either way: scans jitter, and a cell that
    none of them falls into is no pause.
    """
    velocity = params.axes()[0]
    fast = (np.abs(doppler) >= params.notch_mps) & (power > 0)
    scan, doppler, weight = scan[fast], doppler[fast].astype(np.float64), power[fast].astype(np.float64)
    half_mps = params.resolution_mps / 2
    levels, level = np.unique(doppler, return_inverse=True)  # the sensor knows few velocities
    of_level = np.zeros((len(levels), len(stamps)))
    np.add.at(of_level, (level, scan), weight)
    histogram = shares(levels - half_mps, levels + half_mps, velocity.edges) @ of_level
    return np.asarray(histogram @ _durations(stamps, time).T / time.step)


def _durations(stamps: np.ndarray, time: Axis) -> np.ndarray:
    """(T, S) s of each cell of time that each scan lasts."""
    if len(stamps) < 2:
        raise InputError(f"expected two scans or more, got {len(stamps)}")
    steps = np.diff(stamps)
    reach_s = np.minimum(steps / 2, np.median(steps))
    period_s = np.median(steps) / 2
    low, high = stamps - np.r_[period_s, reach_s], stamps + np.r_[reach_s, period_s]
    return shares(low, high, time.edges) * (high - low)
