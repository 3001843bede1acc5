"""samples.zarr against the targets: the report of evaluate, and the panels of its picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from echoes import params
from echoes.arrays import Reader
from echoes.dataset.frames import spread
from echoes.dataset.grids import Grids
from echoes.evaluation.bootstrap import summarise
from echoes.evaluation.clouds import evaluate_frame
from echoes.headlines import ordered
from echoes.models.radar import clouds
from echoes.models.radar.clouds import Cloud
from echoes.provenance import require_parent
from echoes.reports.figures import Panel


@dataclass(frozen=True)
class CloudEvaluation:
    """The section `<track>.evaluate` of clouds. resamples: of the bootstrap; panels: frames in the picture."""

    of: Literal["clouds"]
    resamples: int
    seed: int
    panels: int

    def __post_init__(self) -> None:
        params.require_counts(resamples=self.resamples, panels=self.panels)


TITLES = {"radar": "radar", "posterior_mean": "posterior mean", "ldm": "LDM", "cd_1": "CD, 1 step"}


@dataclass(frozen=True)
class _Told:
    methods: tuple[str, ...]
    threshold: float


class Samples:
    """The clouds that the stage sample wrote."""

    def __init__(self, path: Path, grids: Grids) -> None:
        """Raises InputError unless they were made from these grids."""
        self._reader = Reader(path, "samples")
        require_parent(path, self._reader.header, grids.path, grids.header)
        told: _Told = params.build_known(_Told, self._reader.header.content, f"{path}: header")
        self.methods, self.threshold = told.methods, told.threshold
        self.frames = self._reader.all("frame")

    def cloud(self, method: str, i: int) -> Cloud:
        """The cloud of the i-th of `frames`."""
        return Cloud(*(self._reader.ragged(f"{method}_{part}", i) for part in ("indices", "features")))


def report(
    samples: Samples, grids: Grids, timings: Mapping[str, Mapping[str, float]], seed: int, resamples: int
) -> dict[str, Any]:
    """A flat block of numbers per method, the number of frames, and the occupancy threshold."""
    targets = [clouds.target(grids, int(frame)) for frame in samples.frames]
    blocks: dict[str, Any] = {}
    for method in samples.methods:
        found = [
            evaluate_frame(samples.cloud(method, i).predicted(), target, grids.grid) for i, target in enumerate(targets)
        ]
        blocks[method] = ordered({**summarise(found, seed, resamples), **timings[method]})
    return {**blocks, "frames": len(targets), "threshold": samples.threshold}


def panels(samples: Samples, grids: Grids, count: int) -> list[list[Panel]]:
    """A row of bird's-eye panels for each of `count` frames, evenly spread over the test split."""
    rows = []
    for i in spread(np.arange(len(samples.frames)), count):
        truth = clouds.from_cells("target", grids.cells("target", int(samples.frames[i])))
        known = clouds.target(grids, int(samples.frames[i]))
        row = []
        for method, title in TITLES.items():
            cloud = samples.cloud(method, int(i))
            error_m = evaluate_frame(cloud.predicted(), known, grids.grid)["chamfer_m"]
            row.append(Panel(title, grids.grid.centres(cloud.indices), None, f"Chamfer {error_m:.2f} m"))
        rows.append([*row, Panel("LiDAR", grids.grid.centres(truth.indices), None, "")])
    return rows
