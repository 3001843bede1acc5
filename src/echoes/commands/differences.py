"""Command params: the values in which tracks differ from each other, or params.yaml from a commit."""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from echoes import params
from echoes.choices import track
from echoes.choices.rules import leaves
from echoes.commands import sections, yaml_text
from echoes.errors import InputError
from echoes.reports import tables

Values = Mapping[str, Any]  # dotted key -> value

MISSING = "-"  # in the table, of a key that a track does not have
NOTHING = "no differences\n"
IN_VAIN = "(in brackets: without effect, as it belongs to what is not chosen)\n"


def differences(names: Sequence[str], commit: str, path: Path) -> str:
    """A row for each key whose value differs, and a column for each of the tracks `names`, or of all for none.

    With a commit, or a single track, which is compared with HEAD: a column for what was committed, and one for today.
    A value in brackets has no effect, as it belongs to what is not chosen.
    Raises InputError for a track that is unknown, and for a commit that has no such file.
    """
    document = params.document(path)
    known = sections.tracks(document)
    if not commit and len(names or known) > 1:
        check_known(names, known, str(path))
        return _table({name: leaves(known[name]) for name in names or known}, _idle(known, names or known))
    name = commit or "HEAD"
    before = committed(name, path)
    check_known(names, {**sections.tracks(before), **known}, f"{path} and in {name}")
    columns = {name: _of(before, names), "today": _of(document, names)}
    idle = {column: set(_under_tracks(sections.tracks(values))) for column, values in columns.items()}
    return _table({column: leaves(values) for column, values in columns.items()}, idle)


def committed(commit: str, path: Path) -> Any:
    """What the file at `path` held then; raises InputError where git knows no such commit or file."""
    # A name that begins with a dash is no option of git.
    command = ["git", "show", "--end-of-options", f"{commit}:./{path.name}"]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, check=False)
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise InputError(f"{path}: expected a commit that has it, got {commit!r}: {told[0] if told else 'no word'}")
    with TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        copy.write_bytes(done.stdout)
        try:
            return params.document(copy)
        except InputError as error:
            raise InputError(str(error).replace(str(copy), f"{commit}:{path}")) from error


def check_known(names: Sequence[str], known: Mapping[str, Any], where: str) -> None:
    """Raises InputError for the first of `names` that is no track of `where`."""
    for name in names:
        if name not in known:
            raise InputError(f"{name}: no such track in {where}; expected one of {', '.join(known)}")


def _of(document: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """The sections of these names that a document has, or all of it for none."""
    whole = document if isinstance(document, Mapping) else {}
    return {name: whole[name] for name in names if name in whole} if names else whole


def _idle(known: Mapping[str, Any], names: Iterable[str]) -> dict[str, set[str]]:
    """Track -> its keys whose values have no effect."""
    return {name: set(track.idle(known[name])) for name in names}


def _under_tracks(known: Mapping[str, Any]) -> list[str]:
    """The same of all tracks of a document, each key below the name of its track."""
    return [f"{name}.{key}" for name in known for key in track.idle(known[name])]


def _table(columns: Mapping[str, Values], idle: Mapping[str, set[str]]) -> str:
    """idle: column -> keys whose values have no effect there, which stand in brackets."""
    rows = compared(columns, idle)
    marked = any(row[0] in columns[name] and row[0] in idle[name] for row in rows for name in columns)
    return tables.aligned([["", *columns], *rows]) + IN_VAIN * marked if rows else NOTHING


def compared(columns: Mapping[str, Values], idle: Mapping[str, set[str]]) -> list[list[str]]:
    """Each key whose values differ, and these values as text."""
    first, *others = columns.values()
    different = [key for key in _keys([first, *others]) if not all(_same(first, other, key) for other in others)]
    return [[key, *(_shown(columns[name], key, idle[name]) for name in columns)] for key in different]


def _keys(columns: Sequence[Values]) -> list[str]:
    """The keys of all columns in their order; one that the first does not have stands where others have it."""
    keys: list[str] = []
    for values in columns:
        place = 0
        for key in values:
            if key not in keys:
                keys.insert(place, key)
            place = keys.index(key) + 1
    return keys


def _same(first: Values, other: Values, key: str) -> bool:
    """1 and 1.0 are the same number; 1 and true are not the same."""
    if key not in first or key not in other:
        return key not in first and key not in other
    return bool(first[key] == other[key]) and isinstance(first[key], bool) == isinstance(other[key], bool)


def _shown(values: Values, key: str, idle: set[str]) -> str:
    if key not in values:
        return MISSING
    shown = yaml_text.flow(values[key])
    return f"({shown})" if key in idle else shown
