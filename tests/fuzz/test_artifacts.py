"""Every loader of artifacts on damaged ones: a result or one clear error, whatever the bytes."""

import pytest

from fuzz.artifact_targets import ARTIFACTS, ESCAPING


@pytest.mark.parametrize("target", ARTIFACTS, ids=lambda target: target.name)
def test_a_damaged_artifact_gives_a_result_or_one_clear_error(target, fuzzed, request):
    if target.name in ESCAPING:
        request.node.add_marker(pytest.mark.xfail(reason=ESCAPING[target.name], strict=False))
    fuzzed(target, escapes=target.name in ESCAPING)
