"""The readers by name: what `<track>.source.reader` may say, the family each is of, and the module it is.

A module is imported when it is asked for, so that a stage depends on the readers of its track alone. Other installed
packages may bring more readers (plugins.py).
"""

from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, Protocol, runtime_checkable

from echoes.errors import InputError
from echoes.readers import plugins
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
        """The name of a reader's module; that of ours is not imported."""
        if name not in self:
            raise KeyError(name)
        return _module(name)

    def __getitem__(self, name: str) -> ModuleType:
        return import_module(self.module(name))

    def __contains__(self, name: object) -> bool:
        family = _family(name) if isinstance(name, str) else None
        return family is not None and self._family in (None, family)

    def __iter__(self) -> Iterator[str]:
        ours = [name for readers in MODULES.values() for name in readers]
        others = [name for name in sorted(plugins.installed()) if name not in ours]
        return (name for name in (*ours, *others) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _family(name: str) -> str | None:
    """The family of a reader; None where there is no reader of that name."""
    ours = next((family for family, readers in MODULES.items() if name in readers), None)
    plugin = plugin_of(name)
    if plugin is None:
        return ours
    family = str(plugin.load().FAMILY)
    if family not in MODULES:
        raise plugin.refused(f"expected FAMILY of {plugin.module} to be one of {', '.join(MODULES)}, got {family}")
    return family


def _module(name: str) -> str:
    plugin = plugin_of(name)
    return plugin.module if plugin else next(readers[name] for readers in MODULES.values() if name in readers)


def plugin_of(name: str) -> plugins.Plugin | None:
    """Of a reader that another package brings; raises InputError where it is not the only one of its name."""
    return plugins.find(name, any(name in readers for readers in MODULES.values()))


CLOUDS, RECORDINGS, READERS = Readers("radar"), Readers("microdoppler"), Readers()


def family_of(reader: str, key: str) -> str:
    """The family of a reader; raises InputError, naming the key that says it, where there is none of that name."""
    family = _family(reader)
    if family is None:
        raise unknown(reader, key, READERS)
    return family


def unknown(reader: str, key: str, known: Collection[str]) -> InputError:
    """That there is no such reader: what it is called now, or which there are."""
    if reader in RENAMED:
        return InputError(f"{key}: the reader {reader} is called {RENAMED[reader]} now")
    return InputError(f"{key}: expected one of {', '.join(known)}, got {reader!r}")


def sensor_of(source: CloudSource, entry: Entry) -> CloudSource:
    """The source that a frame comes from: one of several where these are mixed."""
    return source.sources[source.name_of(entry)] if isinstance(source, SeveralSources) else source
