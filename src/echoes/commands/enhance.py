"""Command enhance: radar frames of a recording -> one dense cloud per frame, in a folder."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from echoes import files
from echoes.commands import against_lidar
from echoes.commands.against_lidar import AgainstLidar
from echoes.commands.chosen import Model
from echoes.commands.folders import check_replaceable
from echoes.commands.outputs import INDEX, Format, Row, write_index, written
from echoes.commands.sources import listed
from echoes.compute.device import best_device
from echoes.compute.parallel import ordered
from echoes.compute.precision import Precision
from echoes.compute.tiles import Tiles
from echoes.errors import InputError
from echoes.evaluation.points import Region
from echoes.grids import Grid
from echoes.inference import columns
from echoes.inference.enhancer import Choice, Enhancer, RadarFrame
from echoes.judging.found import warnings
from echoes.judging.judge import FRAMES, Judge, evenly, measured
from echoes.judging.measurements import Measurements
from echoes.models.radar import readout
from echoes.models.radar.familiarity import Recording
from echoes.rasters.ground import Ground
from echoes.rasters.sweeps import Sweeps
from echoes.readers import clocks
from echoes.readers.catalog import READERS
from echoes.readers.frames import Entry
from echoes.voxelization import accumulation

Item = TypeVar("Item")

BATCH = 16  # frames in the network at once


@dataclass(frozen=True)
class Wanted:
    """steps: calls of the latent model for a sample; choice to tiles: as `Enhancer` takes them; form: of files."""

    steps: int
    choice: Choice
    samples: int
    member: int
    blend: float | None
    mirror: bool
    precision: Precision
    tiles: Tiles
    form: Format


@dataclass(frozen=True)
class Prepared:
    """A frame of a recording. radar: None where it cannot be enhanced; truth: None where there is no LiDAR.

    measured  what the frame tells of itself, None where that is not asked for.
    """

    radar: RadarFrame | None
    velocity: np.ndarray
    truth: tuple[np.ndarray, Region] | None
    measured: Measurements | None


def enhance(model: Model, root: Path, output: Path, wanted: Wanted, overwrite: bool) -> str:
    """Write the clouds of the recording `root` and their index to the folder `output`; gives what to tell of it.

    Where the recording has a LiDAR, that includes how near to it the clouds and their radar are; and what is not sane
    in the recording, as `echoes inspect` tells it.

    Raises InputError, and leaves nothing behind, where the recording, the model or `output` cannot be used.
    """
    output = output.resolve()
    check_replaceable(output, INDEX, overwrite)
    reading = model.reading()
    source = reading.source
    entries = listed(root, source)
    enhancer = loaded(model.folder, wanted)
    reading.require_ego_motion(enhancer.ego_motion)
    accumulation.require_motion(source, entries, enhancer.sweeps, f"{reading.section}grid.sweeps.count")
    judged = set(evenly(len(entries), FRAMES))
    earlier = accumulation.earlier(entries, enhancer.sweeps)
    listing = [(entry, past, i in judged) for i, (entry, past) in enumerate(zip(entries, earlier, strict=True))]
    work = partial(prepared, READERS[source.reader].read, root, source, enhancer.grid, enhancer.sweeps, reading.ground)
    against, unlike, judge = AgainstLidar(enhancer.grid.diagonal_m), Recording(enhancer.seen), Judge(source, entries)
    rows: list[Row] = []
    network_s: list[float] = []  # per frame
    start = time.perf_counter()
    with files.replacing(output) as folder, tqdm(total=len(entries), desc="enhance", mininterval=1.0) as bar:
        folder.mkdir()
        found = zip(entries, ordered(work, listing, reading.workers), strict=True)
        for batch in batches(found, BATCH):
            clouds, seconds = enhanced(enhancer, [frame.radar for _, frame in batch], len(rows))
            for (entry, frame), cloud in zip(batch, clouds, strict=True):
                if frame.measured is not None:
                    judge.take(entry, frame.measured)
                rows.append(written(cloud, folder, entry, len(rows), wanted.form, frame.velocity))
                if frame.radar is not None and cloud is not None:
                    unlike.take(frame.radar.cells, enhancer.grid)
                    if frame.truth is not None:
                        against.take(frame.radar.points, columns.rows(cloud), *frame.truth)
            network_s += [seconds] * sum(cloud is not None for cloud in clouds)
            bar.update(len(batch))
        if not network_s:
            raise InputError(
                f"{root}: expected radar points inside the grid of {model.name}, got none in {len(rows)} frames"
            )
        write_index(rows, folder / INDEX)
    lines = told(rows, output, wanted.form, enhancer.columns, source, time.perf_counter() - start, median(network_s))
    helps = readout.told(enhancer.fusion.readout) if wanted.choice == "fused" else []
    return "\n".join([*lines, *helps, *unlike.told(), *against.told(), *warnings(judge.found())])


def loaded(folder: Path, wanted: Wanted) -> Enhancer:
    return Enhancer.load(
        folder,
        readout=wanted.choice,
        steps=wanted.steps,
        samples=wanted.samples,
        member=wanted.member,
        blend=wanted.blend,
        mirror=wanted.mirror,
        precision=wanted.precision,
        tiles=wanted.tiles,
        device=best_device(),
    )


def prepared(
    read: Any,
    root: Path,
    source: Any,
    grid: Grid,
    swept: Sweeps | None,
    settings: Ground,
    wanted: tuple[Entry, tuple[Entry, ...], bool],
) -> Prepared:
    """The radar of a frame as voxelize takes it, the velocity taken out of its Doppler, and its LiDAR.

    swept   which earlier frames go in, too; wanted: an entry, the earlier ones, and whether it is to tell of itself.

    No radar for a frame without points inside the grid, or without the ego velocity that its Doppler needs.
    """
    entry, past, judged = wanted
    frame = read(root, source, entry)
    of_itself = measured(frame, source, entry) if judged else None
    found = accumulation.of_frames([(frame, entry), *((read(root, source, e), e) for e in past)], source, swept)
    if not grid.cells(found.points)[1].any():
        return Prepared(None, found.velocity, None, of_itself)
    radar = RadarFrame(found.cells(grid), found.points)
    return Prepared(radar, found.velocity, against_lidar.truth(frame.target, settings, grid), of_itself)


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """`items` in lists of `size`, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def enhanced(
    enhancer: Enhancer, radar: Sequence[RadarFrame | None], first: int
) -> tuple[list[np.ndarray | None], float]:
    """A cloud for each frame that has cells, and the seconds in the networks per cloud; `first` frame's number."""
    there = [i for i, frame in enumerate(radar) if frame is not None]
    clouds: list[np.ndarray | None] = [None] * len(radar)
    if not there:
        return clouds, 0.0
    made, seconds = enhancer.timed([frame for frame in radar if frame is not None], [first + i for i in there])
    for i, cloud in zip(there, made, strict=True):
        clouds[i] = cloud
    return clouds, seconds / len(there)


def told(
    rows: Sequence[Row],
    output: Path,
    form: Format,
    names: Sequence[str],
    source: Any,
    seconds: float,
    network_s: float,
) -> list[str]:
    """What was written, what was skipped, and how fast it went."""
    made = [row for row in rows if row.file]
    reference = "relative to the radar" if source.ego_motion == "none" else "over ground"
    lines = [
        f"{len(made)} clouds ({form}) and {INDEX} are in {output}",
        f"columns: x, y, z [m], power [dB], doppler [m/s {reference}, positive = receding], {', '.join(names[5:])}",
        f"{len(made) / seconds:.1f} frames/s in total, {1 / network_s:.1f} frames/s in the network alone",
    ]
    if skipped := len(rows) - len(made):
        lines.insert(1, f"{skipped} of {len(rows)} frames skipped: no points in the grid, or no ego velocity for them")
    jumps = clocks.told([row.entry for row in rows])
    return [*lines, jumps] if jumps else lines
