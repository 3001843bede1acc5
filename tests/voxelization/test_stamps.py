"""Refused entries are counted and said; the signed stamp differences are written out."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from echoes.errors import InputError
from echoes.readers.frames import Entry
from echoes.voxelization import stamps

GOOD = Entry("a", 1.0, "a/0", offset_s=-0.0123456)
LATE = Entry("a", 1.1, "a/1", offset_s=0.05, refused="LiDAR 50 ms after the radar, beyond the tolerance of 30 ms")
ALONE = Entry("b", 2.0, "b/0")


def test_the_entries_that_are_not_refused_are_left_in_order(caplog):
    with caplog.at_level(logging.INFO):
        assert stamps.usable([GOOD, LATE, ALONE], Path("raw")) == [GOOD, ALONE]
    assert caplog.messages == [f"voxelize: 1 of 3 frames refused, the first: {LATE.refused}"]


def test_jumps_back_of_the_clock_are_counted_and_said(caplog):
    again = replace(LATE, sequence="a-2", jumps_back=True)
    with caplog.at_level(logging.INFO):
        assert stamps.clock_jumps([GOOD, again, ALONE]) == 1
        assert stamps.clock_jumps([GOOD, LATE, ALONE]) == 0
    assert caplog.messages == ["voxelize: the clock jumps back 1 time; a new sequence begins there: a-2"]


def test_nothing_is_said_where_nothing_is_refused(caplog):
    with caplog.at_level(logging.INFO):
        assert stamps.usable([GOOD, ALONE], Path("raw")) == [GOOD, ALONE]
    assert caplog.messages == []


@pytest.mark.parametrize(("entries", "reason"), [([LATE], "LiDAR 50 ms after"), ([], "the recording lists none")])
def test_a_recording_without_a_usable_frame_is_refused_with_the_reason(entries, reason):
    with pytest.raises(InputError, match=rf"^raw: expected frames to use, got none \({reason}"):
        stamps.usable(entries, Path("raw"))


def test_differences_are_signed_and_refused_pairs_are_listed_too(tmp_path):
    stamps.write([GOOD, LATE, ALONE], tmp_path / "plots" / "stamps.csv")
    assert (tmp_path / "plots" / "stamps.csv").read_text().splitlines() == [
        "sequence,stamp_s,lidar_minus_radar_s,refused",
        "a,1.000000,-0.012346,",
        f'a,1.100000,0.050000,"{LATE.refused}"',
        "b,2.000000,,",
    ]


def test_lines_end_alike_on_every_machine(tmp_path):
    stamps.write([GOOD], tmp_path / "stamps.csv")
    assert b"\r" not in (tmp_path / "stamps.csv").read_bytes()
