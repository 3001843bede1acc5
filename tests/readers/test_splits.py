"""Splits: every entry once, no neighbours in two of them, shares met, the seed decides."""

from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from echoes import params
from echoes.commands import sources
from echoes.errors import InputError
from echoes.readers import splits
from echoes.readers.catalog import CLOUDS
from echoes.readers.frames import Entry
from echoes.readers.splits import (
    ByFewRecordings,
    ByRecording,
    BySequence,
    ByStretch,
    ByTime,
    ByUser,
    assign,
    assign_labelled,
    assign_users,
)

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"


def drive(sequence, stamps):
    return [Entry(sequence, float(stamp), f"{sequence}/{i}") for i, stamp in enumerate(stamps)]


def steady(sequence, frames, period_s=0.1):
    return drive(sequence, [period_s * i for i in range(frames)])


SHORT_MIDDLE = [0.1 * i for i in (*range(102), 107, *range(140, 210))]  # 3.4 s reach over the second block


@st.composite
def drives(draw):
    entries = []
    for number in range(draw(st.integers(1, 3))):
        steps = draw(st.lists(st.sampled_from([0.1, 0.2, 1.0, 2.9, 3.0, 8.0]), min_size=20, max_size=80))
        entries += drive(f"s{number}", [sum(steps[:i]) for i in range(len(steps))])
    return draw(st.permutations(entries))


@given(drives(), st.integers(0, 1000))
def test_frames_of_two_splits_are_never_closer_than_the_purge(entries, seed):
    split = ByTime("time", block_s=7.0, purge_s=3.0, val=0.15, test=0.2, seed=seed)
    try:
        names = assign(entries, split)
    except InputError:
        assume(False)
    kept = [(e, name) for e, name in zip(entries, names, strict=True) if name != "purged"]
    for (first, a), (second, b) in combinations(kept, 2):
        if a != b and first.sequence == second.sequence:
            assert abs(first.stamp - second.stamp) >= 3.0
    assert {"train", "val", "test"} <= set(names)


@given(drives(), st.integers(0, 1000))
def test_only_frames_close_to_another_split_are_purged(entries, seed):
    try:
        names = assign(entries, ByTime("time", block_s=7.0, purge_s=3.0, val=0.15, test=0.2, seed=seed))
    except InputError:
        assume(False)
    for entry, name in zip(entries, names, strict=True):
        if name == "purged":
            near = {
                other_name
                for other, other_name in zip(entries, names, strict=True)
                if other.sequence == entry.sequence and abs(other.stamp - entry.stamp) < 3.0
            }
            assert near & {"val", "test"}


@given(st.permutations(steady("a", 300) + steady("b", 300)))
def test_the_order_of_the_entries_does_not_matter(entries):
    split = ByTime("time", block_s=5.0, purge_s=1.0, val=0.1, test=0.2, seed=3)
    given_order = {e.key: name for e, name in zip(entries, assign(entries, split), strict=True)}
    in_order = sorted(entries, key=lambda e: e.key)
    assert given_order == {e.key: name for e, name in zip(in_order, assign(in_order, split), strict=True)}


def test_blocks_of_a_steady_drive_meet_their_shares():
    names = Counter(assign(steady("a", 6000), ByTime("time", 15.0, 3.0, 0.1, 0.2, 0)))
    assert names["test"] == pytest.approx(1200, abs=75)
    assert names["val"] == pytest.approx(600, abs=75 + 60)
    assert names["train"] > 3000


def test_a_pause_as_long_as_the_purge_costs_no_frame():
    bursts = [10.0 * burst + 0.1 * i for burst in range(12) for i in range(30)]
    assert "purged" not in assign(drive("a", bursts), ByTime("time", 8.0, 3.0, 0.2, 0.2, 0))


def test_the_seed_decides_which_blocks_are_tested():
    entries = steady("a", 3000)
    assigned = [assign(entries, ByTime("time", 15.0, 3.0, 0.1, 0.2, seed)) for seed in (0, 0, 1)]
    assert assigned[0] == assigned[1] != assigned[2]


@given(st.lists(st.integers(1, 30), min_size=3, max_size=12), st.integers(0, 1000))
def test_a_sequence_is_never_cut_in_two(lengths, seed):
    entries = [entry for i, length in enumerate(lengths) for entry in steady(f"s{i}", length)]
    names = assign(entries, BySequence("sequence", val=0.2, test=0.2, seed=seed))
    pairs = {(entry.sequence, name) for entry, name in zip(entries, names, strict=True)}
    assert len(pairs) == len(lengths)
    assert {name for _, name in pairs} == {"train", "val", "test"}


BY_STRETCH = ByStretch("stretch", gap_s=2.95, folds=4, fold=0, val=0.12, seed=0)


def in_folds(entries, split):
    """The splits of the entries in each fold."""
    try:
        return [assign(entries, replace(split, fold=fold)) for fold in range(split.folds)]
    except InputError:
        assume(False)


@given(drives(), st.integers(2, 6), st.integers(0, 1000))
def test_each_stretch_is_in_one_split_and_tested_in_one_fold(entries, folds, seed):
    split = replace(BY_STRETCH, folds=folds, seed=seed)
    numbers = splits.stretches(entries, split)
    found = in_folds(entries, split)
    for names in found:
        assert len(set(zip(numbers.tolist(), names, strict=True))) == len(set(numbers))
        assert set(names) == {"train", "val", "test"}
    assert all(tested.count("test") == 1 for tested in zip(*found, strict=True))


@given(drives(), st.integers(2, 6))
def test_the_test_frames_of_two_folds_differ_by_no_more_than_a_stretch_that_was_dealt(entries, folds):
    split = replace(BY_STRETCH, folds=folds)
    lengths = np.bincount(splits.stretches(entries, split))
    tested = sorted(names.count("test") for names in in_folds(entries, split))
    assert tested[-1] - tested[0] <= max(lengths)
    if tested[-1] not in lengths:  # a fold of several: what came last into it came into the one that had fewest
        assert tested[-1] - tested[0] <= sorted(lengths)[-folds - 1]


@settings(max_examples=30)
@given(drives(), st.integers(0, 1000), st.randoms())
def test_neither_the_seed_nor_the_order_of_the_entries_moves_a_fold(entries, seed, shuffled):
    order = list(range(len(entries)))
    shuffled.shuffle(order)
    mixed = [entries[i] for i in order]
    for names, others in zip(
        in_folds(entries, BY_STRETCH), in_folds(mixed, replace(BY_STRETCH, seed=seed)), strict=True
    ):
        assert [names[i] == "test" for i in order] == [name == "test" for name in others]
    numbers = splits.stretches(entries, BY_STRETCH)
    assert splits.stretches(mixed, BY_STRETCH).tolist() == numbers[order].tolist()
    names = assign(entries, BY_STRETCH)
    assert assign(mixed, BY_STRETCH) == [names[i] for i in order]


def test_stretches_end_at_gaps_that_are_longer_and_at_the_end_of_a_sequence():
    entries = drive("b", [0.0, 9.0]) + drive("a", [0.0, 10.0, 20.5, 30.0]) + drive("c", [5.0, 4.5, 60.0])
    split = replace(BY_STRETCH, gap_s=10.0)
    assert splits.stretches(entries, split).tolist() == [2, 2, 0, 0, 1, 1, 3, 3, 4]
    assert splits.stretches(entries, replace(split, gap_s=9.99)).tolist() == [3, 3, 0, 1, 2, 2, 4, 4, 5]
    assert splits.stretches(entries, replace(split, gap_s=10.5)).tolist() == [1, 1, 0, 0, 0, 0, 2, 2, 3]


@pytest.mark.parametrize("split", [BySequence("sequence", 0.2, 0.2, 0), ByTime("time", 7.0, 3.0, 0.1, 0.2, 0)])
def test_without_stretches_a_sequence_is_one(split):
    entries = drive("b", [0.0, 900.0]) + drive("a", [0.0, 50.0])
    assert splits.stretches(entries, split).tolist() == [1, 1, 0, 0]


def test_the_largest_stretches_are_dealt_first_and_validation_meets_its_share():
    entries = [entry for i, length in enumerate([30, 70, 10, 50, 30, 10]) for entry in steady(f"s{i}", length)]
    found = in_folds(entries, replace(BY_STRETCH, folds=3, val=0.05))
    tested = [{e.sequence for e, n in zip(entries, names, strict=True) if n == "test"} for names in found]
    assert tested == [{"s1"}, {"s3", "s2", "s5"}, {"s0", "s4"}]
    assert [names.count("val") for names in found] == [10, 30, 10]


@pytest.mark.parametrize(
    ("track", "folder", "counts"),
    [
        ("astyx", "astyx-hires2019-ccbyncsa4", [(209, 49, 148), (269, 49, 88), (278, 43, 85), (267, 54, 85)]),
        ("raflow", "raflow-4dradar", [(27, 16, 21), (27, 21, 16), (33, 16, 15), (31, 21, 12)]),
    ],
)
def test_the_folds_of_published_recordings_have_frames_to_train_to_validate_and_to_test(
    track, folder, counts, recordings
):
    source, split = sources.load(track, PARAMS), params.load(ByStretch, f"{track}.split", PARAMS)
    entries = [entry for entry in CLOUDS[source.reader].index(recordings / folder, source) if not entry.refused]
    found = [Counter(names) for names in in_folds(entries, split)]
    assert [(names["train"], names["val"], names["test"]) for names in found] == counts


@pytest.mark.parametrize(
    ("entries", "split", "word"),
    [
        (steady("a", 50) + steady("b", 50), BySequence("sequence", 0.2, 0.2, 0), "3 or more sequences"),
        (steady("a", 50), ByTime("time", 7.0, 3.0, 0.1, 0.2, 0), "3 or more blocks"),
        ([], ByTime("time", 7.0, 3.0, 0.1, 0.2, 0), "3 or more blocks"),
        ([], BY_STRETCH, "expected 4 or more stretches for as many folds, got 0"),
        (steady("a", 50) + steady("b", 5), BY_STRETCH, "expected 4 or more stretches for as many folds, got 2"),
        (
            steady("a", 5) + steady("b", 9) + steady("c", 5),
            replace(BY_STRETCH, folds=2, fold=1),
            "expected 2 or more stretches to train and to validate outside of fold 1, got 1",
        ),
        (drive("a", SHORT_MIDDLE), ByTime("time", 7.0, 3.4, 0.4, 0.4, 0), "none in train; train 0"),
    ],
)
def test_too_little_to_split_is_refused(entries, split, word):
    with pytest.raises(InputError, match=word):
        [assign(entries, replace(split, seed=seed)) for seed in range(20)]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"val": 0.0}, "val"),
        ({"test": 1.0}, "test"),
        ({"val": 0.5, "test": 0.5}, "test"),
        ({"purge_s": 0.0}, "purge_s"),
        ({"block_s": 6.0}, "block_s"),
    ],
)
def test_impossible_parameters_are_refused_by_name(values, word):
    good = {"by": "time", "block_s": 10.0, "purge_s": 3.0, "val": 0.1, "test": 0.2, "seed": 0}
    with pytest.raises(InputError, match=f"^{word}: "):
        ByTime(**(good | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gap_s": 0.0}, "gap_s: expected more than 0, got 0"),
        ({"folds": 1}, "folds: expected 2 or more, got 1"),
        ({"fold": 4}, "fold: expected 0 to folds - 1 = 3, got 4"),
        ({"fold": -1}, "fold: expected 0 to folds - 1 = 3, got -1"),
        ({"val": 0.0}, "val: expected more than 0 and less than 1, got 0.0"),
    ],
)
def test_impossible_folds_are_refused_by_name(values, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        replace(BY_STRETCH, **values)


CROP_S = 2.0


def crops(recording, count, hop_s=0.5):
    return drive(recording, [hop_s * k for k in range(count)])


def labelled(recordings):
    """Crops of recordings (label, count), and the label of each crop."""
    entries, labels = [], []
    for number, (label, count) in enumerate(recordings):
        own = crops(f"{label}-{number:02d}", count)
        entries += own
        labels += [("me", label)] * len(own)
    return entries, labels


def divided(recordings, split):
    entries, labels = labelled(recordings)
    return entries, labels, assign_labelled(entries, labels, CROP_S, split)


BY_RECORDING = ByRecording("recording", val=0.1, test=0.3, seed=0)
BY_TIME = ByTime("time", block_s=6.0, purge_s=0.4, val=0.15, test=0.25, seed=0)
COUNTS = st.integers(1, 40)
RECORDINGS = st.lists(st.tuples(st.sampled_from(["walk", "run", "fall"]), COUNTS), min_size=9, max_size=20)


@given(RECORDINGS, st.integers(0, 1000))
def test_each_label_has_whole_recordings_to_train_on_and_to_test(recordings, seed):
    assume(min(Counter(label for label, _ in recordings).values()) >= 3)
    entries, labels, names = divided(recordings, replace(BY_RECORDING, seed=seed))
    found = {(entry.sequence, name) for entry, name in zip(entries, names, strict=True)}
    assert len(found) == len(recordings)
    for label in set(labels):
        own = {name for name, other in zip(names, labels, strict=True) if other == label}
        assert own == {"train", "val", "test"}


def test_whole_recordings_meet_the_shares_of_each_label():
    _, labels, names = divided([("walk", 1)] * 40 + [("run", 1)] * 20, BY_RECORDING)
    assert Counter(zip(labels, names, strict=True)) == {
        (("me", "walk"), "train"): 24,
        (("me", "walk"), "val"): 4,
        (("me", "walk"), "test"): 12,
        (("me", "run"), "train"): 12,
        (("me", "run"), "val"): 2,
        (("me", "run"), "test"): 6,
    }


def test_labels_are_drawn_by_themselves():
    """Otherwise the same places in the order of the recordings, such as all of one radar, would be tested."""
    _, _, names = divided([("walk", 1)] * 40 + [("run", 1)] * 40, BY_RECORDING)
    assert names[:40] != names[40:]


@given(
    st.lists(st.tuples(st.sampled_from(["walk", "run"]), st.integers(20, 80)), min_size=2, max_size=6),
    st.integers(0, 999),
)
def test_no_crop_overlaps_or_is_near_one_of_another_split(recordings, seed):
    try:
        entries, labels, names = divided(recordings, replace(BY_TIME, seed=seed))
    except InputError:
        assume(False)
    kept = [(e, name) for e, name in zip(entries, names, strict=True) if name != "purged"]
    for (first, a), (second, b) in combinations(kept, 2):
        if a != b and first.sequence == second.sequence:
            assert abs(first.stamp - second.stamp) - CROP_S >= 0.4
    for label in set(labels):
        assert {"train", "test"} <= {name for name, other in zip(names, labels, strict=True) if other == label}


@given(RECORDINGS, st.randoms())
def test_the_order_of_the_crops_does_not_matter(recordings, shuffled):
    assume(min(Counter(label for label, _ in recordings).values()) >= 3)
    entries, labels = labelled(recordings)
    order = list(range(len(entries)))
    shuffled.shuffle(order)
    names = assign_labelled(entries, labels, CROP_S, BY_RECORDING)
    again = assign_labelled([entries[i] for i in order], [labels[i] for i in order], CROP_S, BY_RECORDING)
    assert again == [names[i] for i in order]


@pytest.mark.parametrize(
    ("recordings", "split", "message"),
    [
        (
            [("walk", 9)] * 3 + [("run", 9)] * 2,
            BY_RECORDING,
            "^split: expected 3 or more recordings of me, run, got 2; split.by: time divides recordings$",
        ),
        ([("walk", 90), ("run", 20)], BY_TIME, "^split: expected 3 or more blocks of me, run, got 2$"),
        (
            [("walk", 36)],
            replace(BY_TIME, purge_s=2.9),
            "^split: expected train data of me, walk, got none; train 0, val",
        ),
    ],
)
def test_a_label_with_too_little_is_refused_by_name(recordings, split, message):
    with pytest.raises(InputError, match=message):
        [divided(recordings, replace(split, seed=seed)) for seed in range(20)]


@pytest.mark.parametrize("stamp", [float("nan"), float("inf"), 1e300])
def test_a_stamp_that_no_clock_shows_is_refused_by_its_sequence(stamp):
    entries = [Entry("drive", float(i), "") for i in range(30)] + [Entry("drive", stamp, "")]
    with pytest.raises(InputError, match=r"split: expected stamps up to 1e\+12 s, got a stamp of .* in drive"):
        assign(entries, ByTime("time", block_s=5.0, purge_s=1.0, val=0.2, test=0.2, seed=0))


FEW = ByFewRecordings("few", 2, val=0.1, test=0.3, seed=0)


def test_few_recordings_train_and_all_that_would_have_been_tested_are():
    recordings = [("walk", 3)] * 20 + [("run", 2)] * 12
    entries, labels, every = divided(recordings, BY_RECORDING)
    kept = {}
    for count in (1, 2, 5):
        names = divided(recordings, replace(FEW, recordings=count))[2]
        pairs = set(zip(every, names, strict=True))
        assert pairs == {("train", "train"), ("train", "purged"), ("val", "val"), ("test", "test")}
        kept[count] = {entry.sequence for entry, name in zip(entries, names, strict=True) if name == "train"}
        of = {e.sequence: label for e, label in zip(entries, labels, strict=True)}
        assert Counter(of[sequence] for sequence in kept[count]) == {("me", "walk"): count, ("me", "run"): count}
    assert kept[1] < kept[2] < kept[5]
    with pytest.raises(InputError, match=r"^split\.recordings: expected 8 or more recordings of me, run to train on, "):
        divided(recordings, replace(FEW, recordings=8))
    with pytest.raises(InputError, match=r"^recordings: expected at least 1, got 0$"):
        replace(FEW, recordings=0)


BY_USER = ByUser("user", val=0.15, test=0.3, seed=0)


@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["walk", "run"]), st.integers(1, 9)), min_size=12))
def test_no_user_is_in_two_splits(recordings):
    entries, users, labels = [], [], []
    for number, (user, label, count) in enumerate(recordings):
        entries += crops(f"{user}-{label}-{number:02d}", count)
        users += [str(user)] * count
        labels += [(label,)] * count
    pairs = set(zip(users, labels, strict=True))
    shared = {user for user, label in pairs if any(other != user and label == same for other, same in pairs)}
    try:
        names = assign_users(entries, users, labels, BY_USER)
    except InputError:
        assume(False)
    for user in shared:
        assert len({name for name, other in zip(names, users, strict=True) if other == user}) == 1
    for label in set(labels):
        assert {"train", "test"} <= {name for name, other in zip(names, labels, strict=True) if other == label}


def test_too_few_users_and_what_only_tested_ones_do_are_refused():
    entries = [entry for i in range(6) for entry in crops(f"r{i}", 2)]
    two, walk = [str(i // 3) for i in range(6) for _ in range(2)], [("walk",)] * 12
    with pytest.raises(InputError, match=r"^split: expected 3 or more users who do the same, got 2; split\.by: rec"):
        assign_users(entries, two, walk, BY_USER)
    users = [str(i) for i in range(6) for _ in range(2)]
    tested = [i for i, name in enumerate(assign_users(entries, users, walk, BY_USER)) if name == "test"]
    labels = [("fall",) if i in tested else ("walk",) for i in range(12)]
    assert len({users[i] for i in tested}) == 2
    with pytest.raises(InputError, match=r"^split: expected train data of fall, got none"):
        assign_users(entries, users, labels, BY_USER)
