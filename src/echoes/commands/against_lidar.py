"""Whether enhancing helps on a recording that has a LiDAR: its clouds and its radar against the LiDAR's points."""

from collections.abc import Sequence

import numpy as np

from echoes.evaluation.points import Region, evaluate_points, restrict
from echoes.grids import Grid
from echoes.rasters import ground
from echoes.rasters.ground import Ground, Plane

RANGE_M = 40.0
KEYS = ("chamfer_m", "to_target_m", "from_target_m", "precision@1.0m", "recall@1.0m", "f1@1.0m")
TITLES = ("Chamfer m", "to LiDAR", "from LiDAR", "precision @1m", "recall @1m", "F1 @1m")


def truth(target: np.ndarray | None, settings: Ground, grid: Grid) -> tuple[np.ndarray, Region] | None:
    """The LiDAR's points (M, 3) that clouds are compared with, and the region; None for a frame without any."""
    if target is None:
        return None
    plane: Plane | None = ground.fit(target, settings)
    region = Region(RANGE_M, grid, plane, ground.height_of(settings))
    points = restrict(target, region)[:, :3]
    return (points, region) if len(points) else None


class AgainstLidar:
    """Sums over frames as they come by; what is compared are points, the ground taken from all alike."""

    def __init__(self, far_m: float) -> None:
        """far_m: how far off an empty cloud is."""
        self._far_m = far_m
        self._sums = {name: np.zeros(len(KEYS)) for name in ("radar", "enhanced")}
        self.frames = 0

    def take(self, radar: np.ndarray, enhanced: np.ndarray, true: np.ndarray, region: Region) -> None:
        """Compare a frame: radar (N, 3 or more), enhanced (P, 3 or more), true (M, 3) x, y, z [m]."""
        for name, points in (("radar", radar), ("enhanced", enhanced)):
            numbers = evaluate_points(restrict(points, region), true, self._far_m)
            self._sums[name] += [numbers[key] for key in KEYS]
        self.frames += 1

    def told(self) -> list[str]:
        """A table of means over frames, and whether the clouds are nearer to the LiDAR than their radar."""
        if not self.frames:
            return []
        means = {name: sums / self.frames for name, sums in self._sums.items()}
        head = f"against the LiDAR's points within {RANGE_M:g} m, ground taken out, {self.frames} frames:"
        rows = [_row("", TITLES), *(_row(name, [f"{v:.2f}" for v in values]) for name, values in means.items())]
        ratio = means["enhanced"][0] / means["radar"][0]
        verdict = "nearer to the LiDAR than" if ratio < 1 else "no nearer to the LiDAR than"
        return [head, *rows, f"the clouds are {verdict} their radar: {ratio:.2f} x its Chamfer distance"]


def _row(name: str, cells: Sequence[str]) -> str:
    return f"  {name:<9}" + "".join(cell.rjust(15) for cell in cells)
