"""The parameters of a recording that is only looked at: those of a track, or of the first track with its reader."""

from collections.abc import Mapping
from pathlib import Path

from echoes import params
from echoes.errors import InputError
from echoes.readers.choice import READERS, Source


def of_track(track: str, path: Path) -> Source:
    """The section `<track>.source` of the parameters at `path`."""
    source: Source = params.load(Source, f"{track}.source", path)
    return source


def of_reader(reader: str, path: Path) -> Source:
    """The source of the first track at `path` that has the reader."""
    if reader not in READERS:
        raise InputError(f"--reader: expected one of {', '.join(READERS)}, got {reader!r}")
    document = params.document(path)
    for track, section in document.items() if isinstance(document, Mapping) else ():
        source = section.get("source") if isinstance(section, Mapping) else None
        if isinstance(source, Mapping) and source.get("reader") == reader:
            return of_track(track, path)
    raise InputError(f"{path}: expected a track with source.reader: {reader}, got none; add one, or name a --track")
