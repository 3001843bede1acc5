"""A trained track as one function: the radar of a frame -> a dense cloud, without grids or latents on disk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from echoes.compute.device import best_device
from echoes.compute.precision import Precision, computing
from echoes.compute.tiles import WHOLE, Tiles
from echoes.errors import InputError
from echoes.evaluation.unlikeness import Seen
from echoes.grids import Y_AXIS, Grid
from echoes.inference import cloud_models, columns
from echoes.inference.cloud_models import CloudModels
from echoes.models import students, tiling
from echoes.models.radar import cell_choice, clouds, drawing, familiarity
from echoes.models.radar.clouds import Made
from echoes.models.radar.onecall import OneCall
from echoes.models.radar.readout import Fusion, with_returns
from echoes.models.radar.regressor import outputs
from echoes.models.sampler import clock, seed_of
from echoes.rasters import sweeps, voxels
from echoes.rasters.cells import Cells
from echoes.rasters.sweeps import Sweep, Sweeps
from echoes.tasks import Task

Choice = Literal["fused", "decide", "overlap", "count", "blend", "sample", "draw", "mean"]
MIRRORED = ("fused", "decide", "overlap", "count", "mean")  # choices by a probability, which can be averaged
ONE_CALL = ("sample", "draw", "mean")  # choices by what the latent model says in a call, and nothing beside it
RETURNS = "x, y, z [m], Doppler [m/s], power [dB]"


@dataclass(frozen=True)
class RadarFrame:
    """cells   of what goes in.
    points  (N, 5) all returns of the frame itself, as `Enhancer` takes them, inside the grid or not.
    """

    cells: Cells
    points: np.ndarray


@dataclass(frozen=True)
class Enhancer:
    """The one-call model of a track and its decoder; what they need of the grids travels in their headers.

    models, call the networks.
    fusion       how a cloud is read out of what they say; choice, samples: as `load` takes them.
    blend        share of the sample where it is blended in; mirror: whether left and right are swapped, too.
    precision    of the networks.
    threshold    of occupancy, for a cloud that is one sample, or the mean.
    seen         what the radar of the training frames was like.
    """

    models: CloudModels
    call: OneCall
    fusion: Fusion
    choice: Choice
    samples: int
    blend: float
    mirror: bool
    precision: Precision
    threshold: float
    seen: Seen

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        readout: Choice = "fused",
        steps: int = 1,
        samples: int = 1,
        member: int = 0,
        blend: float | None = None,
        mirror: bool = False,
        precision: Precision = "auto",
        tiles: Tiles = WHOLE,
        device: torch.device | None = None,
    ) -> "Enhancer":
        """The models of a trained track, from a folder such as `data/radar`.

        readout  fused: the radar's returns and what the model adds; decide: the model's cells of the best overlap;
                 overlap: those of the best expected overlap of this frame; count: the most probable ones, as many as
                 a LiDAR would show; blend: as many, of the model and a sample together; sample: one sample of the
                 latent model, at the threshold of its best overlap; draw: the same with its cells drawn, as a member
                 of an ensemble (`echoes.models.radar.drawing`); mean: its posterior mean, at a threshold.
        steps    network calls of the latent model for a sample, 1 or 2.
        samples  of the latent model, whose mean probability and its spread are told.
        member   which of several samples of the same frames, from 0.
        blend    how much of the sample is in a blend: 0 for none, 1 for the sample alone; None for what was best on
                 validation frames.
        mirror   average what is said of the frame and of its mirror image, left and right swapped; twice the time.
        precision  of the networks: float32, bfloat16, float16, or auto for what the device is fast in.
        tiles    in which the latent model is called where it does not fit into memory whole, in cells of the grid.
        device   None for a GPU where there is one.

        Raises InputError where the track is not trained, or its two models do not belong together, or for a mean that
        its student cannot tell from a sample, and for tiles that do not fit its network.
        """
        _require(readout, steps, samples, member, blend, mirror)
        device = best_device() if device is None else device
        models = cloud_models.load(folder, steps, device)
        header, task, grid = models.header, models.placement.task, models.placement.grid
        if not task.enhances:
            raise InputError(f"{models.path}: expected a track that enhances clouds, got one from {task.given}")
        if mirror and grid.axes[1].start != -grid.axes[1].stop:
            raise InputError(f"mirror: expected a grid as wide to both sides, got {grid.axes[1]}")
        sampler, settled = models.sampler, students.readout(header)
        compression, latents = sampler.decoder.vae.compression, sampler.latent_shape[1:]
        tiling.tile(models.model.network, tiles, compression, latents, "tiles")
        if readout == "mean":
            if models.of.student != "trajectory":
                told = models.of.student
                raise InputError(f"{models.cd_path}: expected cd.student trajectory for the readout mean, got {told}")
            sampler = students.mean(sampler, models.model, models.of.sigmas)
        sampler = replace(sampler, seed=seed_of(sampler.seed, member))
        return cls(
            models=models,
            call=OneCall(sampler),
            fusion=Fusion(settled, models.placement, device),
            choice=readout,
            samples=samples,
            blend=settled.blend if blend is None else blend,
            mirror=mirror,
            precision=precision,
            threshold=students.calibrated(header, "mean_threshold" if readout == "mean" else "threshold"),
            seen=familiarity.stored(header),
        )

    @property
    def grid(self) -> Grid:
        """Inside of which the networks see and say something."""
        return self.models.placement.grid

    @property
    def task(self) -> Task:
        """The channels of what goes in and of what comes out."""
        return self.models.placement.task

    @property
    def ego_motion(self) -> str:
        """`none`: Doppler is relative to the radar; else it is over ground, the radar's own motion taken out."""
        return self.models.ego_motion

    @property
    def sweeps(self) -> Sweeps | None:
        """Which earlier frames go in, too; None for none."""
        return self.models.sweeps

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a cloud: x, y, z [m], power [dB], Doppler [m/s], probability, and its spread over several samples."""
        return clouds.POINT_COLUMNS if self.samples == 1 else (*clouds.POINT_COLUMNS, "spread")

    def __call__(self, points: np.ndarray, sample_id: int = 0, earlier: Sequence[Sweep] = ()) -> np.ndarray:
        """The cloud of one frame, (M,) with a float32 field for each of `columns`.

        points     (N, 5) x, y, z [m], Doppler [m/s] positive = receding, power [dB], in the radar's frame: x forward,
                   y left, z up. Doppler is over ground unless `ego_motion` is `none`.
        sample_id  names the noise; `echoes enhance` takes the number of the frame in its recording.
        earlier    frames before this one, where the track was trained with such (`sweeps`); without them it does as
                   where a sequence begins.

        Raises InputError for what is no such array, or has no point inside the grid.
        """
        (cloud,) = self.timed([self.frame(points, earlier)], [sample_id])[0]
        return cloud

    def clouds(self, frames: Sequence[np.ndarray], sample_ids: Sequence[int]) -> list[np.ndarray]:
        """The clouds of several frames in one batch; each is as it is alone."""
        return self.timed([self.frame(points, ()) for points in frames], sample_ids)[0]

    def timed(self, frames: Sequence[RadarFrame], sample_ids: Sequence[int]) -> tuple[list[np.ndarray], float]:
        """The clouds of a batch, and the seconds in the networks."""
        cells = [frame.cells for frame in frames]
        if len(frames) == 1 and self._calls_latent:  # PyTorch's 3-D convolutions are slower on one sample than on two
            sample_ids, cells = [*sample_ids, *sample_ids], [*cells, *cells]
        device = self.call.sampler.device
        views = [cells, *([[self._mirrored(one) for one in cells]] if self.mirror else [])]
        radar = [torch.from_numpy(cloud_models.given(view, self.models.placement)).to(device) for view in views]
        start = clock(device)
        with computing(self.precision):
            told, *other = [self._told(*view, sample_ids) for view in zip(radar, views, strict=True)]
        for mirrored in other:
            told = [(a + b.flip(Y_AXIS) * sign) / 2 for a, b, sign in zip(told, mirrored, self._signs(), strict=True)]
        seconds = clock(device) - start
        probable, sampled, measured, spread = (tensor.cpu().numpy() for tensor in told)
        of_frames = zip(frames, sample_ids, probable, sampled, measured, strict=False)
        made = [self._made(*one) for one in of_frames]
        return [self._cloud(one, of) for one, of in zip(made, spread, strict=False)], seconds

    def _told(self, radar: Tensor, cells: Sequence[Cells], sample_ids: Sequence[int]) -> list[Tensor]:
        """Probability by the gate and of the sample (B, D, H, W), measurements (B, C + 3, D, H, W), and the spread."""
        conditioned = self._calls_latent or self.call.regression is None
        cond = self.models.condition(cells, radar) if conditioned else radar  # an encoding, by some tracks
        said = self.call(radar, cond, sample_ids, self.samples, self._calls_latent)
        measured = said.sampled if self.choice in ONE_CALL else said.measured
        return [self.fusion.probability(said.weighed), said.latent.sigmoid(), measured, said.spread]

    @property
    def _calls_latent(self) -> bool:
        """Whether the cloud takes a call of the latent model, beside the regression."""
        return self.choice in (*ONE_CALL, "blend") or self.samples > 1 or self.fusion.readout.uses_latent

    def _mirrored(self, cells: Cells) -> Cells:
        """With left and right swapped, in the order of the grid; what a radar measures is the same from either side."""
        indices = cells.indices.copy()
        indices[:, 1] = self.grid.shape[1] - 1 - indices[:, 1]
        order = np.lexsort(indices.T[::-1])
        return Cells(indices[order], cells.features[order])

    def _signs(self) -> list[Tensor]:
        """What of `_told` changes its sign in the mirror: the offset along y."""
        of = torch.tensor([-1.0 if name == "offset_y" else 1.0 for name in outputs(self.task)])
        one = torch.ones(1)
        return [sign.to(self.call.sampler.device) for sign in (one, one, of[:, None, None, None], one)]

    def frame(self, points: np.ndarray, earlier: Sequence[Sweep]) -> RadarFrame:
        """What `timed` takes of a frame; points and earlier: as `__call__` takes them, and refuses them."""
        found = _returns("points", points)
        if not self.grid.cells(found)[1].any():
            raise InputError(f"points: expected returns inside the grid of the track, got none of {len(found)}")
        if self.sweeps is None:
            if earlier:
                raise InputError(f"earlier: expected none, as the track was trained, got {len(earlier)} frames")
            return RadarFrame(voxels.radar_cells(found, self.grid), found)
        before = [replace(sweep, points=_returns("earlier", sweep.points)) for sweep in earlier]
        return RadarFrame(sweeps.cells(found, before, self.grid), found)

    def _made(
        self, frame: RadarFrame, sample_id: int, probability: np.ndarray, sampled: np.ndarray, measured: np.ndarray
    ) -> Made:
        settled, placement = self.fusion.readout, self.fusion.placement
        match self.choice:
            case "decide":
                return placement.at_least(settled.decide, probability, measured)
            case "sample" | "mean":
                return placement.at_least(self.threshold, sampled, measured)
            case "draw":
                drawn = drawing.drawn_cells(sampled, self.threshold, self.grid, self.call.sampler.seed, sample_id)
                return placement.at(drawn, sampled, measured)
            case "overlap":
                return placement.at(cell_choice.best_overlap(probability), probability, measured)
            case "count":
                return placement.at(cell_choice.as_many(probability, probability), probability, measured)
            case "blend":
                return placement.at(cell_choice.blended_cells(probability, sampled, self.blend), probability, measured)
        inside = self.grid.cells(frame.points)[1]
        fused = self.fusion.fused(probability, measured, frame.cells, frame.points[inside])
        return with_returns(fused, frame.points[~inside], settled.outside)

    def _cloud(self, made: Made, spread: np.ndarray) -> np.ndarray:
        if self.samples == 1:
            return columns.structured(made.points, self.columns)
        indices, inside = self.grid.cells(made.points)
        of_point = np.zeros(len(made.points), np.float32)
        of_point[inside] = spread[tuple(indices[inside].T)]
        return columns.structured(np.column_stack([made.points, of_point]), self.columns)


def _returns(name: str, points: np.ndarray) -> np.ndarray:
    found = np.asarray(points, np.float32)
    if found.ndim != 2 or found.shape[1] != 5 or not np.isfinite(found).all():
        raise InputError(f"{name}: expected (N, 5) finite numbers {RETURNS}, got {found.shape} of {found.dtype}")
    return found


def _require(readout: Choice, steps: int, samples: int, member: int, blend: float | None, mirror: bool) -> None:
    """Raises InputError for a share or a member that is none, for several calls for what is one, and where the mirror
    image of a sample would be averaged in.
    """
    for name, count in (("steps", steps), ("samples", samples)):
        if readout == "mean" and count != 1:
            raise InputError(f"{name}: expected 1 with the readout mean, got {count}")
    if readout == "draw" and samples != 1:
        raise InputError(f"samples: expected 1 with the readout draw, which is of one sample, got {samples}")
    if member < 0:
        raise InputError(f"member: expected a number from 0, got {member}")
    if blend is not None and not 0 <= blend <= 1:
        raise InputError(f"blend: expected a share from 0 to 1, got {blend}")
    if mirror and readout not in MIRRORED:
        raise InputError(f"mirror: expected a readout of {', '.join(MIRRORED)}, got {readout}, which is of one sample")
