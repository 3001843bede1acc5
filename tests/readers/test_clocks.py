"""Clocks that jump back: every stamp later than the one before in its sequence, and no entry lost."""

from collections import Counter
from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from echoes.readers import clocks, splits
from echoes.readers.frames import Entry

STAMPS = st.lists(st.integers(0, 9), max_size=12)


def listed(sequence, stamps):
    return [Entry(sequence, float(stamp), f"{sequence} {i}") for i, stamp in enumerate(stamps)]


@given(STAMPS)
def test_runs_are_the_items_in_order_and_begin_where_the_clock_jumps_back(stamps):
    found = clocks.runs(stamps, stamps)
    assert [stamp for run in found for stamp in run] == stamps
    assert all(before < after for run in found for before, after in pairwise(run))
    assert all(after[0] <= before[-1] for before, after in pairwise(found))
    assert sum(clocks.jumps(stamps)) == max(0, len(found) - 1)


@given(st.lists(STAMPS, max_size=4))
def test_stamps_increase_within_each_sequence_and_each_jump_is_counted_once(recordings):
    entries = [entry for i, stamps in enumerate(recordings) for entry in listed(f"loop-{i}", stamps)]
    found = clocks.cut(entries)
    assert [(e.stamp, e.key) for e in found] == [(e.stamp, e.key) for e in entries]
    runs = [list(run) for _, run in groupby(found, lambda entry: entry.sequence)]
    assert len({run[0].sequence for run in runs}) == len(runs)
    assert all(before.stamp < after.stamp for run in runs for before, after in pairwise(run))
    assert len(runs) == sum(stamps != [] for stamps in recordings) + sum(entry.jumps_back for entry in found)
    assert not any(entry.jumps_back for run in runs for entry in run[1:])


def test_a_recording_without_a_jump_stays_as_it_is():
    entries = [*listed("a", [0, 1, 2]), *listed("b", [0, 1])]
    assert clocks.cut(entries) == entries
    assert clocks.told(entries) == ""


def test_names_that_other_sequences_have_are_passed_over():
    entries = [*listed("loop", [5, 1, 1]), *listed("loop-3", [0, 0])]
    names = [entry.sequence for entry in clocks.cut(entries)]
    assert names == ["loop", "loop-2", "loop-4", "loop-3", "loop-3-2"]


def test_many_jumps_are_told_by_the_first_of_them():
    told = clocks.told(clocks.cut(listed("loop", range(5, 0, -1))))
    assert told == "the clock jumps back 4 times; a new sequence begins there: loop-2, loop-3, loop-4 and 1 more"


def test_drives_that_tell_the_same_time_are_split_apart_and_purged_each_for_itself():
    entries = clocks.cut(listed("loop", [*range(100), *range(50, 150)]))
    split = splits.ByTime("time", block_s=20.0, purge_s=3.0, val=0.2, test=0.2, seed=1)
    names = splits.assign(entries, split)
    for sequence in ("loop", "loop-2"):
        own = [(e, name) for e, name in zip(entries, names, strict=True) if e.sequence == sequence]
        changes = sum(a != b for (_, a), (_, b) in pairwise([pair for pair in own if pair[1] != "purged"]))
        assert changes > 0
        assert Counter(name for _, name in own)["purged"] == 2 * changes
