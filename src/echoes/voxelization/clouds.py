"""Radar clouds of a track -> the cells of radar and target, and what was measured on the way."""

import logging
from collections import defaultdict
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from echoes import files
from echoes.arrays import Writer
from echoes.compute.parallel import ordered
from echoes.compute.workers import Workers
from echoes.errors import InputError
from echoes.judging import findings as judged
from echoes.judging.found import by_name, warnings
from echoes.judging.judge import Judge
from echoes.readers.catalog import CLOUDS, CloudSource
from echoes.readers.frames import Entry
from echoes.readers.splits import ByFewRecordings, ByRecording, ByUser, stretches
from echoes.readers.splits import Split as SequenceSplit
from echoes.voxelization import accumulation, pairs, skipped, stamps
from echoes.voxelization.cloud_grids import GridsWriter
from echoes.voxelization.cloud_params import GridParams
from echoes.voxelization.mixing import assigned
from echoes.voxelization.sections import Layout, Split
from echoes.voxelization.statistics import Statistics
from echoes.voxelization.views import shown

FINDINGS = judged.FINDINGS


def require(track: str, reader: str, layout: Layout, split: Split) -> None:
    """Raises InputError for the grid or the split of another family."""
    if not isinstance(layout, GridParams):
        raise InputError(f"{track}.grid.raster: expected voxels for the reader {reader}, got {layout.raster}")
    if isinstance(split, ByRecording | ByFewRecordings | ByUser):
        wanted = "sequence, time or stretch"
        raise InputError(f"{track}.split.by: expected {wanted} for the reader {reader}, got {split.by}")


def write(
    root: Path,
    source: CloudSource,
    layout: GridParams,
    split: SequenceSplit,
    workers: Workers,
    writer: Writer,
    table: Path,
) -> dict[str, Any]:
    """Write all frames of `root` to `writer` and the stamps of all pairs to `table`.

    Gives the statistics, and under `findings` what is not sane in the recording, which is told, too.
    """
    grid, reader = layout.grid(), CLOUDS[source.reader]
    listed = reader.index(root, source)
    jumps, usable = stamps.clock_jumps(listed), stamps.usable(listed, root)
    accumulation.require_motion(source, usable, layout.swept(), "grid.sweeps.count")
    splits = assigned(usable, source, split)
    before = dict(zip(listed, accumulation.earlier(listed, layout.swept()), strict=True))
    chosen = shown(usable, splits, [before[entry] for entry in usable], layout.augmentation)
    stretch_of = dict(zip(usable, stretches(usable, split).tolist(), strict=True))
    work = partial(pairs.prepare, reader.read, root, source, layout)
    task = layout.roles()
    statistics = Statistics(task, len(listed), len(listed) - len(usable), splits.count("purged"), jumps, layout.swept())
    grids = GridsWriter(writer, grid, task)
    judge = Judge(source, listed)
    lost: dict[str, list[Entry]] = defaultdict(list)
    found = ordered(work, chosen, workers)
    for prepared, of_entry in zip(tqdm(found, "voxelize", len(chosen), mininterval=1.0), chosen, strict=True):
        if prepared.measured is not None:
            judge.take(of_entry.entry, prepared.measured)
        for pair, view in zip(prepared.pairs, of_entry.views, strict=True):
            statistics.take(pair, view.split)
            if pair is None:
                lost[view.split].append(view.entry)
            else:
                grids.append(pair.cells, view.split, stretch_of[view.entry])
    findings = judge.found()
    for warning in warnings(findings):
        logging.warning("voxelize: %s", warning)
    skipped.require_frames(grids.frames, lost, reader.read, root, source)
    made_with = {"source": asdict(source), "grid": asdict(layout), "split": asdict(split)}
    parents = {"raw": files.digest(root)}
    grids.seal(made_with, layout.scaling, source.ego_motion, layout.ground_m(), layout.swept(), parents)
    stamps.write(listed, table)
    return {**statistics.summary(), "findings": by_name(findings)}
