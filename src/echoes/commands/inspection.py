"""Command inspect: is a recording sane, before anything is trained on it?"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from echoes.commands.sources import listed, workers
from echoes.compute.parallel import ordered
from echoes.errors import InputError
from echoes.judging.findings import findings
from echoes.judging.judge import evenly, measured
from echoes.judging.measurements import Measurements
from echoes.readers.catalog import READERS
from echoes.readers.frames import Entry, Frame
from echoes.reports import figures


def inspect(root: Path, source: Any, most: int, picture: Path) -> str:
    """Read at most `most` frames, evenly spread, draw one of them to `picture`; gives the report.

    Raises InputError, and draws nothing, where the recording cannot be read or has no radar points.
    """
    entries, reader = listed(root, source), READERS[source.reader]
    chosen = [entries[i] for i in evenly(len(entries), most)]
    work = partial(_gathered, reader.read, root, source)
    read = list(tqdm(ordered(work, chosen, workers()), "inspect", len(chosen), mininterval=1.0))
    shown = [i for i, found in enumerate(read) if len(found.radar)]
    if not shown:
        raise InputError(f"{root}: expected radar points, got none in {len(chosen)} frames")
    entry = chosen[shown[len(shown) // 2]]
    frame = reader.read(root, source, entry)
    target = np.zeros((0, 4)) if frame.target is None else frame.target
    figures.overlay(frame.radar, target, [box.outline() for box in frame.boxes], picture)
    title = f"{root}: reader {source.reader}, {len(chosen)} of {len(entries)} frames read"
    drawn = f"radar over target from above, {entry.sequence} at {entry.stamp:.3f} s: {picture}"
    return f"{title}\n\n{findings(entries, read, source.doppler).text()}\n\n{drawn}"


def _gathered(read: Callable[[Path, Any, Entry], Frame], root: Path, source: Any, entry: Entry) -> Measurements:
    return measured(read(root, source, entry), source, entry)
