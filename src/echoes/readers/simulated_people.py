"""Reader `simulated_people`: people who walk, run, wave, fall and sit down, and a drone, seen by CW radars.

The recording is its scenario, `people.yaml`. A signal is a pure function of the scenario, the seed and the key of
the recording, such as 3-walk-017. The radars take turns, so that every label is seen by each of them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from echoes import params, seeds
from echoes.errors import InputError
from echoes.readers.frames import MOVED
from echoes.readers.people import drone, radar, scenario, scene
from echoes.readers.recordings import RecordingEntry, Signal

DRONE, FLY = "drone", "fly"


@dataclass(frozen=True)
class Source:
    RENAMED: ClassVar = MOVED

    reader: Literal["simulated_people"]
    radars: tuple[str, ...]  # names in people.yaml
    recordings: int  # of each user and activity, by the radars in turn
    seconds: float  # of each
    seed: int

    def __post_init__(self) -> None:
        if not self.radars:
            raise InputError("radars: expected at least one name, got none")
        params.require_counts(recordings=self.recordings)
        if not self.seconds > 0:
            raise InputError(f"seconds: expected more than 0, got {self.seconds:g}")


def index(root: Path, source: Source) -> list[RecordingEntry]:
    """Recordings of every user in every activity, and of the drone in flight."""
    people = scenario.load(root)
    _check(people, source, root)
    labels = [(user, activity) for user in people.users for activity in scene.ACTIVITIES] + [(DRONE, FLY)]
    return [
        RecordingEntry(f"{user}-{activity}-{i:03d}", {"user": user, "activity": activity}, source.seconds)
        for user, activity in labels
        for i in range(source.recordings)
    ]


def _check(people: scenario.Scenario, source: Source, root: Path) -> None:
    """The radars exist, and who falls or sits down comes to rest before the end."""
    for name in source.radars:
        if name not in people.radars:
            known = ", ".join(people.radars)
            raise InputError(f"source.radars: expected names among {known} of {root / scenario.FILE}, got {name!r}")
    for user, values in people.users.items():
        for activity, movement in (("fall", values.fall), ("sit", values.sit)):
            end_s = people.place.begin_s[1] + movement.duration_s[1]
            if end_s > source.seconds:
                key = f"{root / scenario.FILE}.users.{user}.{activity}.duration_s"
                raise InputError(f"{key}: expected an end within {source.seconds:g} s, got {end_s:g} s after the start")


def read(root: Path, source: Source, recorded: RecordingEntry) -> Signal:
    """Simulate one recording."""
    people = scenario.load(root)
    user, activity = recorded.labels["user"], recorded.labels["activity"]
    turn = int(recorded.key.rsplit("-", 1)[1])
    sensor = people.radars[source.radars[turn % len(source.radars)]]

    def rng(purpose: str) -> np.random.Generator:
        return seeds.rng(source.seed, purpose, recorded.key)

    if user == DRONE:
        echoes = drone.fly(people.drone, people.place, sensor, source.seconds, rng("drone"))
    else:
        points = scene.person(people, people.users[user], activity, radar.instants(source.seconds), rng("person"))
        count = round(source.seconds * sensor.prf_hz)
        echoes = radar.echo(points, sensor, count, rng("echo"), people.body.rcs_spread_db)
    return Signal(radar.receive(echoes, sensor, rng("receiver")), sensor.prf_hz, sensor.wavelength_m)
