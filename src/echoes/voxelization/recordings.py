"""Micro-Doppler recordings of a track -> crops of spectrograms with labels, and what was measured on the way."""

import csv
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from echoes import files
from echoes.arrays import Writer
from echoes.compute.parallel import ordered
from echoes.compute.workers import Workers
from echoes.errors import InputError
from echoes.evaluation import halves
from echoes.judging import recordings as judged
from echoes.judging.found import by_name, warnings
from echoes.judging.signals import Traits, measure
from echoes.rasters.spectrograms import CropLayout
from echoes.readers.catalog import RECORDINGS, Source
from echoes.readers.frames import Entry
from echoes.readers.recordings import Picture, RecordingEntry, Returns, Signal
from echoes.readers.splits import BySequence, ByStretch, ByUser, LabelledSplit, assign_labelled, assign_users
from echoes.voxelization import crops, spectrograms
from echoes.voxelization.cloud_params import GridParams
from echoes.voxelization.crops import Crops
from echoes.voxelization.sections import Layout, Split
from echoes.voxelization.spectrogram_grids import SpectrogramsWriter
from echoes.voxelization.spectrograms import SpectrogramParams

FINDINGS: Mapping[str, str] = judged.FINDINGS
USER = "user"  # the kind of label that tells whose a recording is


def require(track: str, reader: str, layout: Layout, split: Split) -> None:
    """Raises InputError for the grid or the split of another family."""
    if isinstance(layout, GridParams):
        wanted = "stft, stft_complex, doppler_time or picture"
        raise InputError(f"{track}.grid.raster: expected {wanted} for the reader {reader}, got {layout.raster}")
    if isinstance(split, BySequence | ByStretch):
        wanted = "recording, few, user or time"
        raise InputError(f"{track}.split.by: expected {wanted} for the reader {reader}, got {split.by}")


def write(
    root: Path,
    source: Source,
    layout: SpectrogramParams,
    split: LabelledSplit | ByUser,
    workers: Workers,
    writer: Writer,
    table: Path,
) -> dict[str, Any]:
    """Write the crops of all recordings of `root` to `writer` and a row of each to `table`.

    Gives the statistics, and under `findings` what is not sane in the recordings, which is told, too. One that is too
    short for a crop is left out.
    """
    reader = RECORDINGS[source.reader]
    recorded: list[RecordingEntry] = reader.index(root, source)
    if not recorded:
        raise InputError(f"{root}: expected recordings, got none")
    used = [one for one in recorded if not judged.is_short(one, layout)] or recorded
    every = crops.entries(used, layout)
    listed = moving(every, used, root, source, layout, workers)
    chosen = divided(used, listed, layout, split)
    purged = len(listed) - sum(len(one.numbers) for one in chosen)
    statistics = Statistics(len(recorded), len(every) - len(listed), purged)
    grids = SpectrogramsWriter(writer, layout.axes(), [one.recorded for one in chosen])
    require_comparable(chosen, grids.labels)
    work = partial(_prepared, reader.read, root, source, layout)
    traits: dict[str, Traits] = {}
    found = ordered(work, chosen, workers)
    for (rows, told), one in zip(tqdm(found, "voxelize", len(chosen), mininterval=1.0), chosen, strict=True):
        traits[one.recorded.key] = told
        grids.append(one.recorded, [crops.start_s(k, layout) for k in one.numbers], one.splits, rows)
        statistics.take(layout.powers(rows), one)
    made_with = {"source": asdict(source), "grid": asdict(layout), "split": asdict(split)}
    grids.seal(made_with, layout.told(), {"raw": files.digest(root)})
    write_table(recorded, chosen, table)
    findings = judged.findings(recorded, traits, layout).found
    for warning in warnings(findings):
        logging.warning("voxelize: %s", warning)
    return {**statistics.summary(), "findings": by_name(findings)}


def _prepared(
    read: Callable[[Path, Any, RecordingEntry], Signal | Returns | Picture],
    root: Path,
    source: Source,
    layout: SpectrogramParams,
    one: Crops,
) -> tuple[np.ndarray, Traits]:
    """The crops of a recording, and what it tells about itself."""
    held = read(root, source, one.recorded)
    return spectrograms.prepare(lambda *_: held, root, source, layout, one), measure(held)


def moving(
    every: list[Entry],
    recorded: Sequence[RecordingEntry],
    root: Path,
    source: Source,
    layout: SpectrogramParams,
    workers: Workers,
) -> list[Entry]:
    """The crops in which something moves, as `layout.quiet_db` says; with none set, all, and nothing is read.

    The recordings are read for it once more than for their crops: a split has to know what there is to divide,
    and no recording is kept in memory until it does. Raises InputError naming a label of which nothing moves.
    """
    if not isinstance(layout, CropLayout) or layout.quiet_db is None:
        return every
    work = partial(spectrograms.moving, RECORDINGS[source.reader].read, root, source, layout)
    found = ordered(work, [crops.unsplit(one, layout) for one in recorded], workers)
    loud = np.concatenate(list(tqdm(found, "find motion", len(recorded), mininterval=1.0)))
    kept = [entry for entry, moves in zip(every, loud, strict=True) if moves]
    _check_moving(recorded, {entry.sequence for entry in kept}, layout.quiet_db)
    return kept


def _check_moving(recorded: Sequence[RecordingEntry], found: set[str], quiet_db: float) -> None:
    labels = {one.key: tuple(one.labels.values()) for one in recorded}
    still = set(labels.values()) - {labels[key] for key in found}
    if still:
        told = f"expected a crop of {', '.join(min(still))} with a cell of {quiet_db:g} dB or more, got none"
        raise InputError(f"grid.quiet_db: {told}")


def divided(
    recorded: Sequence[RecordingEntry],
    listed: Sequence[Entry],
    layout: SpectrogramParams,
    split: LabelledSplit | ByUser,
) -> list[Crops]:
    """The crops of each recording that were not purged, with their splits; whose it is, is no label of a split by user.

    Raises InputError for a split by users whom nobody tells.
    """
    if not isinstance(split, ByUser):
        labels = {one.key: tuple(one.labels.values()) for one in recorded}
        splits = assign_labelled(listed, [labels[e.sequence] for e in listed], layout.time.stop, split)
        return crops.chosen(recorded, listed, splits)
    if USER not in recorded[0].labels:
        kinds = ", ".join(recorded[0].labels)
        raise InputError(f"split.by: expected recording, few or time for recordings labelled by {kinds}, got user")
    users = {one.key: one.labels[USER] for one in recorded}
    nameless = [replace(one, labels={k: v for k, v in one.labels.items() if k != USER}) for one in recorded]
    others = {one.key: tuple(one.labels.values()) for one in nameless}
    splits = assign_users(listed, [users[e.sequence] for e in listed], [others[e.sequence] for e in listed], split)
    return crops.chosen(nameless, listed, splits)


def require_comparable(chosen: Sequence[Crops], names: Mapping[str, list[str]]) -> None:
    """Raises InputError where the test split has too few crops for evaluate, which comes after everything is trained.

    names: of each kind of label, in the order that they are numbered in.
    """
    numbers = [[names[kind].index(name) for kind, name in one.recorded.labels.items()] for one in chosen]
    recordings = np.repeat(np.arange(len(chosen)), [one.splits.count("test") for one in chosen])
    halves.require_neighbours(np.array(numbers)[recordings], recordings)


class Statistics:
    """Sums over recordings as they come by."""

    def __init__(self, recordings: int, quiet: int, purged: int) -> None:
        self._counts = {"recordings": recordings, "crops_quiet": quiet, "crops_purged": purged}
        self._splits: Counter[str] = Counter()
        self._labels: Counter[tuple[str, ...]] = Counter()
        self._cells, self._sums = 0, {"mean_level": 0.0, "floor_share": 0.0, "ceiling_share": 0.0}

    def take(self, rows: np.ndarray, one: Crops) -> None:
        """rows (K, C, F, T) in network range, the crops of one recording."""
        self._splits.update(one.splits)
        self._labels[tuple(one.recorded.labels.values())] += len(rows)
        self._cells += rows.size
        self._sums["mean_level"] += float(rows.sum(dtype=np.float64))
        self._sums["floor_share"] += float((rows <= -1).sum())
        self._sums["ceiling_share"] += float((rows >= 1).sum())

    def summary(self) -> dict[str, float]:
        """Counts, crops of the rarest and of the most frequent label, and means over cells."""
        splits = {f"crops_{split}": count for split, count in sorted(self._splits.items())}
        labels = {"labels": len(self._labels)}
        labels |= {"crops_per_label_min": min(self._labels.values()), "crops_per_label_max": max(self._labels.values())}
        return {**self._counts, **splits, **labels, **{k: v / self._cells for k, v in self._sums.items()}}


def write_table(recorded: Sequence[RecordingEntry], chosen: Sequence[Crops], path: Path) -> None:
    """The labels, the duration [s] and the crops of every recording as CSV; `split` is none where no crop was kept."""
    kept = {one.recorded.key: one for one in chosen}
    with files.replacing(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["recording", *recorded[0].labels, "duration_s", "crops", "split"])
        for one in recorded:
            splits = kept[one.key].splits if one.key in kept else ()
            names = "+".join(sorted(set(splits))) or "none"
            table.writerow([one.key, *one.labels.values(), f"{one.duration_s:.3f}", len(splits), names])
