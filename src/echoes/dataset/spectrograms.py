"""grids.zarr of micro-Doppler: crops of spectrograms with their labels, read crop by crop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from echoes import params
from echoes.arrays import Reader
from echoes.dataset.frames import NUMBERS, split_numbers
from echoes.dataset.metadata import SpectrogramMetadata
from echoes.errors import InputError
from echoes.rasters.stft import Stft, powers

FAMILY = "microdoppler"
METADATA = ("family", "axes", "kinds", "labels", "combinations", "scaling")
STFT = "stft"  # in a header: of spectrograms that keep their phase


@dataclass(frozen=True)
class CropsMetadata(SpectrogramMetadata):
    """Names of the channels and of the recordings."""

    channels: tuple[str, ...]
    recordings: tuple[str, ...]


class Spectrograms:
    """Crops of grids.zarr, in network range: -1 at the floor, 1 at the ceiling, linear in dB; or complex.

    stft  how complex ones were made; None for others.
    """

    family = FAMILY
    rank = 2

    def __init__(self, path: Path) -> None:
        """Raises InputError where `path` is no whole grids artifact."""
        self._reader = Reader(path, "grids")
        self.path, self.header = path, self._reader.header
        told: CropsMetadata = params.build_subset(CropsMetadata, self.header.content, f"{path}: header")
        self.velocity, self.time = told.axes
        self.floor_db, self.ceiling_db = told.scaling.floor_db, told.scaling.ceiling_db
        self.channel_names, self.label_names = told.channels, {kind: told.labels[kind] for kind in told.kinds}
        self.stft = stft(self.header.content, told, f"{path}: header")
        self._split = split_numbers(self._reader)
        rows = len(self._split)
        self._reader.require("stamp", "f", rows)
        self._reader.require("spectrogram", "f", rows, self.channels, *self.shape)
        self._labels = np.stack([self._places(f"label_{k}", len(names)) for k, names in self.label_names.items()], 1)
        self._recordings = self._places("recording", len(told.recordings))

    def _places(self, name: str, count: int) -> np.ndarray:
        """(N,) of the array `name`; raises InputError unless all are places in a list of `count`."""
        self._reader.require(name, "i", len(self._split))
        found = self._reader.all(name)
        if not 0 <= found.min() <= found.max() < count:
            raise InputError(f"{self.path}/{name}: expected 0 to {count - 1}, got {found.min()} to {found.max()}")
        return found

    @property
    def shape(self) -> tuple[int, int]:
        """(F, T)."""
        return self.velocity.size, self.time.size

    @property
    def channels(self) -> int:
        return len(self.channel_names)

    @property
    def metadata(self) -> dict[str, Any]:
        """What of the header the models made from these spectrograms carry on."""
        names = METADATA if self.stft is None else (*METADATA, STFT)
        carried = {name: self.header.content[name] for name in names}
        return {**carried, "channel_names": list(self.channel_names)}

    def require_mirror(self, section: str, mirror: bool) -> None:
        """Raises InputError for a spectrogram in a mirror: neither approaching nor time can be turned around."""
        if mirror:
            raise InputError(f"{section}.mirror: expected false, as the mirror of a spectrogram is none, got true")

    def frames(self, split: str) -> np.ndarray:
        """(N,) indices of the crops of a split, recording after recording."""
        return np.flatnonzero(self._split == NUMBERS[split])

    def targets(self) -> np.ndarray:
        """(N,) indices of the crops that an autoencoder learns from."""
        return self.frames("train")

    def __len__(self) -> int:
        return len(self._split)

    def stamps(self) -> np.ndarray:
        """(N,) s, when each crop starts in its recording."""
        return self._reader.all("stamp")

    def recordings(self) -> np.ndarray:
        """(N,) position in the header's list of recordings of each crop."""
        return self._recordings

    def target_batch(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, C, F, T) float32 in network range."""
        rows = [self._reader.rows("spectrogram", int(f), int(f) + 1) for f in frames]
        return np.concatenate(rows).astype(np.float32)

    def powers(self, values: np.ndarray) -> np.ndarray:
        """(B, C, F, T) as stored or generated -> as they are looked at: complex ones as powers (B, 1, F, T)."""
        if self.stft is None:
            return values
        return powers(values, self.stft.compression, self.floor_db, self.ceiling_db)

    def labels(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, kinds) int64 positions in `label_names`, kinds in its order."""
        return self._labels[np.asarray(frames)].astype(np.int64)


def stft(content: Mapping[str, Any], told: SpectrogramMetadata, path: str) -> Stft | None:
    """How complex spectrograms were made, as the header of grids or of a model tells it; None of others.

    Raises InputError for a transform of other cells than the axes. path: for messages.
    """
    if STFT not in content:
        return None
    found: Stft = params.build(Stft, content[STFT], f"{path}: {STFT}")
    if found.bins != told.axes[0].size:
        raise InputError(f"{path}: {STFT}.bins: expected {told.axes[0].size}, the cells of velocity, got {found.bins}")
    return found
