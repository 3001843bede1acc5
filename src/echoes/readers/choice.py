"""The readers by name: what `<track>.source.reader` may say, each a module of that name beside this one.

A module is imported when it is asked for, so that a stage depends on the readers of its track alone.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Literal, Protocol, get_args

from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import EgoMotion, Entry

CloudReader = Literal["simulated", "astyx", "raflow", "ntu4dradlm", "vod", "mixed"]
RecordingReader = Literal["simulated_people", "mars", "cw24", "acconeer", "adc", "images"]
Reader = CloudReader | RecordingReader


class Source(Protocol):
    """The section `<track>.source`, a dataclass of its reader; workers, scheduler: who reads."""

    @property
    def reader(self) -> str: ...
    @property
    def workers(self) -> int: ...
    @property
    def scheduler(self) -> str: ...


class CloudSource(Source, Protocol):
    """Of radar clouds. ego_motion: how the velocity is found taken out of the Doppler; doppler: of the sensor."""

    @property
    def ego_motion(self) -> EgoMotion: ...
    @property
    def doppler(self) -> Doppler: ...


class Readers(Mapping[str, ModuleType]):
    """Name -> module."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __getitem__(self, name: str) -> ModuleType:
        if name not in self._names:
            raise KeyError(name)
        return import_module(f"echoes.readers.{name}")

    def __contains__(self, name: object) -> bool:
        return name in self._names  # without an import

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


CLOUDS = Readers(*get_args(CloudReader))
RECORDINGS = Readers(*get_args(RecordingReader))
READERS = Readers(*CLOUDS, *RECORDINGS)


def sensor_of(source: CloudSource, entry: Entry) -> CloudSource:
    """The source that a frame comes from: one of several where these are mixed."""
    found: CloudSource = CLOUDS["mixed"].single(source, entry) if source.reader == "mixed" else source
    return found
