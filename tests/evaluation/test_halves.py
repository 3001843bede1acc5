"""Halves of the test split: alike in their labels, and of enough spectrograms to compare."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import seeds
from echoes.errors import InputError
from echoes.evaluation import halves


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5))
def test_halves_are_disjoint_equal_and_alike_in_labels(count, recordings, seed):
    rng = seeds.rng(seed, "labels", count)
    of = rng.integers(0, recordings, count)
    labels = np.stack([of % 2, of % 3], axis=1)
    first, second = halves.halves(labels, of, seed)
    assert len(np.intersect1d(first, second)) == 0
    assert len(first) == len(second) == count // 2
    for chosen in (labels, labels[:, 1:]):
        for combination in np.unique(chosen, axis=0):
            shares = [(chosen[half] == combination).all(axis=1).sum() for half in (first, second)]
            assert abs(shares[0] - shares[1]) <= 2


def test_at_most_one_recording_of_a_label_is_on_both_sides():
    recordings = np.repeat(np.arange(10), 7)
    labels = (recordings % 2)[:, None]
    first, second = halves.halves(labels, recordings, seed=3)
    shared = np.intersect1d(recordings[first], recordings[second])
    assert len(shared) == 2  # 5 recordings of each label: one of each is cut
    assert sorted(shared % 2) == [0, 1]


def test_halves_follow_the_seed():
    recordings = np.repeat(np.arange(10), 4)
    labels = np.zeros((40, 1), dtype=np.int64)
    once, again, other = (halves.halves(labels, recordings, seed)[0].tolist() for seed in (0, 0, 1))
    assert once == again != other


@pytest.mark.parametrize(
    ("labels", "compared"),
    [([0] * 12, 6), ([0] * 11, 5), ([0] * 6 + [1] * 6, 6), ([0, 1, 2] * 3 + [3] * 6, 5), (list(range(40)), 0)],
)
def test_a_test_split_needs_more_pairs_of_a_label_than_a_spectrogram_has_neighbours(labels, compared):
    array, recordings = np.array(labels)[:, None], np.arange(len(labels))
    if compared > halves.NEAREST:
        halves.require_neighbours(array, recordings)
        return
    message = rf"^split\.test: expected test crops with more than 5 .*, got {compared} of {len(labels)} crops$"
    with pytest.raises(InputError, match=message):
        halves.require_neighbours(array, recordings)
