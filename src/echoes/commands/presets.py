"""Command preset: what a card can train, written over the section of a track in params.yaml."""

import copy
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from echoes import files, params
from echoes.commands import estimate, sections, stand_ins, trainings, yaml_text
from echoes.errors import InputError
from echoes.readers.catalog import family_of

FOLDERS = {"radar": "clouds", "microdoppler": "spectrograms"}  # of the presets of a family


def write(card: str, track: str, path: Path, presets: Path) -> str:
    """Put the values of a preset in place of those of a track in the file at `path`, whose other bytes stay.

    presets  folder with a folder for each family, in which each card has a file; its keys that the track does not have
             are left out.

    Raises InputError, and writes nothing, for an unknown card or track, and for networks that do not fit its grid.
    """
    document = params.document(path)
    known = sections.tracks(document)
    if track not in known:
        raise InputError(f"--track: expected a track of {path} ({', '.join(known)}), got {track!r}")
    reader = known[track]["source"].get("reader")
    overlay = params.document(_chosen(card, presets / FOLDERS[family_of(reader, f"{track}.source.reader")]))
    values, missing = leaves(overlay, known[track])
    text = path.read_bytes().decode()
    if name := yaml_text.alias(text):
        raise InputError(f"{path}: expected values without aliases, which cannot be changed alone, got *{name}")
    changed = yaml_text.with_values(text, {f"{track}.{key}": value for key, value in values.items()})
    with files.replacing(path) as temporary:
        temporary.write_bytes(changed.encode())
        if params.document(temporary) != replaced(document, track, values):
            raise InputError(f"{path}: expected values that can be replaced as text, got others")
        _require_networks(track, temporary)
    told = [f"{path}: {track} as the preset {card}"]
    told += [f"  {track}.{key}: {yaml_text.flow(value)}" for key, value in values.items()]
    told += [f"  left out, as {track} has none: {key}" for key in missing]
    return "\n".join(told)


def _chosen(card: str, folder: Path) -> Path:
    cards = sorted((file.stem for file in folder.glob("*.yaml")), key=lambda name: (len(name), name))
    if card not in cards:
        raise InputError(f"CARD: expected one of {', '.join(cards) or f'those in {folder}'}, got {card!r}")
    return folder / f"{card}.yaml"


def leaves(overlay: Mapping[str, Any], section: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Dotted key -> value of what an overlay replaces in a section, and its keys that the section does not have.

    A mapping replaces a value that is none as a whole.
    """
    values: dict[str, Any] = {}
    missing: list[str] = []
    for key, value in overlay.items():
        if key not in section:
            missing.append(key)
        elif isinstance(value, Mapping) and isinstance(section[key], Mapping):
            inner, absent = leaves(value, section[key])
            values |= {f"{key}.{name}": one for name, one in inner.items()}
            missing += [f"{key}.{name}" for name in absent]
        else:
            values[key] = value
    return values, missing


def replaced(document: Mapping[str, Any], track: str, values: Mapping[str, Any]) -> Any:
    """A copy of params.yaml with other values, dotted key -> value, in the section of a track.

    Of a list, a key names the place, from its end where that is negative.
    """
    made = copy.deepcopy(dict(document))
    for key, value in values.items():
        *above, last = key.split(".")
        inner = made[track]
        for name in above:
            inner = inner[_place(inner, name)]
        inner[_place(inner, last)] = value
    return made


def _place(inner: Any, name: str) -> str | int:
    return int(name) if isinstance(inner, list) else name


def _require_networks(track: str, path: Path) -> None:
    """Raises InputError for sections that are not well formed, and for networks that do not fit the grid."""
    p = trainings.load(track, path)
    with TemporaryDirectory() as folder:
        estimate.parameters(p, trainings.stand_ins_of(p, stand_ins.LABELS, Path(folder)))
