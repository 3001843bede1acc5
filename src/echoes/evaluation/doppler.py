"""What a radar measures besides positions: range, angles, Doppler and power, of clouds and of matched cells."""

from collections.abc import Mapping, Sequence

import numpy as np

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the quantiles reported


def mean_absolute_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """Mean of |predicted - true| over matched cells, both (K,); NaN where none is matched.

    Raises ValueError for a value that is not finite, which would pass for "no cell matched".
    """
    if not np.isfinite(predicted).all() or not np.isfinite(true).all():
        raise ValueError("expected finite values in matched cells, got NaN or infinity")
    return float(np.abs(predicted.astype(np.float64) - true).mean()) if len(true) else float("nan")


def quantities(points: np.ndarray) -> dict[str, np.ndarray]:
    """(N, 5) x, y, z [m], Doppler [m/s], power [dB] in the sensor frame -> name to (N,) values.

    range_m is the slant range; azimuth_rad is positive to the left, elevation_rad upwards.
    """
    x, y, z, doppler_mps, power_db = points.astype(np.float64).T
    return {
        "range_m": np.sqrt(x**2 + y**2 + z**2),
        "azimuth_rad": np.arctan2(y, x),
        "elevation_rad": np.arctan2(z, np.hypot(x, y)),
        "doppler_mps": doppler_mps,
        "power_db": power_db,
    }


def pooled(clouds: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The quantities of all (N_i, 5) clouds together, and `points`: how many each cloud has."""
    return {"points": np.array([float(len(c)) for c in clouds]), **quantities(np.concatenate(clouds))}


def quantiles(clouds: Sequence[np.ndarray]) -> dict[str, float]:
    """Flat `<quantity>_q05` ... `_q95` of a set of (N_i, 5) clouds that hold at least one point."""
    return {
        f"{name}_q{round(100 * level):02d}": float(value)
        for name, values in pooled(clouds).items()
        for level, value in zip(LEVELS, np.quantile(values, LEVELS), strict=True)
    }


def histograms(clouds: Sequence[np.ndarray], edges: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """For each quantity named in `edges`, the share of the values in each bin.

    Values outside the edges count in the total, so the shares may sum to less than 1.
    """
    values = pooled(clouds)
    return {name: np.histogram(values[name], bins)[0] / max(len(values[name]), 1) for name, bins in edges.items()}
