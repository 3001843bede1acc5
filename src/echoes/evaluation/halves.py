"""The two halves of the real spectrograms of the test split, which evaluate compares, and how many that takes.

By itself, so that voxelize can tell before anything is trained and depends on no metric.
"""

import numpy as np

from echoes import seeds
from echoes.errors import InputError

NEAREST = 5  # neighbours that a half has to have around each of its spectrograms, see manifolds


def halves(labels: np.ndarray, recordings: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sorted indices of two halves of equal size, alike in their labels: the reference, and what is compared to it.

    labels      (N, kinds) integers.
    recordings  (N,) integers: of which recording each spectrogram is a crop.

    The recordings of each combination of labels are shuffled and laid end to end, and cut in the middle, so at
    most one of them has crops on both sides. An odd crop goes to either side in turn; the last one may be left out.
    """
    place = seeds.rng(seed, "halves").permutation(recordings.max() + 1)[recordings]
    first: list[int] = []
    second: list[int] = []
    for combination in np.unique(labels[:, ::-1], axis=0):  # by the last kind first: odd crops of a label take turns
        members = np.flatnonzero((labels[:, ::-1] == combination).all(axis=1))
        members = members[np.argsort(place[members], kind="stable")]
        half = (len(members) + (len(first) <= len(second))) // 2
        first.extend(members[:half])
        second.extend(members[half:])
    size = min(len(first), len(second))
    return np.sort(np.array(first[:size], dtype=np.int64)), np.sort(np.array(second[:size], dtype=np.int64))


def require_neighbours(labels: np.ndarray, recordings: np.ndarray) -> None:
    """Raises InputError where the halves of so many have too few in common for the nearest neighbours of one.

    labels (N, kinds), recordings (N,) as `halves` takes them, of which equally many of each combination are compared.
    """
    first, second = (labels[half] for half in halves(labels, recordings, 0))
    compared = sum(
        min((half == combination).all(axis=1).sum() for half in (first, second))
        for combination in np.unique(labels, axis=0)
    )
    if compared <= NEAREST:
        told = f"more than {NEAREST} of the same labels in each half, as evaluate looks at {NEAREST} nearest neighbours"
        raise InputError(f"split.test: expected test crops with {told}, got {compared} of {len(labels)} crops")
