"""Splits of the frames of a track, evenly spread frames, and batches of them."""

import numpy as np

from echoes.arrays import Reader
from echoes.errors import InputError

SPLITS = ("train", "val", "test")
MEASURED = ("val", "test")  # whose points are kept, because models are measured by them
UNPAIRED = "unpaired"  # a target alone, which the autoencoder learns from; not every track has such frames
NUMBERS = {name: number for number, name in enumerate((*SPLITS, UNPAIRED))}  # as artifacts tell the split


def split_numbers(reader: Reader) -> np.ndarray:
    """(N,) number of the split of each frame; raises InputError for another number, or a split without any."""
    reader.require("split", "u", None)
    found = reader.all("split")
    if [number for number in np.unique(found).tolist() if number != NUMBERS[UNPAIRED]] != list(range(len(SPLITS))):
        raise InputError(f"{reader.path}/split: expected frames of 0 to {len(SPLITS) - 1}, got {np.unique(found)}")
    return found


def evenly_spaced(frames: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of `frames` (N,), evenly spread from the first to the last."""
    return frames[np.linspace(0, len(frames) - 1, min(most, len(frames))).astype(int)]


def batches_of(frames: np.ndarray, size: int) -> list[np.ndarray]:
    """`frames` (N,) in pieces of `size`; a single one left over joins the last piece, because alone it is slow."""
    return np.split(frames, range(size, len(frames) - 1, size))
