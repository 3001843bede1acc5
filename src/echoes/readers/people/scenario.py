"""The scenario file: every number of the simulated people, with its unit in the name.

A pair `[low, high]` is a uniform draw, made once per recording.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from echoes import params
from echoes.errors import InputError

Span = tuple[float, float]
FILE = "people.yaml"
LONGEST_SUPPORT = 0.6  # way of a runner over a standing foot, in body heights, that legs can reach


def _within(section: Any, **limits: tuple[float, float]) -> None:
    """Refuse a field of `section` outside its limits, and a span upside down."""
    for name, (least, most) in limits.items():
        value = getattr(section, name)
        numbers = value if isinstance(value, tuple) else (value,)
        if any(not least <= number <= most for number in numbers):
            shown = list(value) if isinstance(value, tuple) else value
            raise InputError(f"{name}: expected {least:g} to {most:g}, got {shown}")
        if numbers[0] > numbers[-1]:
            raise InputError(f"{name}: expected [low, high], got {list(numbers)}")


@dataclass(frozen=True)
class Radar:
    """A continuous wave; powers are relative to the echo of 0 dBsm at 1 m."""

    carrier_ghz: float
    prf_hz: float  # slow-time samples per second
    height_m: float
    noise_db: float  # of one sample
    leakage_db: float  # of the transmitter into the receiver: a constant
    image_db: float  # of the mirrored spectrum that the imbalance of I and Q makes, below the signal
    static_clutter_db: float
    moving_clutter_db: float  # of leaves and curtains
    moving_clutter_mps: float  # standard deviation of their velocity

    def __post_init__(self) -> None:
        _within(self, carrier_ghz=(1, 300), prf_hz=(100, 2e5), height_m=(0.1, 5), moving_clutter_mps=(0.001, 1))
        powers = ("noise_db", "leakage_db", "image_db", "static_clutter_db", "moving_clutter_db")
        _within(self, **dict.fromkeys(powers, (-200, 50)))

    @property
    def wavelength_m(self) -> float:
        return 299_792_458.0 / (self.carrier_ghz * 1e9)


@dataclass(frozen=True)
class Place:
    """Where people are, and when they begin to fall or to sit down."""

    range_m: Span  # the nearest of the recording
    bearing_deg: Span
    aspect_deg: Span  # between the line they walk, or where they look, and the line of sight
    begin_s: Span

    def __post_init__(self) -> None:
        _within(self, range_m=(1.5, 100), bearing_deg=(-60, 60), aspect_deg=(-60, 60), begin_s=(0, 60))


@dataclass(frozen=True)
class Segment:
    """A part of the body, seen as points along its axis."""

    rcs_dbsm: float  # of the whole segment from the side
    slenderness: float  # length over thickness of its ellipsoid; 1 answers alike from all sides
    points: int

    def __post_init__(self) -> None:
        _within(self, rcs_dbsm=(-60, 20), slenderness=(1, 10), points=(1, 20))


@dataclass(frozen=True)
class Body:
    torso: Segment
    head: Segment
    upper_arm: Segment
    forearm: Segment
    hand: Segment
    thigh: Segment
    calf: Segment
    foot: Segment
    rcs_spread_db: float  # between scatterers: clothes, posture
    sway_m: Span  # of someone who stands
    sway_hz: Span

    def __post_init__(self) -> None:
        _within(self, rcs_spread_db=(0, 20), sway_m=(0, 0.1), sway_hz=(0.01, 2))


@dataclass(frozen=True)
class Walk:
    speed_mps: Span
    cadence: Span  # steps per second over those of the model
    arm_swing: Span  # over that of the model
    elbow_deg: Span  # bent more than the model says
    knee_lift: Span  # bend of the swinging knee over that of the model
    bob: Span  # rise and fall of the pelvis over that of the model
    lean_deg: Span

    def __post_init__(self) -> None:
        _within(self, speed_mps=(0.7, 2.0), cadence=(0.75, 1.3), arm_swing=(0, 4), elbow_deg=(0, 90))
        _within(self, knee_lift=(0.6, 1.5), bob=(0, 3), lean_deg=(-10, 20))


@dataclass(frozen=True)
class Run:
    speed_mps: Span
    steps_hz: Span
    duty: Span  # share of the cycle that a foot stands; below 0.5 there is a flight
    arm_swing_deg: Span
    elbow_deg: Span
    lift: Span  # height of the ankle in mid-swing, in heights of the hip
    bob_m: Span
    lean_deg: Span

    def __post_init__(self) -> None:
        _within(self, speed_mps=(1.8, 4.5), steps_hz=(2.2, 3.6), duty=(0.25, 0.45), arm_swing_deg=(0, 60))
        _within(self, elbow_deg=(0, 120), lift=(0.1, 0.45), bob_m=(0, 0.1), lean_deg=(-5, 20))


@dataclass(frozen=True)
class Wave:
    rate_hz: Span
    raise_deg: Span  # of the upper arm above hanging
    upper_swing_deg: Span  # amplitude of the upper arm, in step with the forearm
    swing_deg: Span  # amplitude of the forearm around the elbow
    hands: int

    def __post_init__(self) -> None:
        _within(self, rate_hz=(0.3, 4), swing_deg=(2, 60), upper_swing_deg=(0, 40), raise_deg=(0, 120), hands=(1, 2))


@dataclass(frozen=True)
class Fall:
    duration_s: Span  # until the body lies
    lateness: Span  # 1: fastest in the middle; more: ever faster until the ground stops it
    knee_deg: Span  # how far the knees give way
    arms_deg: Span  # how far the arms are thrown forward
    forward_probability: float

    def __post_init__(self) -> None:
        _within(self, duration_s=(0.5, 3), lateness=(1, 6), knee_deg=(0, 120), arms_deg=(0, 90))
        _within(self, forward_probability=(0, 1))


@dataclass(frozen=True)
class Sit:
    duration_s: Span
    lean_deg: Span  # how far the torso bends forward on the way down
    rest_lean_deg: Span  # how it leans at the end; negative against a backrest
    thigh_deg: Span  # of the thighs at the end; 90 is level

    def __post_init__(self) -> None:
        _within(self, duration_s=(0.4, 4), lean_deg=(0, 70), rest_lean_deg=(-40, 40), thigh_deg=(50, 110))


@dataclass(frozen=True)
class User:
    height_m: float
    build_db: float  # of all radar cross sections, over those of `body`
    walk: Walk
    run: Run
    wave: Wave
    fall: Fall
    sit: Sit

    def __post_init__(self) -> None:
        _within(self, height_m=(1.3, 2.2), build_db=(-10, 10))
        stood_m = self.run.duty[1] * self.run.speed_mps[1] * 2 / self.run.steps_hz[0]
        if stood_m > LONGEST_SUPPORT * self.height_m:
            most_m = LONGEST_SUPPORT * self.height_m
            raise InputError(f"run.duty: expected a way over a standing foot up to {most_m:.2f} m, got {stood_m:.2f} m")


@dataclass(frozen=True)
class Drone:
    """Four rotors around a hull."""

    speed_mps: Span
    height_m: Span
    hover_m: Span  # amplitude of its slow wander
    hover_hz: Span
    rcs_dbsm: float  # of the hull
    arm_m: float  # from the middle to each rotor
    blades: int  # of each rotor
    blade_m: float
    blade_chord_m: float
    turns_hz: Span  # of the rotors, drawn once for all four
    turns_spread: float  # between the rotors, relative
    turns_wander: float  # of each in time, relative

    def __post_init__(self) -> None:
        _within(self, speed_mps=(0, 10), height_m=(0.2, 50), hover_m=(0, 1), hover_hz=(0.01, 3), arm_m=(0.05, 2))
        _within(self, rcs_dbsm=(-60, 20), blades=(1, 8), blade_m=(0.02, 1), blade_chord_m=(0.001, 0.3))
        _within(self, turns_hz=(5, 500), turns_spread=(0, 0.2), turns_wander=(0, 0.2))


@dataclass(frozen=True)
class Scenario:
    radars: dict[str, Radar]
    place: Place
    body: Body
    users: dict[str, User]
    drone: Drone

    def __post_init__(self) -> None:
        for name in ("radars", "users"):
            if not getattr(self, name):
                raise InputError(f"{name}: expected at least one, got none")
        for name in self.users:
            if "-" in name or name == "drone":
                raise InputError(f"users.{name}: expected a name without a dash, other than drone")


def load(root: Path) -> Scenario:
    """The scenario in `root`; raises InputError, naming the file and the key, for anything amiss."""
    path = root / FILE
    params.document(path)  # says when it is not there
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _load(path: Path, modified_ns: int) -> Scenario:
    return params.build(Scenario, params.document(path), str(path))
