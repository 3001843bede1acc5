"""Readers are found by the names of today, and those of before are told."""

import pytest

from echoes.errors import InputError
from echoes.readers.catalog import RENAMED, family_of


def test_a_reader_that_was_renamed_is_told_by_its_new_name():
    for before, now in RENAMED.items():
        with pytest.raises(InputError, match=rf"^mine\.source\.reader: the reader {before} is called {now} now$"):
            family_of(before, "mine.source.reader")
        assert family_of(now, "reader") == "radar"
