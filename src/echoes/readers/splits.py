"""Entries -> train, val, test, purged; never neighbouring frames in two of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from echoes import seeds
from echoes.errors import InputError
from echoes.readers.frames import Entry

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class BySequence:
    """Whole sequences for validation and for test; `val` and `test` are shares of the frames."""

    by: Literal["sequence"]
    val: float
    test: float
    seed: int

    def __post_init__(self) -> None:
        _check_shares(self.val, self.test)


@dataclass(frozen=True)
class ByTime:
    """Blocks of time for validation and for test, and frames left out on both sides of a cut.

    A sequence is first cut where nothing was recorded for `purge_s`, which costs no frame, and the
    pieces then into blocks of `block_s`.
    """

    by: Literal["time"]
    block_s: float
    purge_s: float
    val: float
    test: float
    seed: int

    def __post_init__(self) -> None:
        _check_shares(self.val, self.test)
        if self.purge_s <= 0:
            raise InputError(f"purge_s: expected more than 0, got {self.purge_s}")
        if self.block_s <= 2 * self.purge_s:
            raise InputError(f"block_s: expected more than 2 purge_s = {2 * self.purge_s}, got {self.block_s}")


Split = BySequence | ByTime


def assign(entries: Sequence[Entry], split: Split) -> list[str]:
    """The split of each entry: "train", "val", "test" or "purged".

    Blocks (or sequences) are drawn in an order that depends on the seed alone; test takes them until it
    is as near to its share of the frames as it gets, then val; the rest is train.
    """
    blocks = _sequences(entries) if isinstance(split, BySequence) else _blocks(entries, split)
    if len(blocks) < len(SPLITS):
        raise InputError(f"split: expected 3 or more {_unit(split)}s to split, got {len(blocks)}")
    names = np.full(len(entries), "train", dtype="<U6")
    order = [blocks[i] for i in seeds.rng(split.seed, "split").permutation(len(blocks))]
    for name, share, left in (("test", split.test, 2), ("val", split.val, 1)):
        taken = _take(order, share * len(entries), len(order) - left)
        for block in taken:
            names[block] = name
        order = [block for block in order if not any(block is other for other in taken)]
    if isinstance(split, ByTime):
        _purge(entries, names, split.purge_s)
    for name in SPLITS:
        if not (names == name).any():
            raise InputError(f"split: expected frames in train, val and test, got none in {name}; {_counts(names)}")
    return names.tolist()


def _take(blocks: list[np.ndarray], frames: float, most: int) -> list[np.ndarray]:
    """The first blocks that bring the count of frames nearer to what is wanted; 1 to `most` of them."""
    taken: list[np.ndarray] = []
    count = 0
    for block in blocks:
        if len(taken) < most and abs(count + len(block) - frames) < abs(count - frames):
            taken.append(block)
            count += len(block)
    return taken or [min(blocks, key=len)]


def _sequences(entries: Sequence[Entry]) -> list[np.ndarray]:
    """The positions of the entries of each sequence, in order of time."""
    positions = defaultdict(list)
    for i, entry in enumerate(entries):
        positions[entry.sequence].append(i)
    return [np.array(sorted(positions[name], key=lambda i: entries[i].stamp)) for name in sorted(positions)]


def _blocks(entries: Sequence[Entry], split: ByTime) -> list[np.ndarray]:
    blocks = []
    for sequence in _sequences(entries):
        stamps = np.array([entries[i].stamp for i in sequence])
        gaps = np.flatnonzero(np.diff(stamps) >= split.purge_s) + 1
        for piece, times in zip(np.split(sequence, gaps), np.split(stamps, gaps), strict=True):
            number = ((times - times[0]) // split.block_s).astype(int)
            blocks += np.split(piece, np.flatnonzero(np.diff(number)) + 1)
    return blocks


def _purge(entries: Sequence[Entry], names: np.ndarray, purge_s: float) -> None:
    """Drop the training frames close to val or test, and the val frames close to test."""
    for sequence in _sequences(entries):
        stamps = np.array([entries[i].stamp for i in sequence])
        for dropped, kept in (("val", ("test",)), ("train", ("val", "test"))):
            others = stamps[np.isin(names[sequence], kept)]
            close = _distance(stamps, others) < purge_s
            names[sequence[close & (names[sequence] == dropped)]] = "purged"


def _distance(stamps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) s from each stamp to the nearest of the others, which are sorted; inf where there are none."""
    bounded = np.concatenate([[-np.inf], others, [np.inf]])
    after = np.searchsorted(others, stamps) + 1
    return np.minimum(stamps - bounded[after - 1], bounded[after] - stamps)


def _unit(split: Split) -> str:
    return "sequence" if isinstance(split, BySequence) else "block"


def _counts(names: np.ndarray) -> str:
    return ", ".join(f"{name} {(names == name).sum()}" for name in (*SPLITS, "purged"))


def _check_shares(val: float, test: float) -> None:
    for name, share in (("val", val), ("test", test)):
        if not 0 < share < 1:
            raise InputError(f"{name}: expected more than 0 and less than 1, got {share}")
    if val + test >= 1:
        raise InputError(f"test: expected val + test less than 1, got {val} + {test}")
