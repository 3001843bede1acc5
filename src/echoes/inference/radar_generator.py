"""A trained track as one function: a LiDAR's frame -> frames of a radar that might have been beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from echoes import seeds
from echoes.compute.device import best_device
from echoes.compute.precision import computing
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.inference import cloud_models, columns
from echoes.inference.cloud_models import CloudModels
from echoes.models import students
from echoes.models.radar import clouds, returns
from echoes.models.radar.clouds import Cloud
from echoes.models.radar.returns import COLUMNS, Returns
from echoes.models.sampler import seed_of
from echoes.rasters import voxels
from echoes.rasters.cells import Cells

POINTS = "x, y, z [m], reflectivity 0..1"


@dataclass(frozen=True)
class RadarGenerator:
    """The model of a track that makes a radar of a LiDAR, and its decoder.

    models   the networks; returns: how points are drawn from the cells that they give.
    """

    models: CloudModels
    returns: Returns

    @classmethod
    def load(cls, folder: str | Path, *, steps: int = 1, device: torch.device | None = None) -> "RadarGenerator":
        """The models of a trained track, from a folder such as `data/radar_from_lidar`.

        steps   network calls for a frame, 1 or 2; device: None for a GPU where there is one.

        Raises InputError where the track is not trained, makes no radar, or its two models do not belong together.
        """
        models = cloud_models.load(folder, steps, best_device() if device is None else device)
        task = models.placement.task
        if task.given != "lidar" or not task.makes_radar:
            raise InputError(
                f"{models.path}: expected a track that makes a radar of a LiDAR, got one from {task.given}"
            )
        return cls(models, returns.stored(models.header, students.calibrated(models.header, "threshold")))

    @property
    def grid(self) -> Grid:
        """Outside of which nothing is taken and nothing is made."""
        return self.models.placement.grid

    @property
    def ego_motion(self) -> str:
        """`none`: Doppler is relative to the radar; else it is over ground."""
        return self.models.ego_motion

    @property
    def identity(self) -> str:
        """Of the model: sha256 of its file's header, as `echoes verify` compares it."""
        return self.models.header.identity

    def __call__(self, points: np.ndarray, count: int, seed: int, frame: int = 0) -> list[np.ndarray]:
        """`count` radar frames of a LiDAR's frame: (P,) each with float32 fields x, y, z, doppler, power.

        points  (N, 4) x, y, z [m], reflectivity 0..1, in the radar's frame: x forward, y left, z up. Without the ground
                where the track takes it out (`grid.ground`; echoes.rasters.ground.keep tells which points that leaves).
        frame   names the noise beside `seed`; `echoes generate` takes the number of the frame in its recording. The
                k-th radar frame is the same for any count.

        Doppler is over ground unless `ego_motion` is `none`; echoes.readers.ego_motion.relative puts a velocity back.

        Raises InputError for what is no such array, or has no point inside the grid.
        """
        (made,) = self.frames([self.cells(points)], [frame], count, seed)
        return made

    def cells(self, points: np.ndarray) -> Cells:
        """Those of a LiDAR's points (N, 4), as the networks take them; raises InputError where there are none."""
        found = np.asarray(points, np.float32)
        if found.ndim != 2 or found.shape[1] != 4 or not np.isfinite(found).all():
            raise InputError(f"points: expected (N, 4) finite numbers {POINTS}, got {found.shape} of {found.dtype}")
        cells = voxels.lidar_cells(found, self.grid)
        if not len(cells.indices):
            raise InputError(f"points: expected returns inside the grid of the track, got none of {len(found)}")
        return cells

    def frames(self, lidar: Sequence[Cells], frames: Sequence[int], count: int, seed: int) -> list[list[np.ndarray]]:
        """`count` radar frames of each of several frames, of whose LiDAR the cells are given; `frames` number them."""
        made: list[list[np.ndarray]] = [[] for _ in lidar]
        for k in range(count):
            for of_frame, frame, cloud in zip(
                made, frames, self._sampled(lidar, frames, seed_of(seed, k)), strict=True
            ):
                rng = seeds.rng(seed, "returns", frame, k)
                points = returns.drawn(cloud, self.returns, self.grid, rng)
                of_frame.append(columns.structured(points, COLUMNS))
        return made

    @torch.no_grad()
    def _sampled(self, lidar: Sequence[Cells], frames: Sequence[int], seed: int) -> list[Cloud]:
        """The cells of one sample of each frame; in single precision, or rounding would show in which batch it was."""
        sampler = replace(self.models.sampler, seed=seed)
        given = torch.from_numpy(cloud_models.given(lidar, self.models.placement)).to(sampler.device)
        with computing("float32"):
            cond = self.models.condition(lidar, given)
            latents = sampler.latents(cond, sampler.noise(frames, "sample"), frames)
            decoded = sampler.decoder(latents)
        return clouds.from_decoded(decoded, self.returns.threshold, self.models.placement)
