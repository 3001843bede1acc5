"""Reader `mixed`: the frames of several recordings, such as real drives and a simulated street, to train on together.

    <name>/...   a folder for each name in `sources`, as its own reader expects it

One of them, `measured`, is the sensor that the track is for: its frames are split into train, val and test, those of
the others are trained on only (see voxelization/mixing.py), and those of `unpaired` by the autoencoder alone, which
needs no radar. Sequences are named `<name>-<sequence>`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Literal

from echoes.errors import InputError
from echoes.readers import astyx, clouds, generated, lidar, raflow, ros, simulated, vod
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import MOVED, EgoMotion, Entry, Frame

READERS: dict[str, ModuleType] = {
    "simulated": simulated,
    "astyx": astyx,
    "raflow": raflow,
    "ros": ros,
    "vod": vod,
    "clouds": clouds,
    "lidar": lidar,
    "generated": generated,
}
Single = (
    simulated.Source
    | astyx.Source
    | raflow.Source
    | ros.Source
    | vod.Source
    | clouds.Source
    | lidar.Source
    | generated.Source
)


@dataclass(frozen=True)
class Source:
    """Where the frames come from, in params.yaml.

    measured  the name of the source that is validated and tested on.
    sources   name -> source, with a reader of its own.
    weights   name -> training frames of a source, in any unit that is the same for all.
    unpaired  names of sources of whose frames only the LiDAR is learned from, by the autoencoder.
    """

    RENAMED: ClassVar = MOVED

    reader: Literal["mixed"]
    measured: str
    sources: dict[str, Single]
    weights: dict[str, float]
    unpaired: tuple[str, ...]

    def __post_init__(self) -> None:
        names = ", ".join(self.sources)
        if self.measured not in self.sources:
            raise InputError(f"measured: expected one of {names or 'none'}, the sources, got {self.measured}")
        if set(self.weights) != set(self.sources):
            raise InputError(f"weights: expected one for each of {names}, got {', '.join(self.weights) or 'none'}")
        for name, weight in self.weights.items():
            if not weight > 0:
                raise InputError(f"weights.{name}: expected more than 0, got {weight:g}")
        others = [name for name in self.sources if name != self.measured]
        for name in self.unpaired:
            if name not in others:
                raise InputError(f"unpaired: expected some of {', '.join(others) or 'none'}, got {name}")
        for name, single in self.sources.items():
            if isinstance(single, lidar.Source) and name not in self.unpaired:
                raise InputError(f"unpaired: expected {name} in it, whose reader gives no radar")

    @property
    def sensor(self) -> Single:
        """The source whose sensor the track is for."""
        return self.sources[self.measured]

    @property
    def ego_motion(self) -> EgoMotion:
        return self.sensor.ego_motion

    @property
    def doppler(self) -> Doppler:
        return self.sensor.doppler

    def name_of(self, entry: Entry) -> str:
        """The source of a frame that `index` listed."""
        return entry.key.split("/", 1)[0]


def index(root: Path, source: Source) -> list[Entry]:
    """The frames of all sources, one source after the other."""
    return [
        replace(entry, sequence=f"{name}-{entry.sequence}", key=f"{name}/{entry.key}")
        for name, single in source.sources.items()
        for entry in READERS[single.reader].index(root / name, single)
    ]


def read(root: Path, source: Source, entry: Entry) -> Frame:
    """One frame, as the reader of its source gives it."""
    name, key = entry.key.split("/", 1)
    single = source.sources[name]
    own = replace(entry, sequence=entry.sequence.removeprefix(f"{name}-"), key=key)
    frame: Frame = READERS[single.reader].read(root / name, single, own)
    return replace(frame, sequence=entry.sequence)
