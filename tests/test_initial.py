"""Where a training starts: from scratch nothing is copied, from another track its models are, whole or not at all."""

import pytest

from echoes import initial, provenance
from echoes.errors import InputError


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "data" / "street"
    folder.mkdir(parents=True)
    for name in initial.WEIGHTS:
        (folder / name).write_bytes(name.encode())
    return folder


def test_from_scratch_nothing_is_copied_and_the_header_says_so(tmp_path):
    initial.write(initial.SCRATCH, tmp_path / "data" / "scratch", tmp_path / "init")
    header = initial.read(tmp_path / "init")
    assert (header.params, header.parts) == ({"init_from": "scratch"}, {})
    assert [path.name for path in (tmp_path / "init").iterdir()] == [initial.CARRIER]


def test_the_models_of_another_track_are_copied_and_the_header_names_it_and_their_content(models, tmp_path):
    initial.write("street", models, tmp_path / "init")
    header = initial.read(tmp_path / "init")
    assert header.params == {"init_from": "street"}
    assert sorted(header.parts) == sorted(initial.WEIGHTS)
    provenance.require_parts(header, tmp_path / "init", header.parts)
    initial.write(initial.SCRATCH, models, tmp_path / "none")
    assert initial.read(tmp_path / "none").identity != header.identity


def test_a_track_without_finished_models_is_refused_by_name_and_what_stood_there_stays(models, tmp_path):
    initial.write("street", models, tmp_path / "init")
    (models / "ldm.safetensors").unlink()
    expected = r"street/ldm\.safetensors: no such file; expected the finished models of street$"
    with pytest.raises(InputError, match=expected):
        initial.write("street", models, tmp_path / "init")
    assert sorted(initial.read(tmp_path / "init").parts) == sorted(initial.WEIGHTS)


def test_a_copy_that_is_cut_off_is_refused(models, tmp_path):
    initial.write("street", models, tmp_path / "init")
    (tmp_path / "init" / "vae.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"init/vae\.safetensors: expected the 15 bytes that were written, got 0"):
        initial.read(tmp_path / "init")
