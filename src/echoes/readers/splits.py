"""Entries -> train, val, test, purged; never neighbouring frames, or crops, in two of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from echoes import seeds
from echoes.errors import InputError
from echoes.readers.frames import Entry

SPLITS = ("train", "val", "test")
MIN_S, LATEST_S = 1e-3, 1e12  # of a purge, and of a stamp: their ratio counts blocks


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
class ByRecording:
    """Whole recordings of each label for validation and for test; `val` and `test` are shares of its crops."""

    by: Literal["recording"]
    val: float
    test: float
    seed: int

    def __post_init__(self) -> None:
        _check_shares(self.val, self.test)


@dataclass(frozen=True)
class ByFewRecordings:
    """As ByRecording, of the same seed, with `recordings` of each label to train on; the others are left out.

    So the whole track, its generator too, knows no more than these few. Those of a smaller number are among those of a
    larger one.
    """

    by: Literal["few"]
    recordings: int
    val: float
    test: float
    seed: int

    def __post_init__(self) -> None:
        if self.recordings < 1:
            raise InputError(f"recordings: expected at least 1, got {self.recordings}")
        _check_shares(self.val, self.test)


@dataclass(frozen=True)
class ByUser:
    """Whole users for validation and for test; `val` and `test` are shares of the crops. Users are then no label.

    Who does nothing that others do, such as a drone among people, is divided by recordings: there is nobody to learn it
    from.
    """

    by: Literal["user"]
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
        if self.purge_s < MIN_S:
            raise InputError(f"purge_s: expected {MIN_S:g} or more, got {self.purge_s:g}")
        if self.block_s <= 2 * self.purge_s:
            raise InputError(f"block_s: expected more than 2 purge_s = {2 * self.purge_s}, got {self.block_s}")


@dataclass(frozen=True)
class ByStretch:
    """Folds of whole stretches: the pieces of a sequence between gaps longer than `gap_s`.

    Number `fold` of `folds` groups, as equal in frames as whole stretches allow, is for test; `val` is a share of all
    frames. The groups do not depend on the seed, so that each frame is in the test split of one fold.
    """

    by: Literal["stretch"]
    gap_s: float
    folds: int
    fold: int
    val: float
    seed: int

    def __post_init__(self) -> None:
        if not self.gap_s > 0:
            raise InputError(f"gap_s: expected more than 0, got {self.gap_s:g}")
        if self.folds < 2:
            raise InputError(f"folds: expected 2 or more, got {self.folds}")
        if not 0 <= self.fold < self.folds:
            raise InputError(f"fold: expected 0 to folds - 1 = {self.folds - 1}, got {self.fold}")
        _check_share("val", self.val)


Split = BySequence | ByTime | ByStretch
LabelledSplit = ByRecording | ByFewRecordings | ByTime


def assign(entries: Sequence[Entry], split: Split) -> list[str]:
    """The split of each entry: "train", "val", "test" or "purged".

    Blocks (or sequences) are drawn in an order that depends on the seed alone; test takes them until it
    is as near to its share of the frames as it gets, then val; the rest is train. Of stretches, test takes a fold.
    """
    _check_stamps(entries)
    if isinstance(split, ByStretch):
        return _assign_fold(entries, split)
    blocks = _sequences(entries) if isinstance(split, BySequence) else _blocks(entries, split, 0.0)
    if len(blocks) < len(SPLITS):
        raise InputError(f"split: expected 3 or more {_unit(split)}s to split, got {len(blocks)}")
    names = np.full(len(entries), "train", dtype="<U6")
    _draw(blocks, names, split, seeds.rng(split.seed, "split"))
    if isinstance(split, ByTime):
        _purge(entries, names, split.purge_s, 0.0)
    _check_filled(names)
    return names.tolist()


def assign_labelled(
    entries: Sequence[Entry], labels: Sequence[tuple[str, ...]], duration_s: float, split: LabelledSplit
) -> list[str]:
    """The split of each crop: "train", "val", "test" or "purged"; every label has some to train and to test.

    entries     crops: the sequence is their recording, the stamp is their start.
    labels      of each crop; the recordings (or the blocks of them) of each label are drawn by themselves.
    duration_s  of a crop: two crops are as far apart as the end of one from the start of the other.

    Raises InputError naming the label that has too little.
    """
    _check_stamps(entries)
    names = np.full(len(entries), "train", dtype="<U6")
    positions = defaultdict(list)
    for i, label in enumerate(labels):
        positions[label].append(i)
    for label in sorted(positions):
        own = [entries[i] for i in positions[label]]
        blocks = _blocks(own, split, duration_s) if isinstance(split, ByTime) else _sequences(own)
        if len(blocks) < len(SPLITS):
            advice = "" if isinstance(split, ByTime) else "; split.by: time divides recordings"
            told = f"expected 3 or more {_unit(split)}s of {', '.join(label)}, got {len(blocks)}"
            raise InputError(f"split: {told}{advice}")
        everywhere = [np.array(positions[label])[block] for block in blocks]
        _draw(everywhere, names, split, seeds.rng(split.seed, "split", *label))
        if isinstance(split, ByFewRecordings):
            _leave_few(everywhere, names, split, label)
    if isinstance(split, ByTime):
        _purge(entries, names, split.purge_s, duration_s)
    for label in sorted(positions):
        _check_label(label, names[positions[label]])
    _check_filled(names)
    return names.tolist()


def assign_users(
    entries: Sequence[Entry], users: Sequence[str], labels: Sequence[tuple[str, ...]], split: ByUser
) -> list[str]:
    """The split of each crop: "train", "val" or "test"; every label has some to train and to test.

    entries  crops, as `assign_labelled` takes them; users: whose each is; labels: what it shows beside.

    Raises InputError for fewer than three users who share what they do, and for a label that has too little.
    """
    _check_stamps(entries)
    of_label: dict[tuple[str, ...], set[str]] = defaultdict(set)
    of_user: dict[str, list[int]] = defaultdict(list)
    for i, (user, label) in enumerate(zip(users, labels, strict=True)):
        of_label[label].add(user)
        of_user[user].append(i)
    shared = {user for sharing in of_label.values() if len(sharing) > 1 for user in sharing}
    if len(shared) < len(SPLITS):
        raise InputError(f"split: expected 3 or more users who do the same, got {len(shared)}; split.by: recording")
    names = np.full(len(entries), "train", dtype="<U6")
    blocks = [np.array(of_user[user]) for user in sorted(shared)]
    _draw(blocks, names, split, seeds.rng(split.seed, "split"))
    by_recording = ByRecording("recording", split.val, split.test, split.seed)
    for user in sorted(of_user.keys() - shared):
        own = of_user[user]
        of_own = [(user, *labels[i]) for i in own]
        names[own] = assign_labelled([entries[i] for i in own], of_own, 0.0, by_recording)
    for label in sorted(of_label):
        _check_label(label, names[np.array([other == label for other in labels])])
    _check_filled(names)
    return names.tolist()


def stretches(entries: Sequence[Entry], split: Split) -> np.ndarray:
    """(N,) the number of the stretch of each entry, in order of sequence and time: frames that depend on each other.

    Where the split is not by stretch, a whole sequence is one.
    """
    pieces = _stretches(entries, split.gap_s) if isinstance(split, ByStretch) else _sequences(entries)
    numbers = np.zeros(len(entries), dtype=np.int64)
    for number, piece in enumerate(pieces):
        numbers[piece] = number
    return numbers


def _assign_fold(entries: Sequence[Entry], split: ByStretch) -> list[str]:
    pieces = _stretches(entries, split.gap_s)
    if len(pieces) < split.folds:
        raise InputError(f"split: expected {split.folds} or more stretches for as many folds, got {len(pieces)}")
    groups = _groups(pieces, split.folds)
    others = [piece for number, group in enumerate(groups) if number != split.fold for piece in group]
    if len(others) < 2:
        told = f"to train and to validate outside of fold {split.fold}"
        raise InputError(f"split: expected 2 or more stretches {told}, got {len(others)}; another gap_s or folds")
    order = seeds.rng(split.seed, "split", "fold", split.fold).permutation(len(others))
    names = np.full(len(entries), "train", dtype="<U6")
    names[np.concatenate(groups[split.fold])] = "test"
    for piece in _take([others[i] for i in order], split.val * len(entries), len(others) - 1):
        names[piece] = "val"
    return names.tolist()


def _groups(pieces: list[np.ndarray], count: int) -> list[list[np.ndarray]]:
    """The pieces dealt into groups of about as many frames: the largest first, each to the group that has fewest."""
    groups: list[list[np.ndarray]] = [[] for _ in range(count)]
    for piece in sorted(pieces, key=len, reverse=True):
        min(groups, key=lambda group: sum(map(len, group))).append(piece)
    return groups


def _leave_few(blocks: list[np.ndarray], names: np.ndarray, split: ByFewRecordings, label: tuple[str, ...]) -> None:
    """Purge the training recordings of a label but for those that are wanted."""
    training = [block for block in blocks if names[block[0]] == "train"]
    if len(training) < split.recordings:
        told = f"{split.recordings} or more recordings of {', '.join(label)} to train on, got {len(training)}"
        raise InputError(f"split.recordings: expected {told}")
    order = seeds.rng(split.seed, "split", "few", *label).permutation(len(training))
    for i in order[split.recordings :]:
        names[training[i]] = "purged"


def _draw(
    blocks: list[np.ndarray], names: np.ndarray, split: BySequence | LabelledSplit | ByUser, rng: np.random.Generator
) -> None:
    """Name the entries of the blocks, which are positions in `names`, that go to test and to val."""
    entries = sum(map(len, blocks))
    order = [blocks[i] for i in rng.permutation(len(blocks))]
    for name, share, left in (("test", split.test, 2), ("val", split.val, 1)):
        taken = _take(order, share * entries, len(order) - left)
        for block in taken:
            names[block] = name
        order = [block for block in order if not any(block is other for other in taken)]


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


def _stretches(entries: Sequence[Entry], gap_s: float) -> list[np.ndarray]:
    """The positions of the entries of each piece of a sequence between gaps longer than `gap_s`."""
    pieces = []
    for sequence in _sequences(entries):
        stamps = np.array([entries[i].stamp for i in sequence])
        pieces += np.split(sequence, np.flatnonzero(np.diff(stamps) > gap_s) + 1)
    return pieces


def _blocks(entries: Sequence[Entry], split: ByTime, duration_s: float) -> list[np.ndarray]:
    blocks = []
    for sequence in _sequences(entries):
        stamps = np.array([entries[i].stamp for i in sequence])
        gaps = np.flatnonzero(np.diff(stamps) - duration_s >= split.purge_s) + 1
        for piece, times in zip(np.split(sequence, gaps), np.split(stamps, gaps), strict=True):
            number = ((times - times[0]) // split.block_s).astype(int)
            blocks += np.split(piece, np.flatnonzero(np.diff(number)) + 1)
    return blocks


def _purge(entries: Sequence[Entry], names: np.ndarray, purge_s: float, duration_s: float) -> None:
    """Drop the training entries close to val or test, and the val entries close to test."""
    for sequence in _sequences(entries):
        stamps = np.array([entries[i].stamp for i in sequence])
        for dropped, kept in (("val", ("test",)), ("train", ("val", "test"))):
            others = stamps[np.isin(names[sequence], kept)]
            close = _distance(stamps, others) - duration_s < purge_s
            names[sequence[close & (names[sequence] == dropped)]] = "purged"


def _distance(stamps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) s from each stamp to the nearest of the others, which are sorted; inf where there are none."""
    bounded = np.concatenate([[-np.inf], others, [np.inf]])
    after = np.searchsorted(others, stamps) + 1
    return np.minimum(stamps - bounded[after - 1], bounded[after] - stamps)


def _check_stamps(entries: Sequence[Entry]) -> None:
    for entry in entries:
        if not abs(entry.stamp) <= LATEST_S:
            told = f"a stamp of {entry.stamp} s in {entry.sequence}"
            raise InputError(f"split: expected stamps up to {LATEST_S:g} s, got {told}")


def _check_filled(names: np.ndarray) -> None:
    for name in SPLITS:
        if not (names == name).any():
            raise InputError(f"split: expected frames in train, val and test, got none in {name}; {_counts(names)}")


def _check_label(label: tuple[str, ...], names: np.ndarray) -> None:
    for name in ("train", "test"):
        if not (names == name).any():
            raise InputError(f"split: expected {name} data of {', '.join(label)}, got none; {_counts(names)}")


def _unit(split: BySequence | LabelledSplit) -> str:
    return {"time": "block", "few": "recording"}.get(split.by, split.by)


def _counts(names: np.ndarray) -> str:
    return ", ".join(f"{name} {(names == name).sum()}" for name in (*SPLITS, "purged"))


def _check_shares(val: float, test: float) -> None:
    _check_share("val", val)
    _check_share("test", test)
    if val + test >= 1:
        raise InputError(f"test: expected val + test less than 1, got {val} + {test}")


def _check_share(name: str, share: float) -> None:
    if not 0 < share < 1:
        raise InputError(f"{name}: expected more than 0 and less than 1, got {share}")
