"""Every loader of artifacts on damaged ones: a result or one clear error, whatever the bytes."""

import pytest

from echoes.errors import InputError
from fuzz.artifact_targets import ARTIFACTS, FOREIGN


@pytest.mark.parametrize("target", [*ARTIFACTS, *FOREIGN], ids=lambda target: target.name)
def test_a_damaged_artifact_gives_a_result_or_one_clear_error(target, fuzzed):
    fuzzed(target)


@pytest.mark.parametrize("target", ARTIFACTS, ids=lambda target: target.name)
def test_an_artifact_that_was_changed_is_read_once_it_is_sealed_again(target, tmp_path):
    files = target.files(tmp_path / "valid")
    changed = {name: data.replace(b"python", b"jython", 1) for name, data in files.items()}
    assert changed != files
    for name, content in (("changed", changed), ("sealed", target.sealed(changed))):
        for path, data in content.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(data)
    with pytest.raises(InputError, match="it was changed after it was written"):
        target.read(tmp_path / "changed")
    target.check(target.read(tmp_path / "sealed"))
