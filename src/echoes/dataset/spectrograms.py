"""grids.zarr of micro-Doppler: crops of spectrograms with their labels, which every later stage reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from echoes import params
from echoes.arrays import Reader, Writer
from echoes.dataset.facts import SpectrogramFacts
from echoes.dataset.frames import SPLITS, split_numbers
from echoes.errors import InputError
from echoes.grids import Axis
from echoes.provenance import Header
from echoes.readers.recordings import Recorded

FAMILY = "microdoppler"
FACTS = ("family", "axes", "kinds", "labels", "combinations", "scaling")
CHANNELS = {1: ["power"], 3: ["r", "g", "b"]}


class SpectrogramsWriter:
    """Appends the crops of recordings to a group; the header lists recordings and labels."""

    def __init__(self, writer: Writer, axes: tuple[Axis, Axis], recorded: Sequence[Recorded]) -> None:
        """axes: velocity and time of a crop; recorded: whatever is appended later."""
        self._writer, self._axes = writer, axes
        self._recordings = {one.key: i for i, one in enumerate(recorded)}
        self._kinds = list(recorded[0].labels)
        self.labels = {kind: sorted({one.labels[kind] for one in recorded}, key=_order) for kind in self._kinds}
        self._splits: dict[tuple[str, str], set[str]] = {}  # of each label (kind, value)
        self._combinations: set[tuple[str, ...]] = set()  # of labels, that are trained
        self._channels = 0
        self.crops = dict.fromkeys(SPLITS, 0)

    def append(self, recorded: Recorded, stamps: Sequence[float], splits: Sequence[str], crops: np.ndarray) -> None:
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

    def seal(self, params: dict[str, Any], floor_db: float, ceiling_db: float, parents: dict[str, str]) -> None:
        """Close with the header; raises InputError unless every label can be trained on and tested."""
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
            "scaling": {"floor_db": floor_db, "ceiling_db": ceiling_db},
            "recordings": list(self._recordings),
        }
        self._writer.seal(Header("grids", params, parents, content))

    def _check(self, recorded: Recorded, crops: np.ndarray) -> None:
        if crops.shape[1] not in CHANNELS:
            raise InputError(f"{recorded.key}: expected 1 or 3 channels, got {crops.shape[1]}")
        self._channels = self._channels or crops.shape[1]
        if crops.shape[1] != self._channels:
            raise InputError(f"{recorded.key}: expected {self._channels} channels, as before, got {crops.shape[1]}")


@dataclass(frozen=True)
class CropsFacts(SpectrogramFacts):
    """Names of the channels and of the recordings."""

    channels: tuple[str, ...]
    recordings: tuple[str, ...]


class Spectrograms:
    """Crops of grids.zarr, in network range: -1 at the floor, 1 at the ceiling, linear in dB."""

    family = FAMILY
    rank = 2

    def __init__(self, path: Path) -> None:
        """Raises InputError where `path` is no whole grids artifact."""
        self._reader = Reader(path, "grids")
        self.path, self.header = path, self._reader.header
        told: CropsFacts = params.build_known(CropsFacts, self.header.content, f"{path}: header")
        self.velocity, self.time = told.axes
        self.floor_db, self.ceiling_db = told.scaling.floor_db, told.scaling.ceiling_db
        self.channel_names, self.label_names = told.channels, {kind: told.labels[kind] for kind in told.kinds}
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
    def facts(self) -> dict[str, Any]:
        """What of the header the models made from these spectrograms carry on."""
        carried = {name: self.header.content[name] for name in FACTS}
        return {**carried, "channel_names": list(self.channel_names)}

    def require_mirror(self, section: str, mirror: bool) -> None:
        """Raises InputError for a spectrogram in a mirror: neither approaching nor time can be turned around."""
        if mirror:
            raise InputError(f"{section}.mirror: expected false, as the mirror of a spectrogram is none, got true")

    def frames(self, split: str) -> np.ndarray:
        """(N,) indices of the crops of a split, recording after recording."""
        return np.flatnonzero(self._split == SPLITS.index(split))

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

    def labels(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, kinds) int64 positions in `label_names`, kinds in its order."""
        return self._labels[np.asarray(frames)].astype(np.int64)


def _order(value: str) -> tuple[bool, int, str]:
    """Numbers by their size, before words."""
    return not value.isdecimal(), int(value) if value.isdecimal() else 0, value
