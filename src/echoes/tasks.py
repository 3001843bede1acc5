"""A task: which cloud goes in and which is to come out, by the names of their channels. It is data, not code.

Whoever scales, weighs, decodes or measures a cloud looks its channels up by name and by kind:

    mask      0 or 1; a network gives its logit
    fraction  0..1
    decibel   a power [dB]
    velocity  along the line of sight [m/s], positive = receding
    variance  of a velocity [(m/s)^2]
    age       since it was measured [s]

The first channel of a cloud is its occupancy. All others are known in occupied cells; what a radar measures, where the
cloud says so itself, only in those of its mask `doppler_valid`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from echoes.errors import InputError

OCCUPANCY, VALID, AGE = "occupancy", "doppler_valid", "age"
KINDS = {
    OCCUPANCY: "mask",
    "reflectivity": "fraction",
    "doppler": "velocity",
    VALID: "mask",
    "power": "decibel",
    "doppler_variance": "variance",
    AGE: "age",
}
OF_RADAR = ("decibel", "velocity", "variance")  # kinds that only a radar measures
POINTS = {"radar": ("x", "y", "z", "doppler", "power"), "lidar": ("x", "y", "z", "reflectivity")}  # columns


@dataclass(frozen=True)
class Task:
    """given   whose cloud goes in: radar or lidar; the name of its arrays, and of the row that a model has to beat.
    input     its channels.
    target    those of the cloud that is to come out.
    enhances  whether what goes in is a part of what is to come out, so that its returns are kept.
    """

    given: str
    input: tuple[str, ...]
    target: tuple[str, ...]
    enhances: bool

    def __post_init__(self) -> None:
        if self.given not in POINTS:
            raise InputError(f"given: expected {' or '.join(POINTS)}, got {self.given}")
        for role, names in (("input", self.input), ("target", self.target)):
            if names[:1] != (OCCUPANCY,) or len(set(names)) < len(names) or not set(names) <= KINDS.keys():
                wanted = f"{OCCUPANCY}, then some of {', '.join(KINDS)}"
                raise InputError(f"{role}: expected {wanted}, got {', '.join(names) or 'none'}")

    @property
    def makes_radar(self) -> bool:
        """Whether a radar alone is to come out: all that is measured of the target only a radar measures."""
        names = measured(self.target)
        return bool(names) and all(KINDS[name] in OF_RADAR for name in names)

    @property
    def target_columns(self) -> tuple[str, ...]:
        """Of the points of the target that are kept: of a radar all, of a LiDAR where they lie."""
        return POINTS["radar"] if self.makes_radar else POINTS["lidar"][:3]


RADAR = (OCCUPANCY, "power", "doppler", "doppler_variance")
LIDAR = (OCCUPANCY, "reflectivity")
# A LiDAR's cells with what a radar measured near them.
LIDAR_AND_RADAR = (OCCUPANCY, "reflectivity", "doppler", VALID, "power")
ENHANCE = Task("radar", RADAR, LIDAR_AND_RADAR, enhances=True)
RADAR_FROM_LIDAR = Task("lidar", LIDAR, RADAR, enhances=False)
TASKS = {"enhance": ENHANCE, "radar_from_lidar": RADAR_FROM_LIDAR}  # as `<track>.grid.task` names them


def aged(task: Task) -> Task:
    """The task where earlier radar frames go in, too: what goes in tells how old it is."""
    return replace(task, input=(*task.input, AGE))


def measured(channels: Sequence[str]) -> tuple[str, ...]:
    """The channels of what a sensor measures, in their order: no masks, and no age."""
    return tuple(name for name in channels if KINDS[name] not in ("mask", "age"))


def masks(channels: Sequence[str]) -> tuple[str, ...]:
    """The masks beside the occupancy, in their order."""
    return tuple(name for name in channels[1:] if KINDS[name] == "mask")


def mask_of(name: str, channels: Sequence[str]) -> str:
    """The mask in whose cells a channel is known."""
    return VALID if VALID in channels and KINDS[name] in OF_RADAR else OCCUPANCY
