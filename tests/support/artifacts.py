"""Small artifacts for tests: grids of random cells or of labelled spectrograms, and latents of cells."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from echoes import arrays, latentstore, seeds
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.grids import Axis, Grid, Range
from echoes.provenance import Header
from echoes.rasters.cells import Cells, pack
from echoes.rasters.scaling import Scaling
from echoes.readers.recordings import RecordingEntry
from echoes.tasks import ENHANCE, Task
from echoes.voxelization.cloud_grids import FrameCells, GridsWriter
from echoes.voxelization.spectrogram_grids import SpectrogramsWriter

GRID = Grid.of(z=Range(-4.0, 4.0, 8), y=Range(-8.0, 8.0, 16), x=Range(0.0, 8.0, 8))
LATENT_SHAPE = (4, 2, 4, 2)
SCALING = Scaling(power_db=(40.0, 100.0), doppler_mps=10.0)
SPLITS = ("train",) * 7 + ("val",) * 3 + ("test",) * 4
VELOCITY, TIME = Axis("velocity", "m/s", -4.0, 4.0, 16), Axis("time", "s", 0.0, 1.6, 16)
POWERS = {"scaling": {"floor_db": -40.0, "ceiling_db": 0.0}}
USERS, ACTIVITIES, DRONE = ("1", "3"), ("fall", "walk"), ("drone", "fly")
LABELS = [(user, activity) for user in USERS for activity in ACTIVITIES] + [DRONE]
ROUNDS = ("train", "train", "train", "val", "test", "test")  # a recording of each combination of labels
CELLS = np.stack(np.unravel_index(np.arange(8 * 16 * 8), GRID.shape), axis=1).astype(np.uint8)


def radar(frame: int) -> Cells:
    rng = seeds.rng(0, "radar", frame)
    chosen = np.sort(rng.choice(len(CELLS), 20 + frame, replace=False))
    power, doppler = rng.uniform(40, 100, len(chosen)), rng.normal(0, 5, len(chosen))
    return Cells(CELLS[chosen], np.stack([power, doppler, rng.exponential(1, len(chosen))], 1).astype(np.float32))


def target(frame: int) -> Cells:
    rng = seeds.rng(0, "target", frame)
    chosen = np.sort(rng.choice(len(CELLS), 40, replace=False))
    valid = rng.random(len(chosen)) < 0.5
    measured = rng.random(len(chosen)), rng.normal(0, 5, len(chosen)) * valid, valid, rng.uniform(40, 90, 40) * valid
    return Cells(CELLS[chosen], np.stack(measured, 1).astype(np.float32))


def observed(frame: int) -> np.ndarray:
    """(D, H, W) bool: all target cells and half of the others."""
    mask = seeds.rng(0, "observed", frame).random(GRID.shape) < 0.5
    mask[tuple(target(frame).indices.T)] = True
    return mask


def offsets(frame: int) -> np.ndarray:
    """(M, 3) in cells, where the returns of the target lie in their cells."""
    return seeds.rng(0, "offsets", frame).uniform(-0.5, 0.5, (len(target(frame).indices), 3)).astype(np.float32)


def lidar_to_radar(frame: int) -> FrameCells:
    """The same frame the other way round: the reflectivity of the target's cells goes in, the radar is to come out."""
    cells, of_radar = frame_cells(frame), radar(frame)
    lidar = Cells(cells.target.indices, cells.target.features[:, :1])
    points = np.column_stack([cells.target_points, lidar.features[:, 0]])
    return replace(
        cells,
        input=lidar,
        target=of_radar,
        offsets=np.zeros((len(of_radar.indices), 3), np.float32),
        observed=pack(np.ones(GRID.shape, bool)),
        input_points=points,
        target_points=cells.input_points,
    )


def frame_cells(frame: int) -> FrameCells:
    """A frame whose points are one for each cell, above a level ground at -5 m."""
    of_radar, of_target = radar(frame), target(frame)
    measured = of_radar.features[:, 1::-1]
    radar_points = np.column_stack([GRID.centres(of_radar.indices), measured]).astype(np.float32)
    target_points = GRID.positions(of_target.indices, offsets(frame)).astype(np.float32)
    bits, plane = pack(observed(frame)), np.array([0.0, 0.0, -5.0])
    name, stamp = f"street-{frame // 5}", 0.1 * (frame % 5)
    return FrameCells(name, stamp, of_radar, of_target, offsets(frame), bits, radar_points, target_points, plane)


def write_grids(path: Path, splits: tuple[str, ...] = SPLITS, raw: str = "r", task: Task = ENHANCE) -> Grids:
    """One frame for each of `splits`, in sequences of five; raw: digest of the recordings."""
    with arrays.writing(path) as writer:
        grids = GridsWriter(writer, GRID, task)
        for i, split in enumerate(splits):
            grids.append((frame_cells if task is ENHANCE else lidar_to_radar)(i), split, i // 5)
        grids.seal({"source": {"reader": "simulated"}}, SCALING, "recorded", 0.3, None, {"raw": raw})
    return Grids(path)


def write_latents(path: Path, grids: Grids) -> latentstore.LatentStore:
    """Random latents of every frame, as float16 holds them; their headers name the grids as parent."""

    def batch() -> dict[str, np.ndarray]:
        rows = {}
        for name in ("latents", "std", "cond", "latents_mirrored", "std_mirrored", "cond_mirrored"):
            drawn = seeds.rng(0, name).standard_normal((len(grids), *LATENT_SHAPE))
            rows[name] = np.abs(drawn) if name.startswith("std") else drawn
        return rows

    content = {
        "latent_shape": list(LATENT_SHAPE),
        "task": grids.header.content["task"],
        "whitening": {"mean": [0.0, 1.0, -1.0, 2.0], "std": [1.0, 0.5, 2.0, 1.0]},
    }
    parents = {"grids": grids.header.identity, "vae": "v"}
    latentstore.write(path, "safetensors", iter([batch()]), lambda: Header("latents", {}, parents, content))
    return latentstore.read(path)


def spectrograms(recording: int, user: str, activity: str, channels: int = 1) -> np.ndarray:
    """(2, C, F, T) crops in network range: a line at the height of the user that moves as the activity does."""
    rng = seeds.rng(0, "spectrogram", recording, user, activity)
    height, swing = {"1": 3.0, "3": 8.0, "drone": 12.0}[user], {"fall": 0.0, "walk": 2.0, "fly": 1.0}[activity]
    frames, phase = np.arange(TIME.size), rng.uniform(0, 2 * np.pi, (2, 1))
    line = height + swing * np.sin(0.8 * frames + phase)
    distance = np.arange(VELOCITY.size)[:, None] - line[:, None]
    powers = 1.6 * np.exp(-(distance**2) / 2) - 1 + rng.uniform(0, 0.2, distance.shape)
    return np.repeat(powers[:, None], channels, axis=1).astype(np.float32)


def write_spectrograms(path: Path, channels: int = 1, raw: str = "r") -> Spectrograms:
    """Two crops of each recording of LABELS; a recording lies in one split, and a drone never falls."""
    recorded = [
        (i, RecordingEntry(f"{user}-{activity}-{i}", {"user": user, "activity": activity}, 3.2))
        for user, activity in LABELS
        for i in range(len(ROUNDS))
    ]
    with arrays.writing(path) as writer:
        made = SpectrogramsWriter(writer, (VELOCITY, TIME), [one for _, one in recorded])
        for i, one in recorded:
            crops = spectrograms(i, one.labels["user"], one.labels["activity"], channels)
            made.append(one, [0.0, 1.6], [ROUNDS[i]] * 2, crops)
        made.seal({"source": {"reader": "simulated_people"}}, POWERS, {"raw": raw})
    return Spectrograms(path)
