"""docs/parameters.md is what `make parameters` writes, and explains every key of params.yaml."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

import parameters
from echoes import imports
from echoes.commands import sections

DOCUMENT = yaml.safe_load((imports.ROOT / "params.yaml").read_text())


def keys() -> set[str]:
    """Path of every key that a class reads, such as ldm.schedule.lr."""
    return {f"{place.path}.{name}" for place in parameters.places() for name in parameters.fields(place.cls)}


def paths(value: Any, path: str, known: set[str]) -> list[str]:
    """The keys below `path`, down to those that are known and hold no section of a class."""
    if not isinstance(value, Mapping) or (path in known and not any(k.startswith(f"{path}.") for k in known)):
        return [path]
    return [deeper for key, each in value.items() for deeper in paths(each, f"{path}.{key}", known)]


def test_the_page_is_what_make_parameters_writes():
    assert parameters.PAGE.read_text() == parameters.page()


def test_every_key_has_a_meaning():
    places = {place.cls: place.path for place in parameters.places()}
    every = [(cls, path, name) for cls, path in places.items() for name in parameters.fields(cls)]
    assert [f"{path}.{name}" for cls, path, name in every if not parameters.meaning(cls, name)] == []


def test_every_key_of_params_yaml_is_on_the_page():
    known = keys()
    tracks = sections.tracks(DOCUMENT)
    found = [(track, path) for track, s in tracks.items() for name, of in s.items() for path in paths(of, name, known)]
    found += [("runtime", path) for path in paths(DOCUMENT["runtime"], "runtime", known)]
    assert [pair for pair in found if pair[1] not in known] == []
    assert set(DOCUMENT) - set(tracks) - {"runtime"} == set(parameters.TOP)


def test_the_list_of_meanings_has_none_that_a_class_tells_itself_or_that_is_of_no_key():
    owners = {owner for place in parameters.places() for owner in place.cls.__mro__ if owner.__module__ != "builtins"}
    names = {(owner.__name__, name): owner for owner in owners for name in getattr(owner, "__dataclass_fields__", ())}
    for key in parameters.meanings():
        owner, _, name = key.rpartition(".")
        assert not owner or (owner, name) in names, key
        assert not owner or name not in parameters._told(names[owner, name]) or owner in ("Source", "Params"), key
        assert owner or any(name == of for _, of in names), key


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a  of this\n   and that\nb   of b", {"a": "of this and that", "b": "of b"}),
        ("Both.\n\na: one; b: two.", {"a": "one", "b": "two."}),
        ("a, b  of both.\nA text after it.", {"a": "of both. A text after it.", "b": "of both. A text after it."}),
        ("From `a` to the end. No b.", {"a": "From `a` to the end."}),
        ("Nothing of ab: or of c.", {}),
    ],
)
def test_a_docstring_explains_keys_in_columns_and_in_sentences(text, told):
    assert parameters.in_docstring(text, ["a", "b"]) == told
