"""The readers by name: what `<track>.source.reader` may say, the family each is of, and the module it is.

A module is imported when it is asked for, so that a stage depends on the readers of its track alone.
"""

from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, Protocol, runtime_checkable

from echoes.errors import InputError
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import EgoMotion, Entry

# Family -> reader -> module.
MODULES = {
    "radar": {
        "simulated": "echoes.readers.simulated",
        "astyx": "echoes.readers.astyx",
        "raflow": "echoes.readers.raflow",
        "ros": "echoes.readers.ros",
        "vod": "echoes.readers.vod",
        "clouds": "echoes.readers.clouds",
        "lidar": "echoes.readers.lidar",
        "generated": "echoes.readers.generated",
        "mixed": "echoes.readers.mixed",
    },
    "microdoppler": {
        "simulated_people": "echoes.readers.simulated_people",
        "mars": "echoes.readers.mars",
        "cw24": "echoes.readers.cw24",
        "acconeer": "echoes.readers.acconeer",
        "adc": "echoes.readers.adc",
        "iq": "echoes.readers.iq",
        "images": "echoes.readers.images",
    },
}

RENAMED = {"ntu4dradlm": "ros"}  # readers that had another name


class Source(Protocol):
    """The section `<track>.source`, a dataclass of its reader."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def reader(self) -> str: ...


class CloudSource(Source, Protocol):
    """Of radar clouds. ego_motion: how the velocity is found taken out of the Doppler; doppler: of the sensor."""

    @property
    def ego_motion(self) -> EgoMotion: ...
    @property
    def doppler(self) -> Doppler: ...


@runtime_checkable
class SeveralSources(CloudSource, Protocol):
    """Recordings of several sources, trained on together.

    measured  the name of the one whose sensor the track is for; sensor: that source.
    sources   by name; weights: training frames of each, in any unit that is the same for all.
    unpaired  names of those that the autoencoder alone learns from.
    """

    @property
    def measured(self) -> str: ...
    @property
    def sensor(self) -> CloudSource: ...
    @property
    def sources(self) -> Mapping[str, CloudSource]: ...
    @property
    def weights(self) -> Mapping[str, float]: ...
    @property
    def unpaired(self) -> Collection[str]: ...
    def name_of(self, entry: Entry) -> str: ...


class Readers(Mapping[str, ModuleType]):
    """Name -> module, of one family, or of all where none is named."""

    def __init__(self, family: str | None = None) -> None:
        self._family = family

    def module(self, name: str) -> str:
        """The name of a reader's module, which is not imported."""
        return self._names()[name]

    def __getitem__(self, name: str) -> ModuleType:
        return import_module(self.module(name))

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> dict[str, str]:
        families = MODULES.values() if self._family is None else [MODULES[self._family]]
        return {name: module for readers in families for name, module in readers.items()}


CLOUDS, RECORDINGS, READERS = Readers("radar"), Readers("microdoppler"), Readers()


def family_of(reader: str, key: str) -> str:
    """The family of a reader; raises InputError, naming the key that says it, where there is none of that name."""
    for family, readers in MODULES.items():
        if reader in readers:
            return family
    raise unknown(reader, key, READERS)


def unknown(reader: str, key: str, known: Collection[str]) -> InputError:
    """That there is no such reader: what it is called now, or which there are."""
    if reader in RENAMED:
        return InputError(f"{key}: the reader {reader} is called {RENAMED[reader]} now")
    return InputError(f"{key}: expected one of {', '.join(known)}, got {reader!r}")


def sensor_of(source: CloudSource, entry: Entry) -> CloudSource:
    """The source that a frame comes from: one of several where these are mixed."""
    return source.sources[source.name_of(entry)] if isinstance(source, SeveralSources) else source
