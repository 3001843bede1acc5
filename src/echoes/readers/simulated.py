"""Reader `simulated`: a street in motion, seen by a 4D radar and a LiDAR.

The recording is its scenario, `street.yaml`. A frame is a pure function of the scenario, the seed,
the sequence and the position in it: what stands in the street, and which radar drives through it where the
scenario gives a spread, depend on the seed and the sequence, the noise on the frame as well.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from echoes import params, seeds
from echoes.errors import InputError
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import MOVED, RADAR_COLUMNS, TARGET_COLUMNS, EgoMotion, Entry, Frame, check_points
from echoes.readers.street import lidar, path, radar, scenario, scene, variation


@dataclass(frozen=True)
class Source:
    RENAMED: ClassVar = MOVED

    reader: Literal["simulated"]
    sequences: int
    frames: int  # of each sequence
    seed: int
    ego_motion: EgoMotion
    doppler: Doppler

    def __post_init__(self) -> None:
        params.require_counts(sequences=self.sequences, frames=self.frames)


def index(root: Path, source: Source) -> list[Entry]:
    """All frames of all sequences; radar and LiDAR measure at the same instant."""
    street = scenario.load(root)
    _check_length(street, source.frames, root)
    return [
        Entry(f"street-{i:03d}", k / street.frame_rate_hz, f"{i}/{k}", offset_s=0.0)
        for i in range(source.sequences)
        for k in range(source.frames)
    ]


def _check_length(street: scenario.Scenario, frames: int, root: Path) -> None:
    """The vehicle must not come in sight of the end of the street, of whatever kind it is."""
    for i, kind in enumerate(street.kinds):
        _check_road(kind.street, frames, f"{root / scenario.FILE}.kinds[{i}]")
    _check_road(street, frames, str(root / scenario.FILE))


def _check_road(street: scenario.Scenario, frames: int, path: str) -> None:
    fastest_mps = street.ego.speed_mps[1] + street.ego.speed_swing_mps[1]
    needed_m = fastest_mps * frames / street.frame_rate_hz + street.lidar.max_range_m
    if needed_m > street.road.length_m:
        length_m = street.road.length_m
        raise InputError(
            f"{path}.road.length_m: expected at least {needed_m:.0f} for {frames} frames, got {length_m:g}"
        )


def read(root: Path, source: Source, entry: Entry) -> Frame:
    """Simulate one frame; raises InputError for a street of too many parts."""
    try:
        return _simulated(scenario.load(root), source, entry)
    except InputError as error:  # what was scattered in it does not know the file
        told = str(error)
        raise error if str(root) in told else InputError(f"{root / scenario.FILE}: {told}") from error


def _simulated(street: scenario.Scenario, source: Source, entry: Entry) -> Frame:
    sequence, position = (int(part) for part in entry.key.split("/"))
    street = variation.street_of_sequence(street, source.seed, sequence)
    around = scene.generate(street, source.seed, sequence)
    height_m = street.radar.height_m
    shapes = around.shapes(entry.stamp, height_m)
    velocity = around.ego_velocity(entry.stamp)

    def rng(purpose: str) -> np.random.Generator:
        return seeds.rng(source.seed, purpose, sequence, position)

    walls = np.flatnonzero(shapes.material == scene.FACADE)
    sensor = variation.of_sequence(street.radar, source.seed, sequence)
    points = radar.scan(shapes, around.scatterers, street.materials, walls, velocity, sensor, rng("radar"))
    cloud = lidar.scan(shapes, street.materials, street.lidar, -height_m, rng("lidar"))
    return Frame(
        sequence=entry.sequence,
        stamp=entry.stamp,
        radar=check_points(points, RADAR_COLUMNS, entry.key),
        target=check_points(cloud, TARGET_COLUMNS, entry.key),
        target_origin=street.lidar.position_m,
        ego_velocity=velocity + rng("odometry").normal(0, street.ego.velocity_noise_mps, 3),
        pose=path.pose(around.drive, around.curvature_per_m, entry.stamp, height_m),
    )
