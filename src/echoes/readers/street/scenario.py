"""The scenario file: every number of the simulated street, with its unit in the name.

A pair `[low, high]` is a uniform draw, once per thing it describes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from echoes import params
from echoes.errors import InputError

Span = tuple[float, float]
FILE = "street.yaml"
WORLD = ("ego", "road", "buildings", "vehicles", "people", "furniture")  # what a kind of street may have otherwise
CAR_BELT = 0.6  # of the height of a car, where the body ends and the cabin begins
_MAY_BE_ZERO = (
    "behind_m", "parking_width_m", "sidewalk_width_m", "setback_m", "gap_m", "clearance_m", "penetration_m",
    "noise_m", "control_range_m",
)  # fmt: skip
_POSITIVE = ("_m", "_s", "_hz", "resolution_deg", "resolution_mps", "max_doppler_mps", "width_deg", "beams")
_SIGNED = ("_deg", "_db", "_dbsm", "_per_m", "relative_speed_mps")
# By the end of a name: beyond it no street is, and a simulation would take all memory or end in infinities.
_MOST = {
    "_m": 2000.0, "_s": 1e4, "_hz": 1e4, "_mps": 300.0, "_deg": 360.0, "_db": 300.0, "_dbsm": 300.0, "_per_m": 0.1,
    "_per_m2": 1000.0, "beams": 1024, "ground_returns": 1e5, "false_alarms": 1e5, "sidelobes_per_peak": 10.0,
    "aspect_exponent": 100.0,
}  # fmt: skip
_LEAST = 1e-3  # of what must be positive
_LEAST_APART_M = 1.0  # things along the street
_APART = ("length_m", "spacing_m", "slot_m")
MAX_BEAMS = 2_000_000  # of a turn of the LiDAR
MAX_SPREAD_DB, MAX_SPREAD = 20.0, 1.0
_NEVER_NEGATIVE = ("noise_deg", "spread_deg", "spread_db", "loss_db", "excess_db")


@dataclass(frozen=True)
class _Checked:
    """Refuses what no street can have: a span upside down, a probability above 1, a negative length."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = [n for n in (value if isinstance(value, tuple) else (value,)) if isinstance(n, int | float)]
            if len(numbers) == 2 and numbers[0] > numbers[1]:
                raise InputError(f"{field.name}: expected [low, high], got {list(value)}")
            for number in numbers:
                _check_size(field.name, number)
                if field.name != "position_m":  # a place may be anywhere
                    _check_number(field.name, number)


def _check_size(name: str, number: float) -> None:
    most = [largest for ending, largest in _MOST.items() if name.endswith(ending)]
    if most and abs(number) > max(most):
        raise InputError(f"{name}: expected at most {max(most):g}, got {number:g}")


def _check_number(name: str, number: float) -> None:
    if name.endswith(("probability", "share", "reflectivity")):
        if not 0 <= number <= 1:
            raise InputError(f"{name}: expected 0 to 1, got {number}")
    elif name.endswith(_POSITIVE) and not name.endswith((*_MAY_BE_ZERO, *_SIGNED[2:])):
        if not number > 0:
            raise InputError(f"{name}: expected more than 0, got {number}")
        least = _LEAST_APART_M if name.endswith(_APART) else _LEAST
        if number < least:
            raise InputError(f"{name}: expected at least {least:g}, got {number:g}")
    elif name in ("azimuth_deg", "elevation_deg"):
        largest = 180 if name == "azimuth_deg" else 89
        if abs(number) > largest:
            raise InputError(f"{name}: expected -{largest} to {largest}, got {number}")
    elif number < 0 and (name.endswith(_NEVER_NEGATIVE) or not name.endswith(_SIGNED)):
        raise InputError(f"{name}: expected 0 or more, got {number}")


@dataclass(frozen=True)
class Ego(_Checked):
    speed_mps: Span
    speed_swing_mps: Span  # amplitude of a slow sine on the speed
    speed_period_s: Span
    standing_probability: float  # share of the sequences in which the vehicle stands
    velocity_noise_mps: float  # standard deviation of the recorded ego velocity, per axis


@dataclass(frozen=True)
class Road(_Checked):
    length_m: float  # ahead of the first frame
    behind_m: float  # behind the first frame
    curvature_per_m: Span
    lane_width_m: float
    parking_width_m: float
    sidewalk_width_m: Span  # from the parking lane to the facades, drawn once per side


@dataclass(frozen=True)
class Buildings(_Checked):
    length_m: Span
    depth_m: float
    height_m: Span
    setback_m: Span  # behind the line of the facades
    setback_probability: float
    gap_m: Span  # alleys and side streets
    gap_probability: float  # after each building
    hedge_probability: float  # in front of a building that is set back, and in a gap
    hedge_height_m: Span
    hedge_thickness_m: float


@dataclass(frozen=True)
class Vehicles(_Checked):
    car_length_m: Span
    car_width_m: Span
    car_height_m: Span
    van_share: float
    van_length_m: Span
    van_width_m: Span
    van_height_m: Span
    clearance_m: float  # of the body above the ground
    parking_slot_m: float
    parked_share: Span  # of the slots, drawn once per side
    lead_probability: float  # a vehicle ahead in the own lane
    lead_gap_m: Span
    lead_relative_speed_mps: Span
    oncoming_spacing_m: Span
    oncoming_speed_mps: Span

    def __post_init__(self) -> None:
        super().__post_init__()
        lowest = CAR_BELT * self.car_height_m[0]
        if not self.clearance_m < lowest:
            raise InputError(f"clearance_m: expected less than the body of a car, {lowest:g}, got {self.clearance_m}")


@dataclass(frozen=True)
class People(_Checked):
    spacing_m: Span  # along each sidewalk
    radius_m: Span
    height_m: Span
    speed_mps: Span
    crossing_share: float  # of them crosses the road


@dataclass(frozen=True)
class Furniture(_Checked):
    lamp_spacing_m: Span
    lamp_height_m: Span
    lamp_radius_m: float
    sign_spacing_m: Span
    sign_height_m: Span
    sign_post_radius_m: float
    sign_plate_m: float  # width and height
    tree_spacing_m: Span
    tree_probability: float  # a side of the street has trees
    trunk_height_m: Span
    trunk_radius_m: Span
    crown_radius_m: Span
    crown_height_m: Span

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sign_plate_m < self.sign_height_m[0]:
            raise InputError(f"sign_plate_m: expected less than sign_height_m, got {self.sign_plate_m}")


@dataclass(frozen=True)
class Material(_Checked):
    """How a surface answers both sensors."""

    reflectivity: Span  # at normal incidence, drawn once per shape
    penetration_m: float  # mean depth of the LiDAR's return behind the surface
    scatterers_per_m2: float
    rcs_dbsm: float  # median of one scatterer
    rcs_spread_db: float  # standard deviation between scatterers
    edge_share: float  # of the scatterers of a box lies on its vertical edges
    edge_gain_db: float
    aspect_exponent: float  # of the cosine of incidence; 1 is Lambert, 0 answers alike from all sides
    specular_gain_db: float  # at normal incidence
    specular_width_deg: float
    doppler_spread_mps: float  # of moving parts: legs, leaves


@dataclass(frozen=True)
class Materials:
    facade: Material
    metal: Material
    pole: Material
    person: Material
    wood: Material
    foliage: Material

    @cache  # noqa: B019 - one per scenario file
    def column(self, name: str) -> np.ndarray:
        """(6, ...) one number of every material, in the order of the fields."""
        return np.array([getattr(getattr(self, field.name), name) for field in fields(self)])


@dataclass(frozen=True)
class Fan(_Checked):
    """Beams at equal steps of elevation, both ends included."""

    elevation_deg: Span
    beams: int


@dataclass(frozen=True)
class Lidar(_Checked):
    position_m: tuple[float, float, float]  # in the radar's frame
    fans: tuple[Fan, ...]
    azimuth_deg: Span
    azimuth_resolution_deg: float
    max_range_m: float
    ground_reflectivity: float
    range_at_10_percent_m: float  # how far a surface of reflectivity 0.1 is seen at normal incidence
    range_noise_m: float
    reflectivity_noise: float
    dropout_probability: float

    def __post_init__(self) -> None:
        super().__post_init__()
        turn = (self.azimuth_deg[1] - self.azimuth_deg[0]) / self.azimuth_resolution_deg + 1
        if (count := turn * sum(fan.beams for fan in self.fans)) > MAX_BEAMS or not self.fans:
            raise InputError(f"fans: expected 1 to {MAX_BEAMS} beams in a turn, got {count:.0f}")


@dataclass(frozen=True)
class Ghosts(_Checked):
    facade_loss_db: float  # of one reflection at a facade
    ground_loss_db: float  # of one reflection at the ground
    sidelobe_level_db: float  # of the azimuth sidelobes, below the peak
    sidelobes_per_peak: float  # mean number of them that are reported
    sidelobe_spread_deg: float


@dataclass(frozen=True)
class Clutter(_Checked):
    ground_returns: float  # mean number of ground patches that are lit, before detection
    ground_range_m: Span
    ground_rcs_dbsm: float
    ground_rcs_spread_db: float
    false_alarms: float  # mean number per frame
    false_alarm_mean_excess_db: float  # of their power above the threshold


@dataclass(frozen=True)
class Spread:
    """Standard deviations between the radars of different sequences, which are otherwise that of the file."""

    power_at_1m_db: float
    noise_power_db: float
    ground_returns: float  # of the natural logarithm, as below
    false_alarms: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            most = MAX_SPREAD_DB if name.endswith("_db") else MAX_SPREAD
            if not 0 <= value <= most:
                raise InputError(f"{name}: expected 0 to {most:g}, got {value:g}")


@dataclass(frozen=True)
class Radar(_Checked):
    height_m: float  # above the ground
    range_m: Span
    azimuth_deg: Span
    elevation_deg: Span
    beam_azimuth_deg: float  # two-way 3 dB half width of the antenna pattern
    beam_elevation_deg: float
    range_resolution_m: float
    azimuth_resolution_deg: float
    elevation_resolution_deg: float
    doppler_resolution_mps: float
    max_doppler_mps: float  # Doppler is measured modulo twice this
    range_noise_m: float  # floor of the standard deviations, however strong the signal
    azimuth_noise_deg: float
    elevation_noise_deg: float
    doppler_noise_mps: float
    power_at_1m_db: float  # of a target of 0 dBsm
    sensitivity_control_range_m: float  # nearer than this the gain falls with R^4, as does the power
    noise_power_db: float
    detection_snr_db: float
    ghosts: Ghosts
    clutter: Clutter
    spread: Spread | None  # a key that may be absent: then one radar drives through all streets


@dataclass(frozen=True)
class Scenario(_Checked):
    frame_rate_hz: float
    ego: Ego
    road: Road
    buildings: Buildings
    vehicles: Vehicles
    people: People
    furniture: Furniture
    materials: Materials
    lidar: Lidar
    radar: Radar
    kinds: "tuple[Kind, ...]"  # a key that may be absent: then all streets are of one kind

    def __post_init__(self) -> None:
        super().__post_init__()
        if (total := sum(kind.share for kind in self.kinds)) > 1 + 1e-9:
            raise InputError(f"kinds: expected shares of at most 1 together, got {total:g}")


@dataclass(frozen=True)
class Kind(_Checked):
    """Another kind of street, of which a share of the sequences is; the sensors and the materials are the same."""

    name: str
    share: float
    street: Scenario  # the whole of it


def load(root: Path) -> Scenario:
    """The scenario in `root`; raises InputError, naming the file and the key, for anything amiss."""
    return at(root / FILE)


def at(path: Path) -> Scenario:
    """The scenario of the file `path`, as strictly."""
    params.document(path)  # says when it is not there
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _load(path: Path, modified_ns: int) -> Scenario:
    document = params.document(path)
    if not isinstance(document, Mapping):
        return params.build(Scenario, document, str(path))
    radar = document.get("radar")
    base = {**document, "kinds": []}
    if isinstance(radar, Mapping):
        base["radar"] = {"spread": None, **radar}
    kinds = document.get("kinds", [])
    if isinstance(kinds, list):
        kinds = [_kind(base, kind, f"{path}.kinds[{i}]") for i, kind in enumerate(kinds)]
    return params.build(Scenario, {**base, "kinds": kinds}, str(path))


def _kind(base: Mapping[str, Any], kind: Any, path: str) -> Any:
    """What a kind says, with the whole street of it: that of the file but for what it has otherwise."""
    if not isinstance(kind, Mapping):
        return kind
    street = dict(base)
    for section in WORLD:
        changed = kind.get(section, {})
        if not isinstance(changed, Mapping):
            raise InputError(f"{path}.{section}: expected a mapping, got {changed!r}")
        if isinstance(base.get(section), Mapping):
            if unknown := [key for key in changed if key not in base[section]]:
                raise InputError(f"{path}.{section}.{unknown[0]}: unknown; {section} has {', '.join(base[section])}")
            street[section] = {**base[section], **changed}
    return {**{key: value for key, value in kind.items() if key not in WORLD}, "street": street}
