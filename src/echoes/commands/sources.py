"""The recording that a command is given: its frames, and the parameters of its reader."""

from pathlib import Path
from typing import Any

from echoes import params
from echoes.commands.sections import tracks
from echoes.compute.workers import Workers
from echoes.errors import InputError
from echoes.readers.catalog import CLOUDS, READERS, SeveralSources, family_of, unknown
from echoes.readers.frames import Entry


def chosen(command: str, reader: str, track: str, path: Path) -> Any:
    """The section `source` of `track` at `path`, or of the first track there with `reader`, which is one of clouds.

    One name may be empty. Of a track of several sources, that of the sensor which it is for.
    """
    if reader:
        _check_clouds("--reader", reader)
    if not reader and not track:
        raise InputError(f"{command}: expected --reader ({', '.join(CLOUDS)}) or --track, got neither")
    return of_track(reader, named(reader, track, path), path)


def named(reader: str, track: str, path: Path) -> str:
    """The name of the track whose sections are meant: `track`, or else the first one at `path` with `reader`."""
    if reader and reader not in READERS:
        raise unknown(reader, "--reader", READERS)
    return track or _with_reader(reader, path)


def of_track(reader: str, name: str, path: Path) -> Any:
    """The section `source` of a track, which has to have `reader` where that is not empty."""
    source: Any = load(name, path)
    if reader and source.reader != reader:
        raise InputError(f"{name}.source.reader: expected {reader} as in --reader, got {source.reader}")
    return source.sensor if isinstance(source, SeveralSources) and not reader else source


def load(track: str, path: Path = Path("params.yaml")) -> Any:
    """The section `source` of a track, as its reader takes it."""
    reader = params.load(str, f"{track}.source.reader", path)
    family_of(reader, f"{track}.source.reader")
    return params.load(READERS[reader].Source, f"{track}.source", path)


def workers(path: Path = Path("params.yaml")) -> Workers:
    """Who reads recordings."""
    found: Workers = params.load(Workers, "runtime.workers", path)
    return found


def _check_clouds(key: str, reader: str) -> None:
    """Raises InputError for a reader that is unknown or gives no radar clouds."""
    if reader not in READERS:
        raise unknown(reader, key, CLOUDS)
    if reader not in CLOUDS:
        known = ", ".join(CLOUDS)
        raise InputError(f"{key}: expected a reader of radar clouds ({known}), got {reader}, which reads micro-Doppler")


def _with_reader(reader: str, path: Path) -> str:
    for track, section in tracks(params.document(path)).items():
        if section["source"].get("reader") == reader:
            return track
    raise InputError(f"{path}: expected a track with source.reader: {reader}, got none; add one, or name a --track")


def listed(root: Path, source: Any) -> list[Entry]:
    """The frames of a recording, those too whose LiDAR must not be used. Raises InputError where there are none."""
    _check_clouds("source.reader", source.reader)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected a recording for the reader {source.reader}")
    entries: list[Entry] = CLOUDS[source.reader].index(root, source)
    if not entries:
        raise InputError(f"{root}: expected frames, got none")
    return entries
