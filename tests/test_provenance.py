"""Artifacts say what they were made from, and are refused beside another parent."""

import json
from pathlib import Path

import pytest

from echoes import provenance
from echoes.errors import InputError
from echoes.provenance import Header

PARTS = {"c/0": {"bytes": 3, "sha256": "b" * 64}}
OTHER = {"c/0": {"bytes": 3, "sha256": "c" * 64}}
HEADER = Header("vae", {"lr": 1e-3, "channels": [24, 48]}, {"grids": "a" * 64}, {"axes": ["z"]})


def test_a_header_survives_its_text():
    sealed = HEADER.sealed(PARTS)
    assert provenance.parse(sealed.text(), "vae", Path("vae.safetensors")) == sealed


def test_the_text_does_not_depend_on_the_order_of_the_keys():
    other = Header("vae", {"channels": [24, 48], "lr": 1e-3}, {"grids": "a" * 64}, {"axes": ["z"]})
    assert other.text() == HEADER.text()


def test_content_params_and_parents_all_tell_in_the_identity():
    changed = [
        HEADER.sealed(PARTS),
        HEADER.sealed(OTHER),
        Header("vae", {"lr": 2e-3, "channels": [24, 48]}, HEADER.parents, HEADER.content).sealed(PARTS),
        Header("vae", HEADER.params, {"grids": "b" * 64}, HEADER.content).sealed(PARTS),
        Header("vae", HEADER.params, HEADER.parents, {"axes": ["y"]}).sealed(PARTS),
        Header("ldm", HEADER.params, HEADER.parents, HEADER.content).sealed(PARTS),
    ]
    assert len({header.identity for header in changed}) == len(changed)
    assert HEADER.sealed(PARTS) == changed[0]


def test_a_child_of_this_parent_is_taken_and_another_is_refused_naming_both():
    parent, other = Header("grids", {}, {}).sealed(PARTS), Header("grids", {}, {}).sealed(OTHER)
    child = Header("vae", {}, {"grids": parent.identity})
    provenance.require_parent(Path("vae.safetensors"), child, Path("grids.zarr"), parent)
    with pytest.raises(InputError) as raised:
        provenance.require_parent(Path("vae.safetensors"), child, Path("grids.zarr"), other)
    for part in ("vae.safetensors", parent.identity[:12], "grids.zarr", other.identity[:12]):
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_child_without_such_a_parent_is_refused():
    parent = Header("latents", {}, {}).sealed(PARTS)
    with pytest.raises(InputError, match="made from latents nothing"):
        provenance.require_parent(Path("ldm"), HEADER, Path("latents"), parent)


def test_versions_are_of_what_computed_it_and_grids_need_no_torch():
    assert set(HEADER.sealed({}).versions) == {"python", "echoes", "numpy", "torch"}
    assert set(Header("grids", {}, {}).sealed({}).versions) == {"python", "echoes", "numpy"}
    assert all(version[0].isdigit() for version in HEADER.sealed({}).versions.values())


def test_a_header_that_was_changed_after_it_was_written_is_refused_whatever_the_field():
    fields = json.loads(HEADER.sealed(PARTS).text())
    changes = {
        "params": {"lr": 2e-3},
        "parents": {"grids": "d" * 64},
        "content": {},
        "architecture": {"width": 9},
        "versions": {"torch": "9"},
        "parts": OTHER,
        "identity": "e" * 64,
    }
    assert set(changes) | {"kind", "format"} == set(fields)
    for name, value in changes.items():
        with pytest.raises(InputError, match=r"^vae: expected a header of identity \w{12}, got \w{12}; it was changed"):
            provenance.parse(json.dumps(fields | {name: value}), "vae", Path("vae"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda fields: fields.pop("format"), r"got None: from before formats had numbers; train it anew"),
        (lambda fields: fields.update(format=5), r"got 5: this echoes is too old for it"),
        (lambda fields: fields.update(format=0), r"got 0: this echoes is too old for it"),
        (lambda fields: fields.update(format=True), r"got True: this echoes is too old for it"),
        (lambda fields: fields.update(format="1"), r"got 1: this echoes is too old for it"),
    ],
)
def test_another_format_is_told_by_its_number(change, told):
    fields = json.loads(HEADER.sealed(PARTS).text())
    change(fields)
    with pytest.raises(InputError, match=rf"^vae: expected an artifact of format 1 to 4, {told}$"):
        provenance.parse(json.dumps(fields), "vae", Path("vae"))


def test_a_header_of_an_earlier_format_is_read_as_it_was_written():
    sealed = Header("vae", HEADER.params, HEADER.parents, HEADER.content, format=1).sealed(PARTS)
    assert provenance.parse(sealed.text(), "vae", Path("vae")) == sealed
    assert HEADER.format == 4


@pytest.mark.parametrize("name", ["/etc/passwd", "../ldm", "c/../../ldm"])
def test_a_part_outside_of_its_artifact_is_refused(name):
    text = HEADER.sealed({name: PARTS["c/0"]}).text()
    with pytest.raises(InputError, match="expected the header of an echoes artifact"):
        provenance.parse(text, "vae", Path("vae"))


def written(folder, **content):
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text)
    return Header("latents", {}, {}).sealed(provenance.parts(folder, "index"))


def test_parts_are_all_files_but_the_one_with_the_header(tmp_path):
    header = written(tmp_path / "a", index="header", one="1", three="333")
    assert {name: part["bytes"] for name, part in header.parts.items()} == {"one": 1, "three": 3}
    provenance.require_sizes(header, tmp_path / "a")
    provenance.require_parts(header, tmp_path / "a", header.parts)


def test_a_part_that_is_missing_shorter_or_other_is_named(tmp_path):
    header = written(tmp_path / "a", one="1", three="333")
    (tmp_path / "a" / "three").write_text("334")
    provenance.require_sizes(header, tmp_path / "a")
    with pytest.raises(InputError, match=r"a/three: expected the content \w{12} as written, got \w{12}$"):
        provenance.require_parts(header, tmp_path / "a", header.parts)
    (tmp_path / "a" / "three").write_text("33")
    with pytest.raises(InputError, match=r"a/three: expected the 3 bytes that were written, got 2$"):
        provenance.require_sizes(header, tmp_path / "a")
    (tmp_path / "a" / "three").unlink()
    with pytest.raises(InputError, match=r"a/three: no such file; expected the 3 bytes"):
        provenance.require_sizes(header, tmp_path / "a")


def test_a_header_beside_its_file_comes_back_in_the_same_bytes(tmp_path):
    (tmp_path / "evaluate.json").write_text("{}")
    for name in ("a", "b"):
        provenance.write(Header("evaluation", {"seed": 0}, {}), tmp_path / name, tmp_path / "evaluate.json")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    header = provenance.read(tmp_path / "a", "evaluation")
    assert (header.params, set(header.parts)) == ({"seed": 0}, {"evaluate.json"})
    provenance.require_parts(header, tmp_path, header.parts)
    with pytest.raises(InputError, match="nothing: expected the header of an artifact of kind evaluation, got"):
        provenance.read(tmp_path / "nothing", "evaluation")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", '{"kind": "vae"}', '{"kind": "vae", "surprise": 1}', "[" * 100_000),
        '{"kind": "vae", "params": {"lr": NaN}, "parents": {}}',
        '{"kind": "vae", "params": {}, "parents": []}',
        '{"kind": "vae", "params": {}, "parents": {"grids": 3}}',
        '{"kind": "vae", "params": {}, "parents": {}, "identity": 3}',
        '{"kind": "vae", "params": {}, "parents": {}, "parts": {"c": 3}}',
        '{"kind": "vae", "params": {}, "parents": {}, "parts": {"c": {"bytes": "many", "sha256": ""}}}',
    ],
)
def test_a_foreign_header_is_refused_by_the_name_of_its_file(text):
    with pytest.raises(InputError, match=r"^vae\.safetensors: expected the header of an echoes artifact"):
        provenance.parse(text, "vae", Path("vae.safetensors"))


def test_an_artifact_of_another_kind_is_refused():
    with pytest.raises(InputError, match=r"^ldm\.safetensors: expected an artifact of kind ldm, got vae$"):
        provenance.parse(HEADER.text(), "ldm", Path("ldm.safetensors"))
