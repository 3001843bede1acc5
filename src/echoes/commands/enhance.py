"""Command enhance: radar frames of a recording -> one dense cloud per frame, in a folder."""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from echoes import files, params
from echoes.commands.enhancer import Enhancer
from echoes.commands.folders import check_replaceable
from echoes.commands.outputs import INDEX, Format, Row, write_index, written
from echoes.commands.sources import listed
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.rasters import voxels
from echoes.rasters.voxels import Cells
from echoes.readers import clocks
from echoes.readers.choice import READERS, Source
from echoes.readers.frames import Entry
from echoes.training import device
from echoes.voxelization import pairs
from echoes.voxelization.parallel import ordered

Item = TypeVar("Item")

BATCH = 16  # frames in the network at once


def enhance(track: str, root: Path, output: Path, steps: int, form: Format, overwrite: bool) -> str:
    """Write the clouds of the recording `root` and their index to the folder `output`; gives what to tell of it.

    Raises InputError, and leaves nothing behind, where the recording, the track or `output` cannot be used.
    """
    output = output.resolve()
    check_replaceable(output, INDEX, overwrite)
    source = params.load(Source, f"{track}.source")
    entries = listed(root, source)
    enhancer = Enhancer(Path("data", track), steps, device.best())
    if source.ego_motion != enhancer.ego_motion:
        key = f"{track}.source.ego_motion"
        raise InputError(f"{key}: expected {enhancer.ego_motion}, as the track was trained, got {source.ego_motion}")
    work = partial(radar_cells, READERS[source.reader].read, root, source, enhancer.grid)
    rows: list[Row] = []
    network_s: list[float] = []  # per frame
    start = time.perf_counter()
    with files.replacing(output) as folder, tqdm(total=len(entries), desc="enhance", mininterval=1.0) as bar:
        folder.mkdir()
        found = zip(entries, ordered(work, entries, source.workers, source.scheduler), strict=True)
        for batch in batches(found, BATCH):
            clouds, seconds = enhanced(enhancer, [cells for _, (cells, _) in batch], len(rows))
            for (entry, (_, velocity)), cloud in zip(batch, clouds, strict=True):
                rows.append(written(cloud, folder, entry, len(rows), form, velocity))
            network_s += [seconds] * sum(cloud is not None for cloud in clouds)
            bar.update(len(batch))
        if not network_s:
            raise InputError(
                f"{root}: expected radar points inside the grid of {track}, got none in {len(rows)} frames"
            )
        write_index(rows, folder / INDEX)
    return told(rows, output, form, source, time.perf_counter() - start, median(network_s))


def radar_cells(read: Any, root: Path, source: Any, grid: Grid, entry: Entry) -> tuple[Cells | None, np.ndarray]:
    """The radar's cells of a frame as voxelize makes them, and the velocity taken out of its Doppler.

    None for a frame without points inside the grid, or without the ego velocity that its Doppler needs.
    """
    points, velocity = pairs.over_ground(read(root, source, entry), source, entry)
    return voxels.radar_cells(points, grid) if grid.cells(points)[1].any() else None, velocity


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """`items` in lists of `size`, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def enhanced(enhancer: Enhancer, cells: Sequence[Cells | None], first: int) -> tuple[list[np.ndarray | None], float]:
    """A cloud for each frame that has cells, and the seconds in the networks per cloud; `first` frame's number."""
    there = [i for i, c in enumerate(cells) if c is not None]
    clouds: list[np.ndarray | None] = [None] * len(cells)
    if not there:
        return clouds, 0.0
    made, seconds = enhancer.clouds([first + i for i in there], [c for c in cells if c is not None])
    for i, cloud in zip(there, made, strict=True):
        clouds[i] = cloud
    return clouds, seconds / len(there)


def told(rows: Sequence[Row], output: Path, form: Format, source: Any, seconds: float, network_s: float) -> str:
    """What was written, what was skipped, and how fast it went."""
    made = [row for row in rows if row.file]
    reference = "relative to the radar" if source.ego_motion == "none" else "over ground"
    lines = [
        f"{len(made)} clouds ({form}) and {INDEX} are in {output}",
        f"columns: x, y, z [m], power [dB], doppler [m/s {reference}, positive = receding], probability",
        f"{len(made) / seconds:.1f} frames/s in total, {1 / network_s:.1f} frames/s in the network alone",
    ]
    if skipped := len(rows) - len(made):
        lines.insert(1, f"{skipped} of {len(rows)} frames skipped: no points in the grid, or no ego velocity for them")
    jumps = clocks.told([row.entry for row in rows])
    return "\n".join([*lines, jumps] if jumps else lines)
