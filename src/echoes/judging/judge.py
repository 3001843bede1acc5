"""The frames of a recording measured as they come by, and what is found of it at the end."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from echoes.judging.findings import findings
from echoes.judging.found import Finding
from echoes.judging.measurements import Measurements, measure
from echoes.readers.catalog import CloudSource, SeveralSources, sensor_of
from echoes.readers.frames import Entry, Frame

FRAMES = 200  # that are measured: medians over more tell no more, and memory stays as it is


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, evenly spread."""
    return np.linspace(0, count - 1, min(most, count)).round().astype(int).tolist()


def measured(frame: Frame, source: CloudSource, entry: Entry) -> Measurements:
    """What a frame tells, by the sensor that it comes from."""
    return measure(frame, sensor_of(source, entry).doppler)


class Judge:
    """Of one recording, all of whose frames are `listed`; of several sources each is judged by itself."""

    def __init__(self, source: CloudSource, listed: Sequence[Entry]) -> None:
        self._source, self._listed = source, listed
        self._measured: dict[str, list[Measurements]] = {}

    def take(self, entry: Entry, frame: Measurements) -> None:
        self._measured.setdefault(self._name(entry), []).append(frame)

    def found(self) -> list[Finding]:
        """What is not sane; behind the name of its source where there are several."""
        found: list[Finding] = []
        for name, frames in self._measured.items():
            entries = [entry for entry in self._listed if self._name(entry) == name]
            of_one = findings(entries, frames, sensor_of(self._source, entries[0]).doppler).found
            found += [replace(each, text=f"{name}: {each.text}") for each in of_one] if name else of_one
        return found

    def _name(self, entry: Entry) -> str:
        return self._source.name_of(entry) if isinstance(self._source, SeveralSources) else ""
