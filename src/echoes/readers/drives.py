"""Drives out of bags: which bags hold the same drive, what their messages tell of the time, and which belong together.

A drive may lie in several bags of one folder: a bag for each sensor, or one bag cut into several while it was recorded.
A bag belongs to a drive that was recorded at the same time, or ended less than a gap before it, and that has no message
of the same topic while it has some. Bags in other folders are other drives.

A clock that jumps back tells the same time twice. Each topic is therefore cut into runs where its stamps jump back, and
run k of one topic is paired with run k of another alone, with those of its messages that were received during the run.
Where one topic jumps more often than the other, only the first run of each is known to have the same clock.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise, repeat
from math import inf
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from echoes.errors import InputError
from echoes.readers import bags, clocks, pairing
from echoes.readers.bags import Message

Stamps = Literal["header", "receipt"]  # the stamp of its sender, or when it was received
SameStamp = Literal["refuse", "last"]  # last: a cloud is published again while it grows, and complete in the end
MAX_OFFSET_S = 4e9


class Topic(Protocol):
    """How the messages of a topic are put in time."""

    @property
    def topic(self) -> str: ...
    @property
    def stamps(self) -> Stamps: ...
    @property
    def offset_s(self) -> float: ...  # added to them: the clock of the radar minus that of this topic
    @property
    def same_stamp(self) -> SameStamp: ...


@dataclass(frozen=True)
class Stamped:
    """A message of a drive.

    bag       its path below the root.
    time_ns   when it was recorded, by the clock that its topic is said to have.
    repeated  messages with the same time that came before it, and are left out.
    empty     clouds without points between the one before it and this one, which are left out.
    """

    bag: str
    message: Message
    time_ns: int
    repeated: int = 0
    empty: int = 0


@dataclass(frozen=True)
class Drive:
    """Bags of one drive: their paths below the root, and topic -> bag and message, in the order of receipt."""

    bags: tuple[str, ...]
    topics: dict[str, list[tuple[str, Message]]]


@dataclass(frozen=True)
class _Bag:
    name: str
    topics: dict[str, list[Message]]

    def span(self, topic: str | None = None) -> tuple[float, float]:
        """When the first and the last message was received [ns], of one topic or of all."""
        listed = [self.topics.get(topic, [])] if topic else [each for each in self.topics.values() if each]
        held = [each for each in listed if each]
        return (min(x[0].received_ns for x in held), max(x[-1].received_ns for x in held)) if held else (inf, -inf)


def found(
    root: Path, clouds: Collection[str], others: Collection[str], frames: Collection[str], join_s: float
) -> list[Drive]:
    """The drives of a recording, in the order of the names of their first bags. Reads every bag once.

    clouds, others, frames  topics, as `bags.messages` tells them apart.
    """
    paths = bags.found(root)
    if not paths:
        raise InputError(f"{root}: expected *.bag files in it or below, got none, and no *.db3 or *.mcap either")
    folders: dict[Path, list[_Bag]] = {}
    for path in paths:
        one = _Bag(path.relative_to(root).as_posix(), bags.messages(path, clouds, others, frames))
        folders.setdefault(bags.folder(path), []).append(one)
    drives = [_drive(group) for held in folders.values() for group in _joined(held, join_s * 1e9)]
    return sorted(drives, key=lambda drive: drive.bags)


def _joined(held: Sequence[_Bag], join_ns: float) -> list[list[_Bag]]:
    """The bags of one folder, those of a drive together."""
    groups: list[list[_Bag]] = []
    for bag in sorted(held, key=lambda bag: (bag.span()[0], bag.name)):
        fitting = [group for group in groups if _fits(group, bag, join_ns)]
        if fitting:
            max(fitting, key=_end).append(bag)
        else:
            groups.append([bag])
    return groups


def _end(group: Sequence[_Bag]) -> float:
    return max(bag.span()[1] for bag in group)


def _fits(group: Sequence[_Bag], bag: _Bag, join_ns: float) -> bool:
    """Whether a bag, which begins no earlier than those of the group, is of the same drive."""
    if not bag.span()[0] - _end(group) <= join_ns:
        return False
    spans = [(bag.span(topic), other.span(topic)) for other in group for topic in bag.topics]
    return all(first > behind or last < begin for (first, last), (begin, behind) in spans)


def _drive(group: Sequence[_Bag]) -> Drive:
    names = {topic: None for bag in group for topic in bag.topics}
    listed = {topic: [(bag.name, each) for bag in group for each in bag.topics.get(topic, [])] for topic in names}
    return Drive(
        tuple(bag.name for bag in group),
        {topic: sorted(both, key=lambda one: one[1].received_ns) for topic, both in listed.items()},
    )


def runs(drive: Drive, topic: Topic, root: Path) -> list[list[Stamped]]:
    """The messages of a topic that have points, in runs with times that increase."""
    kept: list[Stamped] = []
    empty = 0
    for name, message in drive.topics.get(topic.topic, []):
        time_ns = (message.stamp_ns if topic.stamps == "header" else message.received_ns) + round(topic.offset_s * 1e9)
        one = Stamped(name, message, time_ns)
        if message.empty:
            empty += 1
            continue
        if kept and time_ns == kept[-1].time_ns:
            before = kept.pop()
            if topic.same_stamp == "refuse":
                raise InputError(f"{root / name}: {topic.topic}: {_twice(topic, time_ns)}")
            one = replace(one, repeated=before.repeated + 1, empty=before.empty)
        kept.append(replace(one, empty=one.empty + empty))
        empty = 0
    if empty and kept:
        kept[-1] = replace(kept[-1], empty=kept[-1].empty + empty)
    return clocks.runs(kept, [one.time_ns for one in kept])


def _twice(topic: Topic, time_ns: int) -> str:
    told = f"expected stamps that increase, got {time_ns / 1e9:.6f} s twice ({topic.stamps}, offset {topic.offset_s} s)"
    receipt = "" if topic.stamps == "receipt" else ", stamps: receipt goes by when each was received"
    return f"{told}; same_stamp: last keeps the last of such messages{receipt}"


def partners(first: Sequence[Sequence[Stamped]], other: Sequence[Sequence[Stamped]]) -> list[list[Stamped]]:
    """For each run of one topic the messages of another one with the same clock; none where that is not known."""
    known = other[: len(first) if len(first) == len(other) else 1]
    begins = [-inf, *(run[0].message.received_ns for run in first[1:]), inf]
    return [
        [one for one in run if begin <= one.message.received_ns < end]
        for run, (begin, end) in zip(chain(known, repeat([])), pairwise(begins), strict=False)
    ]


def nearest(first: Sequence[Stamped], other: Sequence[Stamped]) -> list[Stamped | None]:
    """For each message the one of another topic that is nearest in time; both lists increase."""
    if not other:
        return [None] * len(first)
    return [other[i] for i in pairing.nearest(_times(first), _times(other))]


def apart_s(first: Sequence[Stamped], other: Sequence[Stamped]) -> float:
    """The clock of one topic minus that of another one, by how far each is ahead of the time of receipt (medians).

    It tells no less than how much longer the messages of one take to be received: .1 s for a turn of a LiDAR, say.
    """
    if not first or not other:
        return 0.0
    ahead = [float(np.median([one.time_ns - one.message.received_ns for one in run])) for run in (first, other)]
    return (ahead[0] - ahead[1]) / 1e9


def around(first: Sequence[Stamped], other: Sequence[Stamped], gap_s: float) -> list[tuple[Stamped, Stamped] | None]:
    """For each message the two of another topic between which it lies; None where they are farther apart than a gap."""
    if not other:
        return [None] * len(first)
    stamps, others = _times(first), _times(other)
    after = np.searchsorted(others, stamps)
    before = np.where(others[after.clip(0, len(others) - 1)] == stamps, after, after - 1)
    inside = (before >= 0) & (after < len(others))
    return [
        (other[b], other[a]) if ok and others[a] - others[b] <= gap_s * 1e9 else None
        for b, a, ok in zip(before, after, inside, strict=True)
    ]


def _times(listed: Sequence[Stamped]) -> np.ndarray:
    return np.array([one.time_ns for one in listed], np.int64)
