"""A trained track as one function: the radar of a frame -> a dense cloud, without grids or latents on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from echoes import latentstore, params
from echoes.compute.precision import half_precision
from echoes.dataset.facts import RadarFacts
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.models import autoencoders, denoisers, students
from echoes.models.radar import clouds, familiarity, readout
from echoes.models.radar.clouds import Made
from echoes.models.radar.onecall import OneCall
from echoes.models.radar.readout import Fusion
from echoes.models.sampler import UNGUIDED, Decoder, Sampler, clock
from echoes.models.trained import require_files
from echoes.provenance import require_parent
from echoes.rasters import scaling
from echoes.rasters.cells import Cells, dense

Choice = Literal["fused", "decide", "sample"]


@dataclass(frozen=True)
class RadarFrame:
    """cells: of the radar; points (N, 5) all its returns, Doppler over ground, inside the grid or not."""

    cells: Cells
    points: np.ndarray


class Enhancer:
    """The one-call model of a track and its decoder; what they need of the grids travels in their headers.

    choice   fused: the radar's returns and what the model adds; decide: the model's cells of the best overlap; sample:
             one sample of the latent model, which looks like a LiDAR.
    samples  of the latent model, whose mean probability and its spread are told.
    """

    def __init__(self, data: Path, steps: int, choice: Choice, samples: int, place: torch.device) -> None:
        """Raises InputError where the track is not trained, or its two models do not belong together."""
        vae_path, cd_path = data / "vae.safetensors", data / "cd.safetensors"
        require_files(vae_path, cd_path)
        self._vae, vae_header = autoencoders.load(vae_path, place)
        model, of, header = students.load_cd(cd_path, place)
        require_parent(cd_path, header, vae_path, vae_header)
        told: RadarFacts = params.build_known(RadarFacts, vae_header.content, f"{vae_path}: header")
        self.grid, self._scaling, self.ego_motion = Grid(told.axes), told.scaling, told.ego_motion
        self._threshold = students.chosen(header, "threshold")
        between = [students.chosen(header, "middle")] * (steps - 1)
        decoder, latent_shape = Decoder(self._vae, denoisers.whitening(header)), latentstore.shape(header)
        self._call = OneCall(
            Sampler(model, students.steps(of.sigmas, between), UNGUIDED, decoder, latent_shape, of.seed)
        )
        self.readout, self.seen = students.readout(header), familiarity.stored(header)
        self._fusion = Fusion(self.readout, self.grid, self._scaling, place)
        self._condition = of.denoiser.condition.by
        self.choice, self._samples, self._place = choice, samples, place
        if latent_shape != self._vae.latent_shape(self.grid.shape):
            raise InputError(f"{cd_path}: expected latents of a grid {self.grid.shape}, got {latent_shape}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a cloud."""
        return clouds.POINT_COLUMNS if self._samples == 1 else (*clouds.POINT_COLUMNS, "spread")

    def clouds(self, numbers: Sequence[int], frames: Sequence[RadarFrame]) -> tuple[list[np.ndarray], float]:
        """The clouds of a batch, (M, columns) float32 each, and the seconds in the networks.

        numbers  of the frames in their recording: a frame has the same noise in any batch.
        """
        count, cells = len(frames), [frame.cells for frame in frames]
        if count == 1:  # convolutions are several times slower on a single sample
            numbers, cells = [*numbers, *numbers], [*cells, *cells]
        radar = torch.from_numpy(self._dense(cells, False)).to(self._place)
        start = clock(self._place)
        cond = self._encode(cells) if self._condition == "vae" else radar
        latent = self.choice == "sample" or self._samples > 1 or self.readout.uses_latent
        said = self._call(radar, cond, numbers, self._samples, latent)
        one_sample = self.choice == "sample"
        probability = said.latent.sigmoid() if one_sample else self._fusion.probability(said.weighed)
        seconds = clock(self._place) - start
        probable, spread = probability.cpu().numpy(), said.spread.cpu().numpy()
        measured = (said.sampled if one_sample else said.measured).cpu().numpy()
        made = [self._made(frame, *one) for frame, *one in zip(frames, probable, measured, strict=False)]
        return [self._columns(one, of) for one, of in zip(made, spread, strict=False)], seconds

    def _made(self, frame: RadarFrame, probability: np.ndarray, measured: np.ndarray) -> Made:
        if self.choice != "fused":
            level = self._threshold if self.choice == "sample" else self.readout.decide
            return self._fusion.decided(probability, measured, level)
        inside = self.grid.cells(frame.points)[1]
        fused = self._fusion.fused(probability, measured, frame.cells, frame.points[inside])
        return readout.with_returns(fused, frame.points[~inside], self.readout.outside)

    def _columns(self, made: Made, spread: np.ndarray) -> np.ndarray:
        if self._samples == 1:
            return made.points
        indices, inside = self.grid.cells(made.points)
        of_point = np.zeros(len(made.points), np.float32)
        of_point[inside] = spread[tuple(indices[inside].T)]
        return np.column_stack([made.points, of_point])

    def _dense(self, cells: Sequence[Cells], as_target: bool) -> np.ndarray:
        """(B, C, D, H, W) in network range: the radar's channels, or a target's for the autoencoder."""
        scaled = [scaling.radar_to_network(c.features, self._scaling) for c in cells]
        if as_target:
            scaled = [scaling.radar_as_target(features) for features in scaled]
        sparse = [Cells(c.indices, features) for c, features in zip(cells, scaled, strict=True)]
        return np.stack([dense(c, self.grid.shape) for c in sparse])

    @torch.no_grad()
    def _encode(self, cells: Sequence[Cells]) -> Tensor:
        """(B, Z, *S / 4) latents, as extract_latents makes the condition `vae`."""
        with torch.autocast(self._place.type, torch.bfloat16, enabled=half_precision("auto", self._place)):
            latents: Tensor = self._vae.encode(torch.from_numpy(self._dense(cells, True)).to(self._place)).mean
        return latents
