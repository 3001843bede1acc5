"""The test split of a track to look at: what goes in, what was made of it, and what was there."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from echoes import provenance
from echoes.arrays import Reader
from echoes.commands import worst
from echoes.commands.shows import RATE, Show, of_space
from echoes.dataset import catalog
from echoes.dataset.frames import evenly_spaced
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.models.microdoppler import comparison as of_spectrograms
from echoes.models.radar import comparison as of_clouds
from echoes.models.radar.clouds import POINT_COLUMNS
from echoes.reports.scenes import Layer, Picture, Scene

MADE = {"posterior_mean": "posterior mean", "fused": "fused", "cd_1": "sample"}  # of the rows of evaluate
NUMBERS = {"chamfer_m": "Chamfer m", "f1@1.0m": "F1 @1m"}  # of points
POINT = 0.5  # of the width of a cell

Measured = Mapping[tuple[int, str], Mapping[str, float]]  # frame, method -> NUMBERS


def show(track: str, project: Path, most: int) -> Show:
    """At most `most` test frames that the stage sample made clouds or spectrograms of.

    Raises InputError where the track has no samples that belong to its grids.
    """
    data = project / "data" / track
    for name in ("grids.zarr", "samples.zarr"):
        if not (data / name).is_dir():
            raise InputError(f"{data / name}: no such artifact; `dvc repro sample@{track}` makes it")
    grids = catalog.read(data / "grids.zarr")
    if isinstance(grids, Spectrograms):
        return _spectrograms(track, grids, data / "samples.zarr", most)
    return _clouds(track, grids, data / "samples.zarr", project / "metrics" / track, most)


def _clouds(track: str, grids: Grids, path: Path, metrics: Path, most: int) -> Show:
    samples = of_clouds.Samples(path, grids)
    measured = _measured(metrics, Reader(path, "samples").header.identity)
    places = worst.places(grids.path)
    chosen = evenly_spaced(np.arange(len(samples.frames)), most).tolist()

    def scenes() -> Iterator[Scene]:
        for i in chosen:
            frame = int(samples.frames[i])
            sequence, stamp = places[frame]
            yield Scene(f"frame {frame}, {sequence} at {stamp} s", _layers(samples, grids, i, measured))

    z, y, x = grids.grid.axes
    low, high = (np.array([getattr(axis, end) for axis in (x, y, z)]) for end in ("start", "stop"))
    view = of_space(low, high, POINT * float(grids.grid.widths.min()))
    notes = [] if measured else ["without numbers of frames, as the stage evaluate has not measured these samples"]
    return Show(f"{track}: test split", view, scenes(), len(chosen), len(samples.frames), notes)


def _layers(samples: of_clouds.Samples, grids: Grids, i: int, measured: Measured) -> list[Layer]:
    """What goes in, what was made and the target of the i-th frame of the samples."""
    frame, given = int(samples.frames[i]), grids.task.given
    layers = []
    values: dict[str, np.ndarray]
    for method, name in {given: of_clouds.TITLES[given], **MADE}.items():
        if method not in samples.methods:
            continue
        points = samples.points(method, i)
        columns = dict(zip(POINT_COLUMNS, points.T, strict=True))
        values = {quantity: columns[quantity] for quantity in _known(method, given)}
        layers.append(Layer(name, points[:, :3], values, measured.get((frame, method), {})))
    points, known = grids.points("target", frame), grids.task.target_columns
    values = {q: points[:, known.index(q)] for q in ("power", "doppler") if q in known}
    name = "radar, measured" if grids.task.makes_radar else of_clouds.TITLES["lidar"]
    return [*layers, Layer(name, points[:, :3], values)]


def _known(method: str, given: str) -> tuple[str, ...]:
    """What is told of the points of a method: of those that go in, what their sensor measures."""
    if method == given:
        return ("power", "doppler") if given == "radar" else ()
    return ("power", "doppler", "probability")


def _measured(metrics: Path, samples: str) -> Measured:
    """The numbers of each frame and method, of points; nothing unless evaluate measured these samples, an identity."""
    table, header = metrics / worst.TABLE, metrics / "provenance.json"
    if not table.is_file() or not header.is_file():
        return {}
    if provenance.read(header, "evaluation").parents.get("samples") != samples:
        return {}
    rows = pd.read_csv(table)
    rows = rows[rows["protocol"] == of_clouds.POINTS]
    numbers = [{NUMBERS[str(key)]: value for key, value in row.items()} for row in rows[[*NUMBERS]].to_dict("records")]
    return dict(zip(zip(rows["frame"], rows["method"], strict=True), numbers, strict=True))


def _spectrograms(track: str, data: Spectrograms, path: Path, most: int) -> Show:
    samples, stored = of_spectrograms.Samples(path, data), Reader(path, "samples")
    tests = data.frames("test")
    chosen = evenly_spaced(tests, most)
    names = list(data.label_names.values())

    def scenes() -> Iterator[Scene]:
        shown: dict[bytes, int] = {}  # labels -> how many real ones were shown, so that no generated one comes twice
        for frame in chosen.tolist():
            (labels,) = data.labels([frame])
            alike, turn = np.flatnonzero((samples.labels == labels).all(axis=1)), shown.get(labels.tobytes(), 0)
            shown[labels.tobytes()] = turn + 1
            pictures = [Picture("real", data.powers(data.target_batch([frame]))[0])]
            if len(alike):
                i = int(alike[turn % len(alike)])
                made = ((name, data.powers(stored.rows(name, i, i + 1))[0]) for name in samples.generated)
                pictures += [Picture(name, values.astype(np.float32)) for name, values in made]
            told = " ".join(of_kind[label] for of_kind, label in zip(names, labels, strict=True))
            yield Scene(f"{told}, crop {frame}", pictures=pictures)

    directions = {"Up": data.velocity, "Right": data.time}
    axes = " ".join(f"{way}: {a.name} {a.start:g} to {a.stop:g} {a.unit}." for way, a in directions.items())
    view = {"rate": RATE, "ends": [data.floor_db, data.ceiling_db], "axes": axes, "coloured": data.channels == 3}
    return Show(f"{track}: real and generated", view, scenes(), len(chosen), len(tests), [])
