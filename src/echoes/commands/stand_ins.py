"""Artifacts that stand in for those of a track, before there are any: the shapes that params.yaml asks for."""

from collections.abc import Mapping
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from echoes import arrays, latentstore, seeds
from echoes.autoencoder.architecture import Autoencoder
from echoes.autoencoder.latents import Whitening
from echoes.dataset import catalog
from echoes.dataset.frames import SPLITS
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.grids import Grid
from echoes.latentstore import LatentStore
from echoes.provenance import Header
from echoes.rasters.cells import Cells, pack
from echoes.rasters.complex_stft import ComplexStftParams
from echoes.readers.recordings import RecordingEntry
from echoes.tasks import POINTS
from echoes.voxelization.cloud_grids import FrameCells, GridsWriter
from echoes.voxelization.cloud_params import GridParams
from echoes.voxelization.sections import Layout
from echoes.voxelization.spectrogram_grids import SpectrogramsWriter
from echoes.voxelization.spectrograms import SpectrogramParams

OCCUPIED = 0.02  # of the cells of a cloud, as in View-of-Delft
LABELS = {"class": 10}  # where no recordings tell them


def grids(layout: Layout, source: Any, labels: Mapping[str, int], path: Path) -> Grids | Spectrograms:
    """grids.zarr at `path` with one frame in each split.

    labels  kind -> number of labels, of spectrograms.
    """
    with arrays.writing(path) as writer:
        if isinstance(layout, GridParams):
            clouds = GridsWriter(writer, layout.grid(), layout.roles())
            for number, split in enumerate(SPLITS):
                clouds.append(_frame(layout, number), split, number)
            clouds.seal({}, layout.scaling, source.ego_motion, layout.ground_m(), layout.swept(), {})
        else:
            channels, recorded = _channels(layout, source), _recorded(labels)
            crops = SpectrogramsWriter(writer, layout.axes(), recorded)
            shape = tuple(axis.size for axis in layout.axes())
            for one in recorded:
                crops.append(one, [0.0] * len(SPLITS), SPLITS, np.zeros((len(SPLITS), channels, *shape), np.float32))
            crops.seal({}, layout.told(), {})
    return catalog.read(path)


def _channels(layout: SpectrogramParams, source: Any) -> int:
    if isinstance(layout, ComplexStftParams):
        return 2
    return 3 if source.reader == "images" and source.colour == "rgb" else 1


def _frame(layout: GridParams, number: int) -> FrameCells:
    """Cells at random places, in which nothing was measured."""
    grid, task = layout.grid(), layout.roles()
    cells = _cells(grid, number)
    given, target = (Cells(cells, np.zeros((len(cells), len(c) - 1), np.float32)) for c in (task.input, task.target))
    seen = seeds.rng(number, "observed").random(grid.shape) < 0.5
    points, wanted = (np.zeros((1, len(of)), np.float32) for of in (POINTS[task.given], task.target_columns))
    nowhere = np.array([0.0, 0.0, grid.axes[0].start - layout.ground_m() - 1.0])
    offsets = np.zeros((len(cells), 3), np.float32)
    return FrameCells(str(number), 0.0, given, target, offsets, pack(seen), points, wanted, nowhere)


def _cells(grid: Grid, number: int) -> np.ndarray:
    """(M, 3) indices in the order of their flat index."""
    count = prod(grid.shape)
    places = np.sort(seeds.rng(number, "cells").choice(count, max(1, round(OCCUPIED * count)), replace=False))
    dtype = np.uint8 if max(grid.shape) <= 256 else np.uint16
    return np.stack(np.unravel_index(places, grid.shape), axis=1).astype(dtype)


def _recorded(labels: Mapping[str, int]) -> list[RecordingEntry]:
    """One recording for each label of the kind that has most; the other kinds take turns."""
    most = max(labels.values())
    return [RecordingEntry(str(i), {kind: str(i % n) for kind, n in labels.items()}, 1.0) for i in range(most)]


def latents(data: Grids | Spectrograms, vae: Autoencoder, path: Path) -> LatentStore:
    """Latents at `path` of all frames of `data`, zeros in the shape that the autoencoder gives."""
    shape = vae.latent_shape(data.shape)
    rows = np.zeros((len(data), *shape), np.float32)
    names = [f"{name}{ending}" for name in ("latents", "std", "cond") for ending in ("", "_mirrored")]
    content = {
        **data.metadata,
        "channels": data.channels,
        "latent_shape": list(shape),
        "compression": vae.compression,
        "whitening": asdict(Whitening((0.0,) * shape[0], (1.0,) * shape[0])),
    }
    header = Header("latents", {}, {"grids": data.header.identity}, content)
    latentstore.write(path, "safetensors", iter([dict.fromkeys(names, rows)]), lambda: header)
    return latentstore.read(path)
