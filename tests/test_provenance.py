"""Artifacts say what they were made from, and are refused beside another parent."""

from pathlib import Path

import pytest

from echoes import provenance
from echoes.errors import InputError
from echoes.provenance import Header

HEADER = Header("vae", {"lr": 1e-3, "channels": [24, 48]}, {"grids": "a" * 64}, {"axes": ["z"]})


def test_a_header_survives_its_text():
    sealed = HEADER.sealed("digest")
    assert provenance.parse(sealed.text(), "vae", Path("vae.safetensors")) == sealed


def test_the_text_does_not_depend_on_the_order_of_the_keys():
    other = Header("vae", {"channels": [24, 48], "lr": 1e-3}, {"grids": "a" * 64}, {"axes": ["z"]})
    assert other.text() == HEADER.text()


def test_content_params_and_parents_all_tell_in_the_identity():
    changed = [
        HEADER.sealed("digest"),
        HEADER.sealed("other"),
        Header("vae", {"lr": 2e-3, "channels": [24, 48]}, HEADER.parents, HEADER.content).sealed("digest"),
        Header("vae", HEADER.params, {"grids": "b" * 64}, HEADER.content).sealed("digest"),
        Header("vae", HEADER.params, HEADER.parents, {"axes": ["y"]}).sealed("digest"),
        Header("ldm", HEADER.params, HEADER.parents, HEADER.content).sealed("digest"),
    ]
    assert len({header.identity for header in changed}) == len(changed)
    assert HEADER.sealed("digest") == changed[0]


def test_a_child_of_this_parent_is_taken_and_another_is_refused_naming_both():
    parent, other = Header("grids", {}, {}).sealed("one"), Header("grids", {}, {}).sealed("two")
    child = Header("vae", {}, {"grids": parent.identity})
    provenance.require_parent(Path("vae.safetensors"), child, Path("grids.zarr"), parent)
    with pytest.raises(InputError) as raised:
        provenance.require_parent(Path("vae.safetensors"), child, Path("grids.zarr"), other)
    for part in ("vae.safetensors", parent.identity[:12], "grids.zarr", other.identity[:12]):
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_child_without_such_a_parent_is_refused():
    parent = Header("latents", {}, {}).sealed("one")
    with pytest.raises(InputError, match="made from latents nothing"):
        provenance.require_parent(Path("ldm"), HEADER, Path("latents"), parent)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"kind": "vae"}', '{"kind": "vae", "surprise": 1}'])
def test_a_foreign_header_is_refused_by_the_name_of_its_file(text):
    with pytest.raises(InputError, match=r"^vae\.safetensors: expected the header of an echoes artifact"):
        provenance.parse(text, "vae", Path("vae.safetensors"))


def test_an_artifact_of_another_kind_is_refused():
    with pytest.raises(InputError, match=r"^ldm\.safetensors: expected an artifact of kind ldm, got vae$"):
        provenance.parse(HEADER.text(), "ldm", Path("ldm.safetensors"))
