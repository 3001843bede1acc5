"""Which samples a step trains on, and which of them a process computes at a time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from echoes import seeds
from echoes.training.schedule import Schedule


@dataclass(frozen=True)
class MicroBatch:
    """Samples that one process computes at once: rows of the batch of a step.

    step    of the training.
    frames  (n,) numbers of the samples in the data set.
    start   place of the first of them in the batch, which has `total` samples.
    """

    step: int
    frames: np.ndarray
    start: int
    total: int

    @property
    def stop(self) -> int:
        return self.start + len(self.frames)

    def flipped(self, seed: int, *purpose: str | int) -> np.ndarray:
        """(n,) bool: of half of the samples of a batch, whichever part they are in."""
        whole = seeds.rng(seed, *purpose, self.step).random(self.total) < 0.5
        return whole[self.start : self.stop]


def samples(step: int, count: int, schedule: Schedule, name: str) -> np.ndarray:
    """(batch,) indices of step `step`: every epoch visits all samples once, in an order of its own."""
    positions = np.arange(step * schedule.batch, (step + 1) * schedule.batch)
    epochs, places = np.divmod(positions, count)
    return np.concatenate([_order(schedule.seed, name, int(e), count)[places[epochs == e]] for e in np.unique(epochs)])


@lru_cache(maxsize=2)  # the epoch that ends within a batch and the one that begins
def _order(seed: int, name: str, epoch: int, count: int) -> np.ndarray:
    return seeds.rng(seed, name, "epoch", epoch).permutation(count)


def microbatches(
    step: int, frames: np.ndarray, schedule: Schedule, name: str, shares: int, share: slice
) -> list[MicroBatch]:
    """The batch of a step in `shares` parts as equal as they can be, of which those of `share` are given.

    frames  (N,) numbers of all samples to train on.
    """
    batch = frames[samples(step, len(frames), schedule, name)]
    ends = np.linspace(0, len(batch), shares + 1).round().astype(int).tolist()
    return [MicroBatch(step, batch[start:stop], start, len(batch)) for start, stop in list(pairwise(ends))[share]]


def prefetch(load: Callable[[MicroBatch], Any], wanted: Iterable[MicroBatch]) -> Iterator[tuple[MicroBatch, Any]]:
    """Each part with its batch; the next one is loaded meanwhile, in a thread."""
    with ThreadPoolExecutor(1) as loader:
        upcoming = None
        for part in wanted:
            submitted = part, loader.submit(load, part)
            if upcoming is not None:
                yield upcoming[0], upcoming[1].result()
            upcoming = submitted
        if upcoming is not None:
            yield upcoming[0], upcoming[1].result()
