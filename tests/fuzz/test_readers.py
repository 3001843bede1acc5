"""Every reader on damaged recordings: a result or one clear error, whatever the bytes."""

import pytest

from fuzz.targets import READERS


@pytest.mark.parametrize("target", READERS, ids=lambda target: target.name)
def test_a_damaged_recording_gives_a_result_or_one_clear_error(target, fuzzed):
    fuzzed(target)
