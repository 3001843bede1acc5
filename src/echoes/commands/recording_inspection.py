"""Command inspect, of micro-Doppler recordings: are they sane, before anything is trained on them?"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from echoes import params
from echoes.commands.sources import workers
from echoes.compute.parallel import ordered
from echoes.errors import InputError
from echoes.judging.judge import evenly
from echoes.judging.recordings import findings, is_short, label
from echoes.judging.signals import Traits, measure
from echoes.readers.catalog import RECORDINGS, family_of
from echoes.readers.recordings import Picture, RecordingEntry, Returns, Signal
from echoes.reports import spectrograms
from echoes.voxelization.crops import Crops, unsplit
from echoes.voxelization.spectrograms import SpectrogramParams, prepare

MOST_LABELS, MOST_PICTURES = 12, 4  # that are drawn, and of each label


def layout(track: str, path: Path) -> SpectrogramParams:
    """The section `grid` of a track of such recordings."""
    family_of(params.load(str, f"{track}.source.reader", path), f"{track}.source.reader")
    found: SpectrogramParams = params.load(SpectrogramParams, f"{track}.grid", path)
    return found


def inspect(root: Path, source: Any, grid: SpectrogramParams, most: int, picture: Path) -> str:
    """Read at most `most` recordings, evenly spread, draw some of them to `picture`; gives the report.

    Raises InputError, and draws nothing, where the recordings cannot be read. Where the grid of the track does not fit
    them, the report says so in place of the picture.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected a recording for the reader {source.reader}")
    reader = RECORDINGS[source.reader]
    recorded: list[RecordingEntry] = reader.index(root, source)
    if not recorded:
        raise InputError(f"{root}: expected recordings, got none")
    chosen = [recorded[i] for i in evenly(len(recorded), most)]
    work = partial(_measured, reader.read, root, source)
    read = list(tqdm(ordered(work, chosen, workers()), "inspect", len(chosen), mininterval=1.0))
    found = findings(recorded, {one.key: told for one, told in zip(chosen, read, strict=True)}, grid)
    title = f"{root}: reader {source.reader}, {len(chosen)} of {len(recorded)} recordings read"
    return f"{title}\n\n{found.text()}\n\n{_drawn(root, source, recorded, grid, picture)}"


def _measured(
    read: Callable[[Path, Any, RecordingEntry], Signal | Returns | Picture],
    root: Path,
    source: Any,
    one: RecordingEntry,
) -> Traits:
    return measure(read(root, source, one))


def _drawn(root: Path, source: Any, recorded: Sequence[RecordingEntry], grid: SpectrogramParams, picture: Path) -> str:
    """Draw the crop in the middle of some recordings of each label; gives a line that says so, or why there is none."""
    rows: dict[str, dict[str, np.ndarray]] = {}
    usable = [one for one in recorded if not is_short(one, grid)]
    labels = dict.fromkeys(label(one) for one in usable)
    try:
        for name in list(labels)[:MOST_LABELS]:
            of_label = [one for one in usable if label(one) == name]
            shown = [_middle(root, source, one, grid) for one in of_label[:MOST_PICTURES]]
            rows[name] = {"recorded": np.stack(shown)}
    except InputError as error:
        return f"no picture: the grid of the track does not fit: {error}"
    if not rows:
        return "no picture: no recording is as long as a crop"
    velocity, time = grid.axes()
    spectrograms.side_by_side(rows, spectrograms.View(velocity, time, (grid.floor_db, grid.ceiling_db)), picture)
    more = f" of {len(labels)}" if len(labels) > MOST_LABELS else ""
    return f"up to {MOST_PICTURES} recordings of {len(rows)}{more} labels, as the track would have them: {picture}"


def _middle(root: Path, source: Any, one: RecordingEntry, grid: SpectrogramParams) -> np.ndarray:
    """(C, F, T) in network range."""
    numbers = unsplit(one, grid).numbers
    crop = Crops(one, (numbers[len(numbers) // 2],), ("",))
    held = prepare(RECORDINGS[source.reader].read, root, source, grid, crop)
    return np.asarray(grid.powers(held)[0])
