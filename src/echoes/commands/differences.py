"""Command params: the values in which tracks differ from each other, or params.yaml from a commit."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from echoes import params
from echoes.commands import sections, yaml_text
from echoes.errors import InputError
from echoes.reports import tables

Values = Mapping[str, Any]  # dotted key -> value

MISSING = "-"  # in the table, of a key that a track does not have
NOTHING = "no differences\n"


def differences(names: Sequence[str], commit: str, path: Path) -> str:
    """A row for each key whose value differs, and a column for each of the tracks `names`, or of all for none.

    With a commit, or a single track, which is compared with HEAD: a column for what was committed, and one for today.
    Raises InputError for a track that is unknown, and for a commit that has no such file.
    """
    document = params.document(path)
    known = sections.tracks(document)
    if not commit and len(names or known) > 1:
        _check_known(names, known, str(path))
        return _table({name: flat(known[name]) for name in names or known})
    name = commit or "HEAD"
    before = committed(name, path)
    _check_known(names, {**sections.tracks(before), **known}, f"{path} and in {name}")
    return _table({name: flat(_of(before, names)), "today": flat(_of(document, names))})


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


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Dotted key -> value, of a mapping of mappings; a list is one value."""
    if not isinstance(value, Mapping) or (path and not value):
        return {path: value}
    found: dict[str, Any] = {}
    for key, each in value.items():
        found |= flat(each, f"{path}.{key}" if path else str(key))
    return found


def _check_known(names: Sequence[str], known: Mapping[str, Any], where: str) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"{name}: no such track in {where}; expected one of {', '.join(known)}")


def _of(document: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """The sections of these names that a document has, or all of it for none."""
    whole = document if isinstance(document, Mapping) else {}
    return {name: whole[name] for name in names if name in whole} if names else whole


def _table(columns: Mapping[str, Values]) -> str:
    first, *others = columns.values()
    different = [key for key in _keys([first, *others]) if not all(_same(first, other, key) for other in others)]
    rows = [[key, *(_shown(values, key) for values in columns.values())] for key in different]
    return tables.aligned([["", *columns], *rows]) if rows else NOTHING


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


def _shown(values: Values, key: str) -> str:
    return yaml_text.flow(values[key]) if key in values else MISSING
