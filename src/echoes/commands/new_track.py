"""Command track: one more section of params.yaml, as that of another track, for recordings of its own."""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from echoes import files, params
from echoes.commands import sections, sources, yaml_text
from echoes.errors import InputError
from echoes.readers.catalog import READERS, unknown
from echoes.readers.frames import Frame
from echoes.readers.recordings import Picture, Returns, Signal

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")  # of a section, a folder and a stage of DVC
# What a reader gives, and the raster that takes it.
RASTERS = {Frame: "voxels", Signal: "stft", Returns: "doppler_time", Picture: "picture"}
STARTS = "init_from"  # the mapping beside the tracks that tells where the trainings of each one start
START = "scratch"
EXAMPLE = ""  # in place of a track: what the module of a reader shows of its section

Tracks = Mapping[str, Mapping[str, Any]]
Nodes = Mapping[str, tuple[Any, Any]]  # key -> the nodes of a key and of its value in the text


def add(name: str, like: str, reader: str, path: Path) -> str:
    """Append the section `name` to the file at `path`, which keeps all its other bytes; gives what is to be done next.

    Raises InputError, and writes nothing, for a name that is taken or none, a track or a reader that is unknown, a
    track whose raster the reader cannot fill, and a key of the reader that no track has and its module does not show.
    """
    document = params.document(path)
    known = sections.tracks(document)
    _check(name, like, reader, document, known, path)
    known_sources = {track: section["source"] for track, section in known.items()} | _example(reader)
    origins = _origins(known_sources, like, reader, path)
    section = {**known[like], "source": _source(known_sources, reader, origins)}
    text = path.read_bytes().decode()
    changed = _appended(text, name, like, reader, origins)
    with files.replacing(path) as temporary:
        temporary.write_bytes(changed.encode())
        _check_written(temporary, name, document, section, path)
        sources.load(name, temporary)
    return (
        f"{path}: {name}, as {like} with the reader {reader}\n"
        f"Its recordings belong in data/raw/{name}; `dvc repro` builds it once {name} is in `tracks`."
    )


def _check(name: str, like: str, reader: str, document: Any, known: Tracks, path: Path) -> None:
    if not NAME.fullmatch(name) or not isinstance(yaml.safe_load(name), str):
        raise InputError(f"NAME: expected a letter, then letters, digits, _ and -, and no word of YAML; got {name!r}")
    if like not in known:
        raise InputError(f"--like: expected a track of {path} ({', '.join(known)}), got {like!r}")
    if name in document:
        raise InputError(f"NAME: expected one that {path} does not have, got {name}")
    if reader not in READERS:
        raise unknown(reader, "--reader", READERS)
    wanted = RASTERS[get_type_hints(READERS[reader].read)["return"]]
    rasters = {track: section["grid"].get("raster") for track, section in known.items() if _is_map(section.get("grid"))}
    if rasters.get(like) != wanted:
        fitting = ", ".join(track for track, raster in rasters.items() if raster == wanted) or "no track has it"
        told = f"grid.raster: {wanted}, which the reader {reader} fills ({fitting})"
        raise InputError(f"--like: expected a track with {told}, got {like} with {rasters.get(like)}")


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _origins(known: Tracks, like: str, reader: str, path: Path) -> dict[str, str]:
    """Each key that the reader takes -> the track whose value it gets: `like` where it has one that fits.

    known  the sources of all tracks, and the one that the reader shows.
    """
    hints = get_type_hints(READERS[reader].Source)
    others = [track for track, source in known.items() if source.get("reader") == reader]
    found: dict[str, str] = {}
    for key in (field.name for field in fields(READERS[reader].Source) if field.name != "reader"):
        origin = next((track for track in (like, *others) if _fits(hints[key], known[track], key)), None)
        if origin is not None:
            found[key] = origin
    missing = [field.name for field in fields(READERS[reader].Source) if field.name not in {"reader", *found}]
    if missing:
        told = f"expected a track with source.reader: {reader}, to take {', '.join(missing)} from"
        raise InputError(f"{path}: {told}, as {like} has none that fits; got none")
    return found


def _example_text(reader: str) -> str:
    """YAML of the section `source`; empty for a reader that shows none."""
    return str(getattr(READERS[reader], "EXAMPLE", ""))


def _example(reader: str) -> dict[str, Mapping[str, Any]]:
    text = _example_text(reader)
    return {EXAMPLE: params.parse(text.encode(), Path(reader))["source"]} if text else {}


def _fits(kind: Any, source: Mapping[str, Any], key: str) -> bool:
    try:
        params.build(kind, source[key], key)
    except (InputError, KeyError):
        return False
    return True


def _source(known: Tracks, reader: str, origins: Mapping[str, str]) -> dict[str, Any]:
    return {"reader": reader, **{key: known[track][key] for key, track in origins.items()}}


def _check_written(path: Path, name: str, before: Any, section: Mapping[str, Any], shown: Path) -> None:
    """Raises InputError unless the file gained this section and nothing else: YAML allows more than is known here."""
    after = dict(params.document(path))
    added = after.pop(name, None)
    if STARTS in before:
        start = dict(after[STARTS]).pop(name, None)
        after[STARTS] = {track: value for track, value in after[STARTS].items() if track != name}
    if added != section or after != before or (STARTS in before and start != START):
        raise InputError(f"{shown}: expected sections that can be copied as text, in block style, got others")


def _appended(text: str, name: str, like: str, reader: str, origins: Mapping[str, str]) -> str:
    """The text with a copy of the section of `like` at its end, and a line for it where trainings start."""
    roots = _nodes(yaml.compose(text, Loader=yaml.SafeLoader))
    key, value = roots[like]
    if value.flow_style:
        raise InputError(f"{like}: expected a section with a line for each key, got one in braces")
    first, last = _nodes(value)["source"]
    begin = yaml_text.line_start(text, first.start_mark.index)
    end = yaml_text.line_end(text, yaml_text.last_index(last))
    source = _source_text(text, roots, like, reader, origins)
    # Without the remark behind the name, which is of the recordings.
    before = text[yaml_text.line_end(text, key.end_mark.index) : begin]
    copied = f"{name}:\n{before}{source}{text[end : _section_end(text, value)]}"
    if STARTS in roots:
        text = yaml_text.with_last_key(text, STARTS, name, START)
    whole = text if text.endswith("\n") else f"{text}\n"
    return f"{whole}\n# as {like}, with the reader {reader}: recordings in data/raw/{name}\n{copied}"


def _nodes(node: Any) -> Nodes:
    return {key.value: (key, value) for key, value in node.value}


def _section_end(text: str, value: Any) -> int:
    """Behind the last line of a section, and behind comments that are indented like it."""
    end = yaml_text.line_end(text, yaml_text.last_index(value))
    comments = re.compile(r"(?:[ \t]+#[^\n]*(?:\n|\Z))*").match(text, end)
    assert comments is not None, "no comment at all is a match"
    return comments.end()


def _source_text(text: str, roots: Nodes, like: str, reader: str, origins: Mapping[str, str]) -> str:
    """The lines of a section `source`, whose keys and comments come from the tracks that have them."""
    key, value = _nodes(roots[like][1])["source"]
    indent = " " * key.start_mark.column
    head = f"{indent}source:{_behind(text, value)}"
    if not value.flow_style:
        head = text[yaml_text.line_start(text, key.start_mark.index) : yaml_text.line_end(text, key.start_mark.index)]
        indent = " " * (value.start_mark.column - 2)
    entries = [_entry(text, roots, like, "reader", reader)]
    shown = _example_text(reader)
    shown_roots: Nodes = {EXAMPLE: (None, yaml.compose(shown, Loader=yaml.SafeLoader))}
    for name, track in origins.items():
        where, its_roots = (shown, shown_roots) if track == EXAMPLE else (text, roots)
        entries.append(_entry(where, its_roots, track, name, None))
    return head + "".join(textwrap.indent(entry, f"{indent}  ") for entry in entries)


def _behind(text: str, node: Any) -> str:
    """What follows a value on its line, such as a comment, with the end of the line."""
    return text[node.end_mark.index : yaml_text.line_end(text, node.end_mark.index)]


def _entry(text: str, roots: Nodes, track: str, name: str, other: str | None) -> str:
    """The lines of a key in the source of a track, with the comments above it; other: a value in place of its own."""
    source = _nodes(roots[track][1])["source"]
    pairs = source[1].value
    at = [key.value for key, _ in pairs].index(name)
    key, value = pairs[at]
    content = yaml_text.flow(other) if other else text[value.start_mark.index : yaml_text.last_index(value)]
    if source[1].flow_style:
        return f"{text[key.start_mark.index : value.start_mark.index]}{content}\n"
    previous = yaml_text.last_index(pairs[at - 1][1]) if at else source[0].end_mark.index
    begin, end = yaml_text.line_end(text, previous), yaml_text.last_index(value)
    lines = f"{text[begin : value.start_mark.index]}{content}{text[end : yaml_text.line_end(text, end)]}".splitlines()
    return "".join(f"{re.sub(rf'^ {{0,{key.start_mark.column}}}', '', line)}\n" for line in lines)
