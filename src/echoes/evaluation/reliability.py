"""Whether probabilities mean what they say: of the cells given 0.7, 70 % are occupied.

Frames are added one after the other; what is kept are sums, whatever the number of frames.

Nearly all cells of a grid are empty and are told so with a probability near 0, so errors averaged over all cells
are tiny for any model: the Brier score and the calibration error of a model that says nothing but 0 are the share
of occupied cells. The calibration error is therefore also given over the cells that matter, those whose
probability is at least LIKELY. Occupied cells below it are not among them: choosing cells by what turned out would
make even an exactly calibrated model look too cautious. Their share among the occupied cells stands beside it
instead, as `missed`.
"""

import math

import numpy as np

from echoes.evaluation.bands import BANDS_M

BINS = 15  # of equal width (Guo et al. 2017, Sec. 4)
LIKELY = 0.05  # probability from which on a cell counts in `ece_likely`


class Reliability:
    """Sums over cells, by range band, by whether the probability is at least LIKELY, and by bin of probability."""

    def __init__(self) -> None:
        shape = (len(BANDS_M), 2, BINS)
        self._cells, self._probability, self._occupied, self._squared_error = (np.zeros(shape) for _ in range(4))

    def add(self, probability: np.ndarray, occupied: np.ndarray, band: np.ndarray) -> None:
        """Count the cells of a frame.

        probability   (M,) 0..1 that a cell is occupied, of every cell that is judged, the improbable ones too.
        occupied      (M,) bool: what was there.
        band          (M,) integers, index in BANDS_M (`bands.band_of`).
        """
        p = np.asarray(probability, dtype=np.float64)
        if not ((p >= 0) & (p <= 1)).all():
            raise ValueError("probability: expected values from 0 to 1, got others or NaN")
        where = np.ravel_multi_index((band, (p >= LIKELY).astype(np.int64), _bins(p)), self._cells.shape)
        for sums, values in (
            (self._cells, np.ones_like(p)),
            (self._probability, p),
            (self._occupied, np.asarray(occupied, dtype=np.float64)),
            (self._squared_error, (p - occupied) ** 2),
        ):
            sums += np.bincount(where, values, sums.size).reshape(sums.shape)

    def join(self, other: "Reliability") -> None:
        """Count the cells of frames that another one has counted."""
        for ours, theirs in zip(self._sums(), other._sums(), strict=True):
            ours += theirs

    def _sums(self) -> tuple[np.ndarray, ...]:
        return self._cells, self._probability, self._occupied, self._squared_error

    def numbers(self) -> dict[str, float]:
        """Of all cells, and under `<key>_<band>` of each range band; NaN where there is no cell to tell from.

        brier        mean squared error of the probability (Brier 1950).
        ece          expected calibration error: the mean over cells of the gap between the mean probability and
                     the share of occupied cells in the cell's bin (Guo et al. 2017, Eq. 3).
        ece_likely   the same over the cells with a probability of at least LIKELY.
        missed       the share of the occupied cells with a probability below LIKELY.
        """
        whole = self._numbers(slice(None))
        bands = ((name, self._numbers(slice(i, i + 1))) for i, name in enumerate(BANDS_M))
        return whole | {f"{key}_{name}": value for name, numbers in bands for key, value in numbers.items()}

    def _numbers(self, bands: slice) -> dict[str, float]:
        cells, probability, occupied, squared_error = (sums[bands].sum(axis=0) for sums in self._sums())
        gaps = probability - occupied
        return {
            "brier": _share(squared_error.sum(), cells.sum()),
            "ece": _share(np.abs(gaps.sum(axis=0)).sum(), cells.sum()),
            "ece_likely": _share(np.abs(gaps[1]).sum(), cells[1].sum()),
            "missed": _share(occupied[0].sum(), occupied.sum()),
        }


def _bins(p: np.ndarray) -> np.ndarray:
    """(M,) index of the bin ((i / BINS, (i + 1) / BINS]) of each probability; the first holds 0 too."""
    return (np.searchsorted(np.linspace(0, 1, BINS + 1), p, side="left") - 1).clip(min=0)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
