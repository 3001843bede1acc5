"""Writes docs/parameters.md: every key that params.yaml may have, as the dataclasses that read it explain it.

A key is explained by the docstring of its class, by a comment where it is a field, or in tools/meanings.yaml: of keys
such as `seed`, which need no word where they are read.
"""

import dataclasses
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from echoes import imports, params
from echoes.autoencoder.autoencoder_kl import KlShape
from echoes.autoencoder.fitting import VaeParams
from echoes.judging.stops import Inspect
from echoes.models import distilling, families, objectives, trained
from echoes.models.microdoppler import curves
from echoes.readers.catalog import MODULES, READERS
from echoes.training.runtime import Runtime
from echoes.voxelization import sections

PAGE = imports.ROOT / "docs" / "parameters.md"
MEANINGS = Path(__file__).with_name("meanings.yaml")
TOP = {  # of params.yaml, beside the tracks
    "tracks": "what `dvc repro` builds",
    "init_from": "track -> the track whose finished autoencoder and denoiser its trainings start from; scratch: none",
    "folds": "tracks that are cross-validated: every fold trained and evaluated",
    "augment": "tracks whose generated spectrograms are tried as augmentation",
}
HEAD = """\
# Parameters

Every key that [params.yaml](../params.yaml) may have. `make parameters` writes this page from the code: the words are
those of the dataclasses that read the keys. `echoes params TRACK TRACK` shows the values in which tracks differ, and
which of them have an effect.

A key that is missing, unknown or of another type is refused with its full path. The sections of a track are read by one
stage each: a change runs that stage anew, and what follows it ([experiments.md](experiments.md)).

"""
WORDS = {int: "whole number", float: "number", str: "text", bool: "true, false", NoneType: "null"}


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a class is read: its path in a track, such as ldm.schedule, and in which of several alternatives."""

    path: str
    cls: type


def roots() -> Iterator[Place]:
    """The classes of the sections of a track, and that of `runtime`."""
    for readers in MODULES.values():
        for reader in readers:
            yield Place("source", READERS[reader].Source)
    yield Place("inspect", Inspect)
    for kind in _classes(sections.Layout):
        yield Place("grid", kind)
    for kind in _classes(sections.Split):
        yield Place("split", kind)
    yield Place("vae", VaeParams)
    yield Place("latents", _of_stage("extract_latents"))
    yield Place("ldm", objectives.LdmParams)
    yield Place("cd", distilling.CdParams)
    yield Place("sample", trained.SampleParams)
    for family in MODULES:
        yield Place("evaluate", families.evaluation(family).Section)
    yield Place("augment", curves.AugmentParams)
    yield Place("runtime", Runtime)


def places() -> list[Place]:
    """Every class below the sections, each place once, in the order of the keys."""
    found: dict[Place, None] = {}

    def visit(place: Place) -> None:
        if place in found or place.cls is KlShape:  # the layout of one that is read back, which nobody chooses
            return
        found[place] = None
        for name, hint in fields(place.cls).items():
            for kind in _classes(hint):
                visit(Place(f"{place.path}.{name}", kind))

    for root in roots():
        visit(root)
    return list(found)


def fields(cls: type) -> dict[str, Any]:
    """Name -> type of each key of a dataclass."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def meaning(cls: type, name: str) -> str:
    """What a key is; empty where nothing says so."""
    hint = fields(cls)[name]
    if get_origin(hint) is Literal and len(get_args(hint)) == 1:
        return "names this choice"
    return told(cls, name) or ("below" if _classes(hint) else "")


def told(cls: type, name: str) -> str:
    """What a key is, in the words of the class that has it."""
    for owner in cls.__mro__:
        if dataclasses.is_dataclass(owner) and name in (explained := _told(owner)):
            return explained[name]
    owners = [owner.__name__ for owner in cls.__mro__ if dataclasses.is_dataclass(owner)]
    return next((meanings()[key] for key in (*(f"{o}.{name}" for o in owners), name) if key in meanings()), "")


@cache
def meanings() -> Mapping[str, str]:
    """`Class.key`, or a key of any class -> what it is."""
    found: Mapping[str, str] = params.document(MEANINGS)
    return found


@cache
def _told(owner: type) -> dict[str, str]:
    """Key -> meaning, of the keys that a class itself explains."""
    names = [field.name for field in dataclasses.fields(owner)]
    return {**_commented(owner), **in_docstring(inspect.getdoc(owner) or "", names)}


def in_docstring(text: str, names: list[str]) -> dict[str, str]:
    """The keys that a docstring explains: `key  meaning` at the start of a line, or `key: meaning` behind `; ` or `. `.

    Several keys that share a meaning are separated by commas. A key in backticks is explained by its sentence.
    """
    if not names:
        return {}
    names = sorted(names, key=len, reverse=True)
    key = "|".join(map(re.escape, names))
    start = re.compile(rf"(?:^|(?<=; )|(?<=\. )|(?<=: ))((?:{key})(?:(?:, | to )(?:{key}))*)(?:  +|: )", re.MULTILINE)
    found: dict[str, str] = {}
    for block in re.split(r"\n\s*\n", text):
        marks = list(start.finditer(block))
        for mark, after in zip(marks, [*marks[1:], None], strict=False):
            words = " ".join(block[mark.end() : after.start() if after else len(block)].split()).rstrip(";")
            for name in re.split(", | to ", mark[1]):
                found.setdefault(name, words)
    for sentence in re.split(r"(?<=[.;])\s+", " ".join(text.split())):
        for name in names:
            if f"`{name}`" in sentence:
                found.setdefault(name, sentence.rstrip(";"))
    return found


def _commented(owner: type) -> dict[str, str]:
    """The keys behind which a comment stands."""
    found = re.findall(r"^    (\w+): .*?  # (.+)$", inspect.getsource(owner), re.MULTILINE)
    return {name: text for name, text in found if not text.startswith(("noqa", "type:"))}


def values(hint: Any) -> str:
    """What may stand at a key."""
    origin = get_origin(hint)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(hint))
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(values(kind) for kind in get_args(hint)))
    if origin is tuple:
        inner = [kind for kind in get_args(hint) if kind is not Ellipsis]
        return f"list of {' , '.join(dict.fromkeys(values(kind) for kind in inner))}".replace(" , ", ", ")
    if origin is dict:
        return f"mapping to {values(get_args(hint)[1])}"
    return "section" if dataclasses.is_dataclass(hint) else WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def page() -> str:
    """The text of docs/parameters.md."""
    parts = [HEAD, "## Beside the tracks\n\n", _table([(key, "", text) for key, text in TOP.items()])]
    every: dict[type, list[str]] = {}
    for place in places():
        every.setdefault(place.cls, []).append(place.path)
    for section in dict.fromkeys(paths[0].split(".")[0] for paths in every.values()):
        parts.append(f"\n## `{section}`\n")
        for cls, paths in every.items():
            if paths[0].split(".")[0] == section:
                parts.append(_section(cls, paths))
    return "".join(parts)


def _section(cls: type, paths: list[str]) -> str:
    """A class: where it stands, what it is, and its keys."""
    where, keys = ", ".join(f"`{path}`" for path in dict.fromkeys(paths)), fields(cls)
    text = (inspect.getdoc(cls) or "").split("\n\n")[0]
    made_up = text.startswith(f"{cls.__name__}(")  # by the decorator, of a class without a docstring
    first = "" if made_up or in_docstring(text, list(keys)) else f"{_safe(' '.join(text.split()))}\n\n"
    rows = [(name, values(hint), meaning(cls, name)) for name, hint in keys.items()]
    names = [get_args(hint) for hint in keys.values() if get_origin(hint) is Literal]
    which = next((f": `{found[0]}`" for found in names if len(found) == 1), "")
    return f"\n### {where}{which}\n\n{first}{_table(rows)}"


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [f"| `{name}` | {kind} | {_safe(text)} |" for name, kind, text in rows]
    return "\n".join(["| key | values | meaning |", "| --- | --- | --- |", *lines]) + "\n"


def _safe(text: str) -> str:
    """A bar would end a cell, and what stands in angle brackets is no HTML; in backticks it is none anyway."""
    return re.sub(r"(`[^`]*`)|<", lambda found: found[1] or "&lt;", text.replace("|", "\\|"))


def _classes(hint: Any) -> list[type]:
    """The dataclasses that a type is made of, in unions, lists and mappings too."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return [hint]
    return [kind for inner in get_args(hint) for kind in _classes(inner)]


def _of_stage(name: str) -> type:
    """The class of the section that a script of a stage defines itself."""
    path = imports.ROOT / "stages" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"stage_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where its source is looked up
    spec.loader.exec_module(module)
    found: type = module.Params
    return found


if __name__ == "__main__":
    PAGE.write_text(page())
