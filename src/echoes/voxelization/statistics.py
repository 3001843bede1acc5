"""What voxelize reports of a data set: frames of each split, and what its cells hold."""

import logging
from collections import Counter

import numpy as np

from echoes.voxelization.pairs import Pair


class Statistics:
    """Sums over frames as they come by."""

    def __init__(self, listed: int, refused: int, purged: int, clock_jumps: int) -> None:
        frames = {"frames_listed": listed, "frames_refused": refused, "frames_purged": purged, "frames_empty": 0}
        self._counts = {"clock_jumps": clock_jumps, **frames}
        self._splits: Counter[str] = Counter()
        self._sums: dict[str, float] = {}

    def take(self, pair: Pair | None, split: str) -> None:
        """Count a frame; None is one that was skipped because it has no radar points."""
        if pair is None:
            self._counts["frames_empty"] += 1
            return
        self._splits[split] += 1
        radar, target = pair.cells.radar, pair.cells.target
        power, doppler = radar.features[:, 0], radar.features[:, 1]
        found = {
            "points": pair.points,
            "radar_cells": len(power),
            "target_cells": len(target.indices),
            "power_db": float(power.mean()),
            "still_share": float((np.abs(doppler) < 0.5).mean()),
            "observed_share": float(np.unpackbits(pair.cells.observed).mean()),
            "doppler_valid_share": float(target.features[:, 2].mean()) if len(target.indices) else 0.0,
        }
        if np.isfinite(pair.ego_velocity).all():  # known for every frame of a track or for none
            found["speed_mps"] = float(np.linalg.norm(pair.ego_velocity))
        for name, value in found.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def summary(self) -> dict[str, float]:
        """Counts, and means over frames; says so where frames were skipped."""
        frames = sum(self._splits.values())
        if self._counts["frames_empty"]:
            logging.info("voxelize: %d frames without radar points skipped", self._counts["frames_empty"])
        means = {f"mean_{name}": value / max(1, frames) for name, value in self._sums.items()}
        return {**self._counts, **{f"frames_{s}": n for s, n in sorted(self._splits.items())}, **means}
