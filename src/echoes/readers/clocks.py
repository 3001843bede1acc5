"""Clocks that jump back, where another drive begins or a sensor starts again: a new sequence begins there.

Every reader of radar clouds cuts its recordings so: a stamp then tells one moment of a sequence, and what lies near it
in time, which a split keeps together, is what was recorded around it.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, count, groupby, pairwise
from typing import TypeVar

from echoes.readers.frames import Entry

Item = TypeVar("Item")

MAX_NAMES = 3  # that are told


def jumps(stamps: Sequence[float]) -> list[bool]:
    """Of each stamp of a clock, whether it is not later than the one before it."""
    return [i > 0 and stamp <= stamps[i - 1] for i, stamp in enumerate(stamps)]


def runs(items: Sequence[Item], stamps: Sequence[float]) -> list[list[Item]]:
    """The items, cut where their clock jumps back."""
    cuts = [i for i, jumped in enumerate(jumps(stamps)) if jumped]
    return [list(items[start:stop]) for start, stop in pairwise([0, *cuts, len(items)])] if items else []


def cut(entries: Sequence[Entry]) -> list[Entry]:
    """The entries, those behind each jump of the clock in a sequence of their own: behind `loop` `loop-2`, `loop-3`.

    A sequence has one clock, and its entries follow each other. A name that another sequence has is passed over.
    """
    taken = {entry.sequence for entry in entries}
    found = []
    for own, group in groupby(entries, lambda entry: entry.sequence):
        recorded = list(group)
        free = (name for i in count(2) if (name := f"{own}-{i}") not in taken)
        for name, run in zip(chain([own], free), runs(recorded, [entry.stamp for entry in recorded]), strict=False):
            found += [replace(e, sequence=name, jumps_back=name != own and e is run[0]) for e in run]
    return found


def told(entries: Sequence[Entry]) -> str:
    """How often the clock of a recording jumps back, and which frames were left out; empty where nothing is to tell."""
    return "; ".join(filter(None, (_jumps_told(entries), left_out(entries))))


def left_out(entries: Sequence[Entry]) -> str:
    """How many clouds of a radar a reader left out, and why; empty where it left none out."""
    repeated, empty = sum(entry.repeated for entry in entries), sum(entry.empty for entry in entries)
    every = len(entries) + repeated + empty
    lines = [
        f"{repeated} of {every} radar clouds left out, as a later one has the same stamp" if repeated else "",
        f"{empty} of {every} radar clouds left out, as they have no points" if empty else "",
    ]
    return "; ".join(filter(None, lines))


def _jumps_told(entries: Sequence[Entry]) -> str:
    """How often the clock jumps back, and which sequences begin there."""
    begun = [entry.sequence for entry in entries if entry.jumps_back]
    if not begun:
        return ""
    times = "1 time" if len(begun) == 1 else f"{len(begun)} times"
    more = f" and {len(begun) - MAX_NAMES} more" if len(begun) > MAX_NAMES else ""
    return f"the clock jumps back {times}; a new sequence begins there: {', '.join(begun[:MAX_NAMES])}{more}"
