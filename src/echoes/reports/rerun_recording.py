"""Frames to look at -> a recording of Rerun, by its package `rerun-sdk`, written frame by frame.

All points as they are, those of each kind an entity of its own and of its own colour below `clouds`, and once more
below `uncertainty`, where a probability is told. Frames follow each other on the time line `frame`.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import rerun
from matplotlib import colormaps
from rerun import blueprint

from echoes import files
from echoes.reports.scenes import Layer, Picture, Scene

KINDS, SCALE = "tab10", "viridis"  # colormaps of the kinds of points, and from sure to undecided
MOST = 0.5  # the deviation of a yes or no that is undecided

Entity = tuple[str, ...]  # the parts of its path


def write(title: str, view: Mapping[str, Any], scenes: Iterable[Scene], path: Path) -> int:
    """Write the recording; gives how many frames it has. view: as `reports.scenes.write` takes it.

    Nothing is left behind where a frame cannot be made.
    """
    count, known = 0, set[Entity]()
    with files.replacing(path) as temporary:
        recording = rerun.RecordingStream("echoes")
        recording.save(temporary, default_blueprint=_layout() if "camera" in view else None)
        recording.send_recording_name(title)
        for scene in scenes:
            recording.set_time("frame", sequence=count)
            told = entities(scene, float(view.get("size", 0)) / 2)
            for gone in known - told.keys():
                recording.log(list(gone), rerun.Clear(recursive=False), strict=True)
            for entity, what in told.items():
                recording.log(list(entity), what, strict=True)
            known |= told.keys()
            count += 1
        recording.flush()
        recording.disconnect()
    return count


def entities(scene: Scene, radius_m: float) -> dict[Entity, Any]:
    """Path -> what is shown there in a frame; points are balls of that radius."""
    found: dict[Entity, Any] = {("title",): rerun.TextDocument(scene.title)}
    for i, layer in enumerate(scene.layers):
        colour = np.uint8(255 * np.array(colormaps[KINDS](i % 10)))
        found["clouds", layer.name] = rerun.Points3D(layer.points, colors=colour, radii=radius_m)
        if (unsure := uncertainty(layer)) is not None:
            colours = colormaps[SCALE](unsure / MOST, bytes=True)
            found["uncertainty", layer.name] = rerun.Points3D(layer.points, colors=colours, radii=radius_m)
        told = {name: number for name, number in layer.numbers.items() if isfinite(number)}
        found |= {("numbers", name, layer.name): rerun.Scalars(number) for name, number in told.items()}
    return found | {("spectrograms", one.name): rerun.Image(pixels(one)) for one in scene.pictures}


def uncertainty(layer: Layer) -> np.ndarray | None:
    """(N,) what several samples differ in, where there were some, else the deviation of a yes or no of the probability;
    None where none is told.
    """
    if "spread" in layer.values:
        return layer.values["spread"]
    if "probability" not in layer.values:
        return None
    share = layer.values["probability"].clip(0, 1)
    deviation: np.ndarray = np.sqrt(share * (1 - share))
    return deviation


def pixels(one: Picture) -> np.ndarray:
    """(F, T) or (F, T, 3) uint8, the highest velocity on top."""
    shades = np.rint((one.values.clip(-1, 1) + 1) / 2 * 255).astype(np.uint8)[:, ::-1]
    return shades[0] if len(shades) == 1 else np.moveaxis(shades, 0, 2)


def _layout() -> Any:
    """Clouds beside how unsure they are, above what is measured of each frame."""
    clouds, unsure = (blueprint.Spatial3DView(origin=f"/{name}", name=name) for name in ("clouds", "uncertainty"))
    title, numbers = blueprint.TextDocumentView(origin="/title"), blueprint.TimeSeriesView(origin="/numbers")
    below = blueprint.Horizontal(title, numbers, column_shares=[1, 3])
    return blueprint.Blueprint(blueprint.Vertical(blueprint.Horizontal(clouds, unsure), below, row_shares=[4, 1]))
