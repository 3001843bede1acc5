"""The columns of a sensor's files -> points: which column is what, in which unit, sign and axes.

Axes are three of the letters F B L R U D, for what x, y and z point to: forward or backward, left or right, up or down.
A cloud is turned to FLU. Three letters that are left-handed mirror the world where they are a mistake, so files that
are (those of CARLA, say) are told apart: `FRU left-handed`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from echoes.errors import InputError
from echoes.readers import cloud_files
from echoes.readers.axes import rotation
from echoes.readers.ego_motion import directions
from echoes.readers.frames import RADAR_COLUMNS, TARGET_COLUMNS, check_points
from echoes.readers.pairing import Padding, Row, reflectivity, unpadded
from echoes.readers.power import Power, decibels

XYZ = ("x", "y", "z")
MPS = {"m/s": 1.0, "km/h": 1 / 3.6}
SIGNS = {"receding": 1.0, "approaching": -1.0}
UNUSED = "_"  # a column of a layout that need not have a name of its own
FARTHEST_M = 1e5  # of a point; what is beyond was no coordinate
LEAST = 1e-30  # a number of float32 below it is most often a whole number that was taken for one
MOST_LEAST = 0.01  # share of such numbers
RANGE_M, RANGE_SHARE = 0.2, 0.02  # how far a range may be from |x, y, z|
MOST_FAR = 0.1  # share of points beyond


@dataclass(frozen=True)
class RadialVelocity:
    """sign: which points have a positive value; unit: of the values."""

    sign: Literal["receding", "approaching"]
    unit: Literal["m/s", "km/h"]


@dataclass(frozen=True)
class Radar:
    """The radar's files.

    folder   in the recording; `.` for none of its own.
    columns  what -> its name: x, y, z, doppler and power; vx, vy and perhaps vz, the components of the velocity along
             the ray, in place of doppler (nuScenes); range, where there is one, is compared with |x, y, z|.
    layout   names of all columns, in order, of files that do not tell them; `_` for one that is not used.
    keep     column -> its values in rows that are kept; {} for all rows.
    padding  rows that hold no return.
    axes     what x, y and z of the files point to.
    """

    folder: str
    columns: dict[str, str]
    layout: tuple[str, ...]
    keep: dict[str, tuple[float, ...]]
    padding: Padding
    axes: str
    doppler: RadialVelocity
    power: Power

    def __post_init__(self) -> None:
        components = {"vx", "vy"} & set(self.columns)
        velocity = ("vx", "vy") if components else ("doppler",)
        _check_columns(self.columns, (*XYZ, *velocity, "power"), ("range", "vz") if components else ("range",))
        _check_layout(self.layout, self.columns, self.keep)
        rotation(self.axes)


@dataclass(frozen=True)
class ByAxes:
    """A LiDAR with axes parallel to the radar's.

    axes        what x, y and z of its files point to.
    position_m  x, y, z of it in the radar's frame, x forward, y left.
    """

    by: Literal["axes"]
    axes: str
    position_m: Row

    def __post_init__(self) -> None:
        rotation(self.axes)


@dataclass(frozen=True)
class ByExtrinsics:
    """file: in the recording; between coordinates as the files of both sensors have them (see pairing.Extrinsics)."""

    by: Literal["extrinsics"]
    file: str


@dataclass(frozen=True)
class Lidar:
    """The LiDAR's files: as of a radar, but for

    columns           x, y, z and reflectivity, which is 0 everywhere where it is left out; range as of a radar.
    reflectivity_max  what becomes 1.
    mount             how it is mounted to the radar.
    stamp_offset_s    is added to its stamps: a clock that starts with the sensor.
    """

    folder: str
    columns: dict[str, str]
    layout: tuple[str, ...]
    keep: dict[str, tuple[float, ...]]
    padding: Padding
    reflectivity_max: float
    mount: ByAxes | ByExtrinsics
    stamp_offset_s: float

    def __post_init__(self) -> None:
        _check_columns(self.columns, XYZ, ("reflectivity", "range"))
        _check_layout(self.layout, self.columns, self.keep)
        if not self.reflectivity_max > 0:
            raise InputError(f"reflectivity_max: expected more than 0, got {self.reflectivity_max:g}")


def radar_points(path: Path, radar: Radar) -> np.ndarray:
    """(N, 5) float32 x forward, y left, z up [m], radial velocity [m/s] positive = receding, power [dB]."""
    columns = _columns(path, radar)
    xyz = _places(columns, path)
    factor = SIGNS[radar.doppler.sign] * MPS[radar.doppler.unit]
    told = columns["doppler"] if "doppler" in columns else _along_the_ray(columns)
    rows = [xyz @ rotation(radar.axes).T, factor * told, decibels(columns["power"], radar.power, path)]
    return check_points(np.column_stack(rows), RADAR_COLUMNS, path)


def lidar_points(path: Path, lidar: Lidar, to_radar: np.ndarray) -> np.ndarray:
    """(M, 4) float32 x forward, y left, z up [m] in the radar's frame, reflectivity 0..1.

    to_radar  (4, 4) coordinates as the file has them -> radar's frame.
    """
    columns = _columns(path, lidar)
    xyz = _places(columns, path)
    told = columns.get("reflectivity", np.zeros(len(xyz)))
    check_points(np.column_stack([xyz, told]), TARGET_COLUMNS, path)
    rows = [xyz @ to_radar[:3, :3].T + to_radar[:3, 3], reflectivity(told, lidar.reflectivity_max, path)]
    return check_points(np.column_stack(rows), TARGET_COLUMNS, path)


def _columns(path: Path, sensor: Radar | Lidar) -> dict[str, np.ndarray]:
    """What -> (N,) float64, of the rows that hold a return."""
    found = cloud_files.read(path, sensor.layout, {*sensor.columns.values(), *sensor.keep})
    order = [*XYZ, *(what for what in sensor.columns if what not in XYZ)]
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a NaN, which the padding or the check takes
        rows = np.column_stack([found[sensor.columns[what]].astype(np.float64) for what in order])
    kept = np.ones(len(rows), bool)
    for name, values in sensor.keep.items():
        kept &= np.isin(found[name], list(values))
    return dict(zip(order, unpadded(rows[kept], sensor.padding, path).T, strict=True))


def _places(columns: Mapping[str, np.ndarray], path: Path) -> np.ndarray:
    """(N, 3) x, y, z; raises InputError for what can be none, as of a file whose columns are others than was said."""
    xyz = np.column_stack([columns[name] for name in XYZ])
    check_points(xyz, XYZ, path)
    hint = "; are these all columns of the file (`layout`)?" if path.suffix.lower() == ".bin" else ""
    if len(xyz) and (farthest_m := np.linalg.norm(xyz, axis=1).max()) > FARTHEST_M:
        raise InputError(f"{path}: expected points within {FARTHEST_M:g} m, got one at {farthest_m:g} m{hint}")
    if hint:
        values = np.abs(np.stack(list(columns.values())))
        if len(xyz) and (share := ((values > 0) & (values < LEAST)).mean()) > MOST_LEAST:
            raise InputError(f"{path}: expected float32, got {share:.0%} of numbers that are less than {LEAST:g}{hint}")
    if "range" in columns:
        _check_range(xyz, columns["range"], path, hint)
    return xyz


def _check_range(xyz: np.ndarray, range_m: np.ndarray, path: Path, hint: str) -> None:
    distance_m = np.linalg.norm(xyz, axis=1)
    far = ~(np.abs(range_m - distance_m) <= RANGE_M + RANGE_SHARE * distance_m)
    if far.sum() > MOST_FAR * len(far):
        i = int(far.argmax())
        told = f"{range_m[i]:g} m at {distance_m[i]:g} m, and {far.sum()} of {len(far)} that differ"
        raise InputError(f"{path}: expected the range of a point to be |x, y, z|, got {told}{hint}")


def _along_the_ray(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """(N,) the length of a velocity whose components along a ray are known, positive away from the radar."""
    components = [(place, f"v{place}") for place in XYZ if f"v{place}" in columns]
    rays = np.zeros((len(columns["x"]), 3))
    velocity = np.zeros_like(rays)
    for place, name in components:
        rays[:, XYZ.index(place)], velocity[:, XYZ.index(place)] = columns[place], columns[name]
    with np.errstate(invalid="ignore", over="ignore"):  # of what is not finite, which is refused later
        along: np.ndarray = (directions(rays) * velocity).sum(axis=1)
    return along


def _check_columns(columns: Mapping[str, str], needed: Sequence[str], others: Sequence[str]) -> None:
    if not set(needed) <= set(columns) <= {*needed, *others}:
        told = f"{', '.join(needed)} and perhaps {', '.join(others)}"
        raise InputError(f"columns: expected {told}, got {', '.join(columns) or 'none'}")


def _check_layout(layout: Sequence[str], columns: Mapping[str, str], keep: Mapping[str, Sequence[float]]) -> None:
    if not layout:
        return
    used = [name for name in layout if name != UNUSED]
    if len(set(used)) < len(used):
        raise InputError(f"layout: expected each name once, got {', '.join(layout)}")
    if missing := sorted({*columns.values(), *keep} - set(used)):
        raise InputError(f"layout: expected {', '.join(missing)} in it, got {', '.join(layout)}")
