"""Crops of a fixed duration out of recordings: where they start, which split they are of, and cutting them out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echoes.errors import InputError
from echoes.rasters.spectrograms import WHOLE, CropLayout, Layout
from echoes.readers.frames import Entry
from echoes.readers.recordings import RecordingEntry


@dataclass(frozen=True)
class Crops:
    """Crops of one recording: their numbers, k starts at k hops, and their splits."""

    recorded: RecordingEntry
    numbers: tuple[int, ...]
    splits: tuple[str, ...]


def count(recorded: RecordingEntry, layout: Layout) -> int:
    """How many crops a recording has; a picture is one. Raises InputError where it is shorter than a crop."""
    if not isinstance(layout, CropLayout):
        return 1
    duration_s = layout.time.stop
    crops = int((recorded.duration_s - duration_s) / layout.hop_s + 1 + WHOLE)
    if crops < 1:
        raise InputError(
            f"{recorded.key}: expected a recording of {duration_s:g} s or more, the duration of a crop, "
            f"got {recorded.duration_s:.3f} s"
        )
    return crops


def start_s(number: int, layout: Layout) -> float:
    """When a crop starts in its recording."""
    return number * layout.hop_s if isinstance(layout, CropLayout) else 0.0


def unsplit(recorded: RecordingEntry, layout: Layout) -> Crops:
    """All crops of a recording, before they have a split. Raises InputError where it is shorter than a crop."""
    numbers = tuple(range(count(recorded, layout)))
    return Crops(recorded, numbers, ("",) * len(numbers))


def entries(recorded: Sequence[RecordingEntry], layout: Layout) -> list[Entry]:
    """The crops of all recordings, in order, for a split: a recording is a sequence, the stamp is the start."""
    return [
        Entry(one.key, start_s(number, layout), f"{one.key}/{number}")
        for one in recorded
        for number in range(count(one, layout))
    ]


def chosen(recorded: Sequence[RecordingEntry], listed: Sequence[Entry], splits: Sequence[str]) -> list[Crops]:
    """The crops to cut out of each recording; one of which no crop is left, or all were purged, is left out."""
    numbers, names = defaultdict(list), defaultdict(list)
    for entry, split in zip(listed, splits, strict=True):
        if split != "purged":
            numbers[entry.sequence].append(int(entry.key.rpartition("/")[2]))
            names[entry.sequence].append(split)
    return [Crops(one, tuple(numbers[one.key]), tuple(names[one.key])) for one in recorded if one.key in numbers]


def cut(whole: np.ndarray, crops: Crops, layout: CropLayout) -> np.ndarray:
    """(C, F, T of the recording) -> (K, C, F, T), crop k from cell k hops on.

    Raises InputError where the recording is shorter than its index said.
    """
    size, firsts = layout.time.size, [number * layout.hop_cells for number in crops.numbers]
    if max(firsts) + size > whole.shape[-1]:
        step_s = layout.time.stop / size
        raise InputError(
            f"{crops.recorded.key}: expected {(max(firsts) + size) * step_s:.3f} s, as its index says "
            f"({crops.recorded.duration_s:.3f} s), got {whole.shape[-1] * step_s:.3f} s"
        )
    return np.stack([whole[..., first : first + size] for first in firsts])
