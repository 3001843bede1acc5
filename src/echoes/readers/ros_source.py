"""The section `source` of the reader `ros`: topics, fields, clocks, axes and mounting."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from echoes.errors import InputError
from echoes.readers import tables
from echoes.readers.axes import rotation
from echoes.readers.drives import MAX_OFFSET_S, SameStamp, Stamps
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import MOVED, RADAR_COLUMNS, TARGET_COLUMNS, EgoMotion
from echoes.readers.pairing import Padding, Row
from echoes.readers.power import Power

Rotation = tuple[Row, Row, Row]
POLAR_COLUMNS = ("range", "azimuth", "elevation", *RADAR_COLUMNS[3:])  # m, rad from x to y, rad from x up


@dataclass(frozen=True)
class RadarTopic:
    """Where the radar's clouds are, and which field of a message holds which column.

    fields    of x, y, z, doppler, power, or of range, azimuth, elevation, doppler, power.
    axes      where x, y and z of its points are directed, such as FLU (forward, left, up) or RFU, or a rotation, three
              rows of three, that takes them to forward, left, up.
    power     the unit of the field, dB or linear.
    """

    topic: str
    fields: dict[str, str]
    doppler_sign: Literal[1, -1]  # of the field when a point recedes
    axes: str | Rotation
    power: Power
    padding: Padding
    stamps: Stamps
    offset_s: float  # added to them
    same_stamp: SameStamp

    def __post_init__(self) -> None:
        if set(self.fields) != set(POLAR_COLUMNS):
            _check_fields(self.fields, RADAR_COLUMNS, f", or {', '.join(POLAR_COLUMNS)}")
        _check_offset(self.offset_s)
        directed(self.axes)

    @property
    def columns(self) -> tuple[str, ...]:
        return POLAR_COLUMNS if "range" in self.fields else RADAR_COLUMNS


@dataclass(frozen=True)
class LidarTopic:
    """Where the LiDAR's clouds are, and which field of a message holds which column."""

    topic: str
    fields: dict[str, str]
    reflectivity_max: float  # value that becomes 1
    padding: Padding
    stamps: Stamps
    offset_s: float  # added to them: the radar's clock minus the LiDAR's
    same_stamp: SameStamp

    def __post_init__(self) -> None:
        _check_fields(self.fields, TARGET_COLUMNS, "")
        _check_offset(self.offset_s)
        if self.reflectivity_max <= 0:
            raise InputError(f"reflectivity_max: expected more than 0, got {self.reflectivity_max}")


@dataclass(frozen=True)
class Moving:
    """How the messages that tell how the vehicle moves are put in time, and how the radar is mounted on it.

    max_gap_s      messages farther apart tell nothing of the time between them.
    rotation       radar, with x forward, y left and z up, -> vehicle: p_vehicle = rotation p_radar + translation.
    translation_m  x, y, z of the radar in the vehicle's frame.
    """

    same_stamp: ClassVar[SameStamp] = "last"

    topic: str
    stamps: Stamps
    offset_s: float  # added to them: the radar's clock minus that of the topic
    max_gap_s: float
    rotation: Rotation
    translation_m: Row

    def __post_init__(self) -> None:
        _check_offset(self.offset_s)
        if self.max_gap_s <= 0:
            raise InputError(f"max_gap_s: expected more than 0, got {self.max_gap_s}")
        self.mounting()

    def mounting(self) -> np.ndarray:
        """(4, 4) radar, with x forward, y left and z up, -> vehicle."""
        rows = [[*row, t] for row, t in zip(self.rotation, self.translation_m, strict=True)]
        return tables.rigid([*rows, [0, 0, 0, 1]], "rotation")


@dataclass(frozen=True)
class MotionTopic(Moving):
    """A topic that tells it: Odometry, TwistStamped or PoseStamped."""

    by: Literal["topic"]


@dataclass(frozen=True)
class MotionFrames(Moving):
    """Transforms between frames that tell it, on `topic` (/tf), and on `static` those that never change.

    static  their topic, /tf_static.
    parent  frame of the world, such as odom. One that jumps, as map does where a loop is closed, tells no velocity.
    child   frame of the vehicle, such as base_link.
    sensor  frame of the radar's points as it gives them, where transforms tell how it is mounted on the vehicle; null
            where `rotation` and `translation_m` do.
    """

    by: Literal["tf"]
    static: str
    parent: str
    child: str
    sensor: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("parent", "child"):
            if not getattr(self, name):
                raise InputError(f"{name}: expected the name of a frame, got none")
        if self.parent == self.child:
            raise InputError(f"child: expected another frame than parent, got {self.child} twice")


@dataclass(frozen=True)
class Source:
    """Where the frames come from, in params.yaml."""

    RENAMED: ClassVar = MOVED

    reader: Literal["ros"]
    ego_motion: EgoMotion
    doppler: Doppler
    radar: RadarTopic
    lidar: LidarTopic
    motion: MotionTopic | MotionFrames | None
    extrinsics: str  # file in the folder of the recording
    stamp_tolerance_s: float
    join_s: float  # a bag that begins so soon after another one, in its folder, goes on with its drive

    def __post_init__(self) -> None:
        if self.stamp_tolerance_s <= 0:
            raise InputError(f"stamp_tolerance_s: expected more than 0, got {self.stamp_tolerance_s}")
        if self.join_s < 0:
            raise InputError(f"join_s: expected at least 0, got {self.join_s}")


def directed(axes: str | Rotation) -> np.ndarray:
    """(3, 3) rotation to x forward, y left, z up. Raises InputError for axes that are none, or a mirror image."""
    if not isinstance(axes, str):
        rows = [[*row, 0.0] for row in axes]
        return tables.rigid([*rows, [0, 0, 0, 1]], "axes")[:3, :3]
    return rotation(axes)


def _check_fields(fields: dict[str, str], columns: tuple[str, ...], others: str) -> None:
    if set(fields) != set(columns):
        raise InputError(f"fields: expected {', '.join(columns)}{others}, got {', '.join(fields) or 'none'}")


def _check_offset(offset_s: float) -> None:
    if abs(offset_s) > MAX_OFFSET_S:
        raise InputError(f"offset_s: expected at most {MAX_OFFSET_S:g} s in size, got {offset_s}")
