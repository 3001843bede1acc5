"""grids.zarr of micro-Doppler, written recording by recording."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from echoes.arrays import Writer
from echoes.dataset.frames import SPLITS
from echoes.dataset.spectrograms import FAMILY
from echoes.errors import InputError
from echoes.grids import Axis
from echoes.provenance import Header
from echoes.readers.recordings import RecordingEntry

CHANNELS = {1: ["power"], 2: ["real", "imaginary"], 3: ["r", "g", "b"]}


class SpectrogramsWriter:
    """Appends the crops of recordings to a group; the header lists recordings and labels."""

    def __init__(self, writer: Writer, axes: tuple[Axis, Axis], recorded: Sequence[RecordingEntry]) -> None:
        """axes: velocity and time of a crop; recorded: whatever is appended later."""
        self._writer, self._axes = writer, axes
        self._recordings = {one.key: i for i, one in enumerate(recorded)}
        self._kinds = list(recorded[0].labels)
        self.labels = {kind: sorted({one.labels[kind] for one in recorded}, key=_order) for kind in self._kinds}
        self._splits: dict[tuple[str, str], set[str]] = {}  # of each label (kind, value)
        self._combinations: set[tuple[str, ...]] = set()  # of labels, that are trained
        self._channels = 0
        self.crops = dict.fromkeys(SPLITS, 0)

    def append(
        self, recorded: RecordingEntry, stamps: Sequence[float], splits: Sequence[str], crops: np.ndarray
    ) -> None:
        """Add crops (K, C, F, T) of one recording, in network range, that start at `stamps` [s]."""
        self._check(recorded, crops)
        rows = len(crops)
        self._writer.append("spectrogram", crops.astype(np.float16))
        for kind, value in recorded.labels.items():
            self._writer.append(f"label_{kind}", np.full(rows, self.labels[kind].index(value), np.int32))
            self._splits.setdefault((kind, value), set()).update(splits)
        if "train" in splits:
            self._combinations.add(tuple(recorded.labels[kind] for kind in self._kinds))
        self._writer.append("recording", np.full(rows, self._recordings[recorded.key], np.int32))
        self._writer.append("stamp", np.asarray(stamps, np.float64))
        self._writer.append("split", np.array([SPLITS.index(split) for split in splits], np.uint8))
        for split in splits:
            self.crops[split] += 1

    def seal(self, params: dict[str, Any], told: Mapping[str, Any], parents: dict[str, str]) -> None:
        """Close with the header; raises InputError unless every label can be trained on and tested.

        told  what the layout tells of network range.
        """
        for split, count in self.crops.items():
            if count == 0:
                raise InputError(f"split: expected crops in every split, got none in {split} ({self.crops})")
        for (kind, value), splits in self._splits.items():
            for wanted in ("train", "test"):
                if wanted not in splits:
                    found = ", ".join(sorted(splits))
                    raise InputError(f"split: expected {wanted} data of {kind} {value}, got it in {found} only")
        content = {
            "family": FAMILY,
            "axes": [{n: getattr(a, n) for n in ("name", "unit", "start", "stop", "size")} for a in self._axes],
            "channels": CHANNELS[self._channels],
            "kinds": self._kinds,  # a mapping in JSON has no order that holds
            "labels": self.labels,
            "combinations": sorted(self._combinations, key=lambda labels: [_order(value) for value in labels]),
            **told,
            "recordings": list(self._recordings),
        }
        self._writer.seal(Header("grids", params, parents, content))

    def _check(self, recorded: RecordingEntry, crops: np.ndarray) -> None:
        if crops.shape[1] not in CHANNELS:
            raise InputError(f"{recorded.key}: expected 1 to 3 channels, got {crops.shape[1]}")
        self._channels = self._channels or crops.shape[1]
        if crops.shape[1] != self._channels:
            raise InputError(f"{recorded.key}: expected {self._channels} channels, as before, got {crops.shape[1]}")


def _order(value: str) -> tuple[bool, int, str]:
    """Numbers by their size, before words."""
    return not value.isdecimal(), int(value) if value.isdecimal() else 0, value
