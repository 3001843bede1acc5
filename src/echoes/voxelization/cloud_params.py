"""The section `<track>.grid` of a track of clouds: its cells, what they hold and how its frames are altered.

Apart from how frames are voxelized, because tracks of spectrograms read it too: to refuse it.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from echoes.errors import InputError
from echoes.grids import Grid, Range
from echoes.rasters import ground
from echoes.rasters.ground import NoGround, PlaneGround
from echoes.rasters.scaling import Scaling
from echoes.rasters.sweeps import Sweeps
from echoes.tasks import TASKS, Task, aged


@dataclass(frozen=True)
class Augmentation:
    """Altered copies of each training frame; validation and test frames stay as they are.

    copies            of each frame.
    max_rotation_rad  a copy is turned about the vertical axis by up to this angle either way: what the sensors would
                      have seen with another heading, but for the borders of their fields of view.
    min_fraction      a copy keeps at least this share of the radar's points, as a weaker radar would.
    power_db          standard deviation of what is added to all powers of a copy alike: another calibration.
    noise_m           standard deviation of what is added to each coordinate of the radar's points.
    fade              a copy loses up to this share of the radar's points at the range of its farthest one, and less
                      the nearer they are: rain, or a weaker transmitter.
    """

    RENAMED: ClassVar = {"count": "copies", "most_rad": "max_rotation_rad", "least_share": "min_fraction"}

    copies: int
    max_rotation_rad: float
    min_fraction: float
    power_db: float
    noise_m: float
    fade: float
    seed: int

    def __post_init__(self) -> None:
        for name in ("copies", "max_rotation_rad", "power_db", "noise_m"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if not 0 < self.min_fraction <= 1:
            raise InputError(f"min_fraction: expected more than 0 and at most 1, got {self.min_fraction}")
        if not 0 <= self.fade <= 1:
            raise InputError(f"fade: expected 0 to 1, got {self.fade}")


@dataclass(frozen=True)
class GridParams:
    """The section `<track>.grid`: the cells of space, and what they hold.

    task          which cloud goes in and which is to come out.
    ground        how the ground is taken out of the LiDAR's returns.
    radius_m      a target cell takes Doppler and power from the nearest radar point within this distance.
    sweeps        radar frames whose returns go in; `count: 1` for the frame's own.
    scaling       physical units <-> network range.
    augmentation  altered copies of the training frames.
    """

    RENAMED: ClassVar = {"copies": "augmentation"}

    raster: Literal["voxels"]
    task: Literal["enhance", "radar_from_lidar"]
    z: Range
    y: Range
    x: Range
    ground: NoGround | PlaneGround
    radius_m: float
    sweeps: Sweeps
    scaling: Scaling
    augmentation: Augmentation

    def __post_init__(self) -> None:
        if self.sweeps.count > 1 and TASKS[self.task].given != "radar":
            raise InputError(f"sweeps.count: expected 1 for task: {self.task}, to which no radar goes in")

    def grid(self) -> Grid:
        return Grid.of(self.z, self.y, self.x)

    def roles(self) -> Task:
        """What goes in and what is to come out."""
        task = TASKS[self.task]
        return task if self.swept() is None else aged(task)

    def swept(self) -> Sweeps | None:
        """The frames whose returns go in; None for the frame's own alone."""
        return self.sweeps if self.sweeps.count > 1 else None

    def ground_m(self) -> float:
        """How far above its plane the ground reaches that is taken out of the target; a radar keeps its returns."""
        return ground.height_of(self.ground) if self.roles().enhances else 0.0
