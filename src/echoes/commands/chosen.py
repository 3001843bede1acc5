"""The model that a command uses: a track of the project, or a folder of `echoes pack`, which needs no project."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from echoes import params
from echoes.commands import sources
from echoes.commands.packs import PROFILE, opened, profile
from echoes.compute.workers import Workers
from echoes.errors import InputError
from echoes.rasters.ground import Ground
from echoes.readers.catalog import READERS, family_of
from echoes.voxelization.cloud_params import GridParams

EVERY_CORE = Workers(0, "")  # of a machine without params.yaml


@dataclass(frozen=True)
class Reading:
    """How recordings are read for a model.

    source   as its reader takes it; ground: how it is taken out of a LiDAR's returns; workers: who reads.
    section  what stands before the names of its keys in messages.
    """

    source: Any
    ground: Ground
    workers: Workers
    section: str

    def require_ego_motion(self, trained: str) -> None:
        """Raises InputError unless the Doppler of the recording is of the kind that a model was trained on.

        Over ground it is with a recorded velocity as with an estimated one.
        """
        if (self.source.ego_motion == "none") != (trained == "none"):
            key = f"{self.section}source.ego_motion"
            wanted = "none" if trained == "none" else "recorded or estimated"
            raise InputError(f"{key}: expected {wanted}, as the track was trained, got {self.source.ego_motion}")


class Model(Protocol):
    """name: of the track, in messages; folder: of the weights."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    def reading(self) -> Reading: ...


@dataclass(frozen=True)
class Track:
    """Of the project that is the current folder."""

    name: str

    @property
    def folder(self) -> Path:
        return Path("data", self.name)

    def reading(self) -> Reading:
        """Raises InputError for a track that params.yaml lacks, or has not whole."""
        source = sources.load(self.name)
        layout: GridParams = params.load(GridParams, f"{self.name}.grid")
        return Reading(source, layout.ground, sources.workers(), f"{self.name}.")


@dataclass(frozen=True)
class Pack:
    """A folder that `echoes pack` wrote.

    source  file with the section `source` of other recordings; reader: that of them, with the values of the pack for
            the keys that both have. None for that of the pack.
    """

    folder: Path
    source: Path | None
    reader: str | None

    @cached_property
    def name(self) -> str:
        return str(opened(self.folder).content.get("track"))

    def reading(self) -> Reading:
        """Raises InputError where the folder is not whole, or does not tell how recordings are read."""
        path, told = self.folder / PROFILE, profile(self.folder)
        ground: Ground = params.build(Ground, told.get("ground"), f"{path}: ground")
        if self.source is not None:
            return Reading(_source(params.document(self.source), f"{self.source}: source"), ground, EVERY_CORE, "")
        own = told.get("source")
        if self.reader is None:
            return Reading(_source(own, f"{path}: source"), ground, EVERY_CORE, "")
        key = f"--reader {self.reader}: source"
        return Reading(_source(_read_by(self.reader, own), key), ground, EVERY_CORE, "")


def model(
    command: str, track: str | None, folder: Path | None, source: Path | None, reader: str | None
) -> Track | Pack:
    """What the options --track, --model, --source and --reader of a command say.

    Raises InputError unless exactly one of the first two is given, and of the others at most one, with --model.
    """
    if (track is None) == (folder is None):
        raise InputError(f"{command}: expected one of --track and --model, got {'both' if track else 'neither'}")
    if source is not None and reader is not None:
        raise InputError(f"{command}: expected one of --source and --reader, got both")
    if folder is not None:
        return Pack(folder, source, reader)
    if source is not None or reader is not None:
        raise InputError(f"{command}: expected --source and --reader with --model, got one with --track")
    assert track is not None, "one of both"
    return Track(track)


def _source(told: Any, key: str) -> Any:
    """A section `source`, as its reader takes it."""
    if not isinstance(told, Mapping) or not isinstance(told.get("reader"), str):
        raise InputError(f"{key}.reader: missing")
    family_of(told["reader"], f"{key}.reader")
    return params.build(READERS[told["reader"]].Source, told, key)


def _read_by(reader: str, told: Any) -> dict[str, Any]:
    """The section of another reader of the same sensor: keys that both have keep their values."""
    family_of(reader, "--reader")
    known = {field.name for field in fields(READERS[reader].Source)}
    shared = {name: value for name, value in told.items() if name in known} if isinstance(told, Mapping) else {}
    return {**shared, "reader": reader}
