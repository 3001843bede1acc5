"""A random street in motion, in street coordinates, and what stands around the vehicle at one moment."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from echoes import seeds
from echoes.readers.street import path, scatterers
from echoes.readers.street.scenario import CAR_BELT, Furniture, Materials, Scenario, Span, Vehicles
from echoes.readers.street.shapes import BOX, CYLINDER, ELLIPSOID, Shapes

FACADE, METAL, POLE, PERSON, WOOD, FOLIAGE = range(len(fields(Materials)))
SIDES = (1, -1)  # left and right of the centre line


class Part(NamedTuple):
    """One shape: where along and left of the centre line, how high, how large, of what, how fast."""

    kind: int
    along_m: float
    left_m: float
    up_m: float  # of the centre above the ground
    half: tuple[float, float, float]
    material: int
    along_mps: float = 0.0
    left_mps: float = 0.0


@dataclass(frozen=True)
class Scene:
    """The street of one sequence, static and moving parts alike."""

    curvature_per_m: float
    drive: path.Drive
    kind: np.ndarray  # (N,)
    street: np.ndarray  # (N, 3) along, left, up [m] at time 0
    half: np.ndarray  # (N, 3) [m]
    motion: np.ndarray  # (N, 2) along, left [m/s]
    material: np.ndarray  # (N,)
    reflectivity: np.ndarray  # (N,)
    scatterers: scatterers.Scatterers

    def shapes(self, time_s: float, height_m: float) -> Shapes:
        """All shapes at `time_s` in the frame of a sensor `height_m` above the ground, on the vehicle's path."""
        along = self.street[:, 0] + self.motion[:, 0] * time_s - self.drive.along_m(time_s)
        left = self.street[:, 1] + self.motion[:, 1] * time_s
        flat = path.place(along, left, self.curvature_per_m) - (0, self.drive.left_m)
        angle = self.curvature_per_m * along
        velocity = path.velocity(self.motion, left, angle, self.curvature_per_m)
        centre = np.column_stack([flat, self.street[:, 2] - height_m])
        moving = np.column_stack([velocity, np.zeros(len(flat))])
        return Shapes(self.kind, centre, self.half, angle, moving, self.material, self.reflectivity)

    def ego_velocity(self, time_s: float) -> np.ndarray:
        """(3,) [m/s] over ground, in the vehicle's frame."""
        speed = self.drive.along_mps(time_s) * (1 - self.curvature_per_m * self.drive.left_m)
        return np.array([speed, 0.0, 0.0])


@lru_cache(maxsize=4)  # frames of one sequence follow each other; the scene is a pure function of the arguments
def generate(scenario: Scenario, seed: int, sequence: int) -> Scene:
    """The street of one sequence."""
    rng = seeds.rng(seed, "scene", sequence)
    drive = _drive(scenario, rng)
    parts = list(_parts(scenario, drive, rng))
    material = np.array([part.material for part in parts])
    kind = np.array([part.kind for part in parts])
    half = np.array([part.half for part in parts])
    low, high = scenario.materials.column("reflectivity")[material].T
    return Scene(
        curvature_per_m=rng.uniform(*scenario.road.curvature_per_m),
        drive=drive,
        kind=kind,
        street=np.array([part[1:4] for part in parts]),
        half=half,
        motion=np.array([part[-2:] for part in parts]),
        material=material,
        reflectivity=rng.uniform(low, high),
        scatterers=scatterers.sample(kind, half, material, scenario.materials, rng),
    )


def _drive(scenario: Scenario, rng: np.random.Generator) -> path.Drive:
    ego = scenario.ego
    moves = rng.random() >= ego.standing_probability
    return path.Drive(
        left_m=-scenario.road.lane_width_m / 2,
        speed_mps=moves * rng.uniform(*ego.speed_mps),
        swing_mps=moves * rng.uniform(*ego.speed_swing_mps),
        period_s=rng.uniform(*ego.speed_period_s),
        phase_rad=rng.uniform(0, 2 * np.pi),
    )


def _parts(scenario: Scenario, drive: path.Drive, rng: np.random.Generator) -> Iterator[Part]:
    road = scenario.road
    kerb = road.lane_width_m + road.parking_width_m
    for side in SIDES:
        facade = kerb + rng.uniform(*road.sidewalk_width_m)
        yield from _buildings(scenario, side, facade, rng)
        yield from _parked(scenario, side, kerb - road.parking_width_m / 2, rng)
        yield from _furniture(scenario, side, kerb, rng)
        yield from _people(scenario, side, kerb, facade, rng)
    yield from _traffic(scenario, drive, rng)


def _positions(scenario: Scenario, spacing_m: Span, rng: np.random.Generator) -> Iterator[float]:
    """Distances along the street, `spacing_m` apart."""
    along = -scenario.road.behind_m + rng.uniform(0, spacing_m[1])
    while along < scenario.road.length_m:
        yield along
        along += rng.uniform(*spacing_m)


def _upright(kind: int, along: float, left: float, size: tuple[float, float], low: float, high: float, of: int) -> Part:
    """A shape of `size` (length, width) [m] from `low` to `high` above the ground."""
    return Part(kind, along, left, (low + high) / 2, (size[0] / 2, size[1] / 2, (high - low) / 2), of)


def _buildings(scenario: Scenario, side: int, facade: float, rng: np.random.Generator) -> Iterator[Part]:
    b = scenario.buildings
    along = -scenario.road.behind_m
    while along < scenario.road.length_m:
        length = rng.uniform(*b.length_m)
        setback = rng.uniform(*b.setback_m) if rng.random() < b.setback_probability else 0.0
        middle = side * (facade + setback + b.depth_m / 2)
        yield _upright(BOX, along + length / 2, middle, (length, b.depth_m), 0.0, rng.uniform(*b.height_m), FACADE)
        gap = rng.uniform(*b.gap_m) if rng.random() < b.gap_probability else 0.0
        for start, stop, open_ in ((along, along + length, setback), (along + length, along + length + gap, gap)):
            if open_ > b.hedge_thickness_m and rng.random() < b.hedge_probability:
                size = (stop - start, b.hedge_thickness_m)
                hedge = side * (facade + b.hedge_thickness_m / 2)
                yield _upright(BOX, (start + stop) / 2, hedge, size, 0.0, rng.uniform(*b.hedge_height_m), FOLIAGE)
        along += length + gap


def _vehicle(v: Vehicles, along: float, left: float, along_mps: float, rng: np.random.Generator) -> list[Part]:
    """A van is one box; a car is a body and, on it, a shorter cabin."""
    van = rng.random() < v.van_share
    spans = (v.van_length_m, v.van_width_m, v.van_height_m) if van else (v.car_length_m, v.car_width_m, v.car_height_m)
    length, width, height = (rng.uniform(*span) for span in spans)
    belt = height if van else CAR_BELT * height
    parts = [_upright(BOX, along, left, (length, width), v.clearance_m, belt, METAL)]
    if not van:
        parts.append(_upright(BOX, along, left, (0.55 * length, 0.9 * width), belt, height, METAL))
    return [part._replace(along_mps=along_mps) for part in parts]


def _parked(scenario: Scenario, side: int, left: float, rng: np.random.Generator) -> Iterator[Part]:
    v = scenario.vehicles
    share = rng.uniform(*v.parked_share)
    for along in _positions(scenario, (v.parking_slot_m, v.parking_slot_m), rng):
        if rng.random() < share:
            yield from _vehicle(v, along, side * left, 0.0, rng)


def _traffic(scenario: Scenario, drive: path.Drive, rng: np.random.Generator) -> Iterator[Part]:
    v = scenario.vehicles
    if rng.random() < v.lead_probability:
        speed = drive.speed_mps + rng.uniform(*v.lead_relative_speed_mps)
        yield from _vehicle(v, rng.uniform(*v.lead_gap_m), drive.left_m, speed, rng)
    speed = rng.uniform(*v.oncoming_speed_mps)  # one for all: they follow each other
    for along in _positions(scenario, v.oncoming_spacing_m, rng):
        yield from _vehicle(v, along, -drive.left_m, -speed, rng)


def _people(scenario: Scenario, side: int, kerb: float, facade: float, rng: np.random.Generator) -> Iterator[Part]:
    p = scenario.people
    for along in _positions(scenario, p.spacing_m, rng):
        width = 2 * rng.uniform(*p.radius_m)
        left = side * rng.uniform(kerb, facade)
        person = _upright(CYLINDER, along, left, (width, width), 0.0, rng.uniform(*p.height_m), PERSON)
        speed = rng.choice(SIDES) * rng.uniform(*p.speed_mps)
        if rng.random() < p.crossing_share:
            yield person._replace(left_m=rng.uniform(-kerb, kerb), left_mps=speed)
        else:
            yield person._replace(along_mps=speed)


def _furniture(scenario: Scenario, side: int, kerb: float, rng: np.random.Generator) -> Iterator[Part]:
    f = scenario.furniture
    left = side * (kerb + 0.4)
    for along in _positions(scenario, f.lamp_spacing_m, rng):
        width = 2 * f.lamp_radius_m
        yield _upright(CYLINDER, along, left, (width, width), 0.0, rng.uniform(*f.lamp_height_m), POLE)
    for along in _positions(scenario, f.sign_spacing_m, rng):
        width, height = 2 * f.sign_post_radius_m, rng.uniform(*f.sign_height_m)
        yield _upright(CYLINDER, along, left, (width, width), 0.0, height, POLE)
        yield _upright(BOX, along - width, left, (0.02, f.sign_plate_m), height - f.sign_plate_m, height, METAL)
    if rng.random() < f.tree_probability:
        for along in _positions(scenario, f.tree_spacing_m, rng):
            yield from _tree(f, along, side * (kerb + 0.8), rng)


def _tree(f: Furniture, along: float, left: float, rng: np.random.Generator) -> list[Part]:
    trunk, width = rng.uniform(*f.trunk_height_m), 2 * rng.uniform(*f.trunk_radius_m)
    crown, height = 2 * rng.uniform(*f.crown_radius_m), rng.uniform(*f.crown_height_m)
    return [
        _upright(CYLINDER, along, left, (width, width), 0.0, trunk, WOOD),
        _upright(ELLIPSOID, along, left, (crown, crown), trunk - 0.2, trunk - 0.2 + height, FOLIAGE),
    ]
