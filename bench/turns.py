"""Pieces of work that take turns, so that all see the same load of the machine: seconds of each, a table of ratios."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

LEAST, LIMIT_S = 3, 15.0  # rounds that are always made, and seconds after which no more are begun
SHORT_S = 0.05  # work that takes less is done once right before, unmeasured: another one has emptied the caches


@dataclass(frozen=True)
class Work:
    """run: one piece of it; None where a package is missing, which `note` names."""

    name: str
    run: Callable[[], object] | None
    note: str


def optional(name: str, make: Callable[[], Work]) -> Work:
    """What `make` gives, or what says that a package it imports is not installed, or does not find its libraries."""
    try:
        return make()
    except ImportError as error:
        return Work(name, None, f"not installed: {' '.join(str(error).split())[:90]}")


def seconds(works: Sequence[Callable[[], object]], rounds: int) -> np.ndarray:
    """(rounds or fewer, works) of each turn, after one unmeasured; every other round goes backwards."""
    warm, start = [_once(work) for work in works], perf_counter()
    taken = np.empty((rounds, len(works)))
    for turn in range(rounds):
        if turn >= LEAST and perf_counter() - start > LIMIT_S:
            return taken[:turn]
        order = range(len(works)) if turn % 2 == 0 else reversed(range(len(works)))
        for i in order:
            if warm[i] < SHORT_S:
                works[i]()
            taken[turn, i] = _once(works[i])
    return taken


def _once(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def table(title: str, works: Sequence[Work], rounds: int) -> str:
    """What `told` makes of `works` in at most that many rounds."""
    return told(title, works, seconds([work.run for work in works if work.run is not None], rounds))


def told(title: str, works: Sequence[Work], taken: np.ndarray) -> str:
    """Median milliseconds of each, and the median and the quartiles of its ratios to the first one, turn by turn.

    taken  (rounds, those of `works` that are there) seconds.
    """
    ratios = iter((taken / taken[:, :1]).T)
    medians = iter(1000 * np.median(taken, axis=0))
    lines = [
        f"### {title}; {len(taken)} turns",
        "",
        "| | median, ms | time / ours | quartiles | |",
        "|---|---:|---:|---:|---|",
    ]
    for work in works:
        if work.run is None:
            lines.append(f"| {work.name} | - | - | - | {work.note} |")
            continue
        low, middle, high = np.quantile(next(ratios), (0.25, 0.5, 0.75))
        numbers = f"{_three(next(medians))} | {_three(middle)} | {_three(low)} to {_three(high)}"
        lines.append(f"| {work.name} | {numbers} | {work.note} |")
    return "\n".join(lines)


def _three(number: float) -> str:
    """Three digits that count, and no exponent."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
