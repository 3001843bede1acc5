"""samples.zarr against the targets: the report of evaluate, and the panels of its picture."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from echoes import params, tasks
from echoes.arrays import Reader
from echoes.dataset.frames import evenly_spaced
from echoes.dataset.grids import Grids
from echoes.errors import InputError
from echoes.evaluation import radar_frames, realism
from echoes.evaluation.blocks import require_resamples
from echoes.evaluation.bootstrap import summarise, summarise_points, summarise_radar
from echoes.evaluation.clouds import evaluate_frame
from echoes.evaluation.points import Region, evaluate_points, restrict
from echoes.evaluation.realism import Numbers
from echoes.metric_order import in_order
from echoes.models import mapping
from echoes.models.mapping import FrameMap, WorkerSettings
from echoes.models.radar import clouds
from echoes.models.radar.clouds import POINT_COLUMNS, Cloud
from echoes.provenance import require_parent
from echoes.reports.figures import Panel


@dataclass(frozen=True)
class CloudEvaluation:
    """The section `<track>.evaluate` of clouds.

    resamples  of the bootstrap; panels: frames in the picture.
    range_m    horizontal range from the sensor within which points are compared.
    """

    of: Literal["clouds"]
    resamples: int
    seed: int
    panels: int
    range_m: float

    def __post_init__(self) -> None:
        params.require_counts(panels=self.panels)
        require_resamples(self.resamples)
        if not self.range_m > 0:
            raise InputError(f"range_m: expected more than 0, got {self.range_m}")


TITLES = {"radar": "radar", "lidar": "LiDAR", "fused": "radar and model", "ldm": "LDM", "cd_1": "CD, 1 step"}
TABLE = "frames.csv"
CELLS, POINTS, RETURNS = "cells", "points", "returns"  # the protocols; the last of a radar that is made
REAL = "real"  # the row of one half of the targets against the other


@dataclass(frozen=True)
class _Content:
    methods: tuple[str, ...]
    columns: tuple[str, ...]
    thresholds: dict[str, float]


class Samples:
    """The clouds that the stage sample wrote."""

    def __init__(self, path: Path, grids: Grids) -> None:
        """Raises InputError unless they were made from these grids."""
        self._reader = Reader(path, "samples")
        self.path, self.header = path, self._reader.header
        require_parent(path, self.header, grids.path, grids.header)
        told: _Content = params.build_subset(_Content, self.header.content, f"{path}: header")
        self.methods, self.columns, self.thresholds = told.methods, told.columns, told.thresholds
        self.frames = self._reader.all("frame")
        for method in (*self.methods, REAL):
            self._reader.require(f"{method}_encoded", "f", len(self.frames), None)

    def cloud(self, method: str, i: int) -> Cloud:
        """The cloud of the i-th of `frames`."""
        indices, features = (self._reader.ragged(f"{method}_{part}", i) for part in ("indices", "features"))
        return Cloud(indices, features, self.columns)

    def points(self, method: str, i: int) -> np.ndarray:
        """(P, 6) the points of the i-th of `frames`, as `echoes enhance` writes them."""
        return self._reader.ragged(f"{method}_points", i)

    def returns(self, method: str, i: int, given: str) -> np.ndarray:
        """(P, 5) the same as x, y, z, Doppler, power of a radar; of what is `given`, which measures neither, NaN."""
        points = self.points(method, i)[:, [POINT_COLUMNS.index(name) for name in tasks.POINTS["radar"]]]
        if method == given:
            points[:, 3:] = np.nan
        return points

    def encoded(self, method: str) -> np.ndarray:
        """(N, K) features of the clouds of `frames`, of REAL too."""
        return self._reader.all(f"{method}_encoded")


Frames = dict[str, list[dict[str, float]]]  # protocol -> the numbers of each frame


def measured(
    samples: Samples, grids: Grids, p: CloudEvaluation, frame_map: FrameMap = mapping.in_process
) -> dict[str, Frames]:
    """Method -> the numbers of each frame under both protocols, and of a radar that is made under the third."""
    remote = partial(_of_frame, samples.path.absolute(), samples.header.identity, p)
    frames = frame_map(partial(of_frame, samples, grids, p), remote, range(len(samples.frames)))
    every = list(tqdm(frames, "evaluate", len(samples.frames), mininterval=1.0))
    protocols = (CELLS, POINTS, *((RETURNS,) if grids.task.makes_radar else ()))
    return {method: {of: [frame[method][of] for frame in every] for of in protocols} for method in samples.methods}


def of_frame(samples: Samples, grids: Grids, p: CloudEvaluation, i: int) -> dict[str, dict[str, dict[str, float]]]:
    """Method -> protocol -> the numbers of the i-th frame."""
    frame = int(samples.frames[i])
    target, region = clouds.target(grids, frame), Region(p.range_m, grids.grid, grids.ground(frame), grids.ground_m)
    truth, far_m = restrict(grids.points("target", frame), region), grids.grid.diagonal_m
    found = {}
    for method in samples.methods:
        found[method] = {
            CELLS: evaluate_frame(samples.cloud(method, i).predicted(), target, grids.grid),
            POINTS: evaluate_points(restrict(samples.points(method, i), region), truth, far_m),
        }
        if grids.task.makes_radar:
            made = restrict(samples.returns(method, i, grids.task.given), region)
            found[method][RETURNS] = returns_of(made, truth, grids)
    return found


def _of_frame(
    path: Path, identity: str, p: CloudEvaluation, worker: WorkerSettings, i: int
) -> dict[str, dict[str, dict[str, float]]]:
    """`of_frame` on a worker. path, identity: of the samples."""
    with worker.computing():
        return of_frame(*_opened(path, identity, worker), p, i)


@lru_cache(maxsize=1)
def _opened(path: Path, identity: str, worker: WorkerSettings) -> tuple[Samples, Grids]:
    grids = Grids(worker.data / "grids.zarr")
    samples = Samples(path, grids)
    worker.require(path, samples.header, identity)
    return samples, grids


def returns_of(made: np.ndarray, real: np.ndarray, grids: Grids) -> dict[str, float]:
    """The numbers of a radar frame; that of static points only where Doppler is over ground."""
    over_ground = grids.header.content["ego_motion"] != "none"
    static = radar_frames.static_doppler_mps(made, real, grids.grid) if over_ground else math.nan
    return {**radar_frames.paired(made, real), "static_doppler_mps": static}


def as_sets(samples: Samples, grids: Grids, seed: int) -> dict[str, Numbers]:
    """Method -> its clouds as a set against the real ones, frame by frame not its own, under `set_` names; and REAL."""
    stretches = grids.stretches()[samples.frames]
    targets = [grids.cells("target", int(frame)).indices for frame in samples.frames]
    real = realism.described(targets, samples.encoded(REAL), grids.grid)
    found = {}
    for method in samples.methods:
        cells = [samples.cloud(method, i).indices for i in range(len(samples.frames))]
        made = realism.described(cells, samples.encoded(method), grids.grid)
        found[method] = realism.against(real, made, stretches, grids.grid, seed)
    found[REAL] = realism.against(real, real, stretches, grids.grid, seed)
    if grids.task.makes_radar:
        radar = [grids.points("target", int(frame)) for frame in samples.frames]
        made_of = {m: [samples.returns(m, i, grids.task.given) for i in range(len(radar))] for m in samples.methods}
        for method, points in {**made_of, REAL: radar}.items():
            found[method] |= radar_frames.against(radar, points, stretches, grids.grid, seed)
    return {method: {f"set_{key}": value for key, value in numbers.items()} for method, numbers in found.items()}


def report(
    samples: Samples,
    grids: Grids,
    found: Mapping[str, Frames],
    sets: Mapping[str, Numbers],
    timings: Mapping[str, Mapping[str, float]],
    p: CloudEvaluation,
) -> dict[str, Any]:
    """A flat block of numbers per method, those of points under `points_`, those of sets under `set_` names; frames,
    stretches and thresholds. The row REAL has numbers of sets alone: the floor.

    Intervals resample stretches, because the frames of a stretch depend on each other. Beside the points of each method
    stands their ratio to those that go in: `points_chamfer_ratio` below 1 is nearer to the target than these.
    """
    blocks: dict[str, Any] = {}
    stretches = grids.stretches()[samples.frames]
    for method, protocols in found.items():
        cells = summarise(protocols[CELLS], stretches, p.seed, p.resamples)
        points = summarise_points(protocols[POINTS], found[grids.task.given][POINTS], stretches, p.seed, p.resamples)
        if RETURNS in protocols:
            points |= summarise_radar(protocols[RETURNS], stretches, p.seed, p.resamples)
        level = {"threshold": samples.thresholds[method]} if method in samples.thresholds else {}
        blocks[method] = in_order({**cells, **points, **sets[method], **level, **timings[method]})
    blocks[REAL] = in_order(sets[REAL])
    counts = {"frames": len(samples.frames), "stretches": len(np.unique(stretches)), "range_m": p.range_m}
    return {**blocks, **counts}


def write_table(samples: Samples, grids: Grids, found: Mapping[str, Frames], path: Path) -> None:
    """A row for each frame, protocol and method, with all numbers of the protocol; empty where there is none."""
    stretches = grids.stretches()[samples.frames]
    keys = list(dict.fromkeys(key for of in found.values() for frames in of.values() for key in frames[0]))
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["frame", "stretch", "protocol", "method", *keys])
        for method, protocols in found.items():
            for protocol, frames in protocols.items():
                for frame, stretch, numbers in zip(samples.frames, stretches, frames, strict=True):
                    values = [numbers.get(key, math.nan) for key in keys]
                    cells = ["" if math.isnan(value) else repr(float(value)) for value in values]
                    table.writerow([int(frame), int(stretch), protocol, method, *cells])


def panels(samples: Samples, grids: Grids, count: int) -> list[list[Panel]]:
    """A row of bird's-eye panels for each of `count` frames, evenly spread over the test split: points, and how far the
    cells of each are from the target's.
    """
    rows = []
    for i in evenly_spaced(np.arange(len(samples.frames)), count):
        known = clouds.target(grids, int(samples.frames[i]))
        row = []
        for method, title in ((m, t) for m, t in TITLES.items() if m in samples.methods):
            cloud = samples.cloud(method, int(i))
            error_m = evaluate_frame(cloud.predicted(), known, grids.grid)["chamfer_m"]
            row.append(Panel(title, samples.points(method, int(i))[:, :3], None, f"Chamfer {error_m:.2f} m"))
        rows.append([*row, Panel("target", grids.grid.centres(known.cells.indices), None, "")])
    return rows
