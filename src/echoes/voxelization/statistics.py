"""What voxelize reports of a data set: frames of each split, and what its cells hold."""

import logging
from collections import Counter

import numpy as np

from echoes.dataset.frames import UNPAIRED
from echoes.rasters.cells import Cells
from echoes.rasters.sweeps import Sweeps
from echoes.tasks import VALID, Task
from echoes.voxelization.pairs import Pair


class Statistics:
    """Sums over frames as they come by."""

    def __init__(
        self, task: Task, listed: int, refused: int, purged: int, clock_jumps: int, swept: Sweeps | None
    ) -> None:
        self._task, self._swept = task, swept
        frames = {"frames_listed": listed, "frames_refused": refused, "frames_purged": purged, "frames_empty": 0}
        self._counts = {"clock_jumps": clock_jumps, **frames}
        if swept is not None:
            self._counts["frames_short_of_sweeps"] = 0
        self._splits: Counter[str] = Counter()
        self._sums: dict[str, float] = {}

    def take(self, pair: Pair | None, split: str) -> None:
        """Count a frame; None is one that was skipped because it has no points."""
        if pair is None:
            self._counts["frames_empty"] += 1
            return
        self._splits[split] += 1
        if split == UNPAIRED:  # what is reported is of pairs
            return
        target = self._features(pair.cells.target, self._task.target)
        radar = self._features(pair.cells.input, self._task.input) if self._task.given == "radar" else target
        found = {
            "points": pair.points,
            f"{self._task.given}_cells": len(pair.cells.input.indices),
            "target_cells": len(pair.cells.target.indices),
            "power_db": float(radar["power"].mean()),
            "still_share": float((np.abs(radar["doppler"]) < 0.5).mean()),
            "observed_share": float(np.unpackbits(pair.cells.observed).mean()),
        }
        if (valid := target.get(VALID)) is not None:
            found["doppler_valid_share"] = float(valid.mean()) if len(valid) else 0.0
        if self._swept is not None:
            found["sweeps"] = pair.sweeps
            self._counts["frames_short_of_sweeps"] += pair.sweeps < self._swept.count
        if np.isfinite(pair.ego_velocity).all():  # known for every frame of a track or for none
            found["speed_mps"] = float(np.linalg.norm(pair.ego_velocity))
        for name, value in found.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    @staticmethod
    def _features(cells: Cells, channels: tuple[str, ...]) -> dict[str, np.ndarray]:
        return dict(zip(channels[1:], cells.features.T, strict=True))

    def summary(self) -> dict[str, float]:
        """Counts, and means over frames; says so where frames were skipped."""
        frames = sum(count for split, count in self._splits.items() if split != UNPAIRED)
        if self._counts["frames_empty"]:
            logging.info("voxelize: %d frames without points skipped", self._counts["frames_empty"])
        if self._swept is not None and (short := self._counts["frames_short_of_sweeps"]):
            logging.info(
                "voxelize: %d of %d frames have fewer than %d sweeps: a sequence begins, frames lie more than %g s "
                "apart, or the way between them is not known",
                short,
                frames,
                self._swept.count,
                self._swept.seconds,
            )
        means = {f"mean_{name}": value / max(1, frames) for name, value in self._sums.items()}
        return {**self._counts, **{f"frames_{s}": n for s, n in sorted(self._splits.items())}, **means}
