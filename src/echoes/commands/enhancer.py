"""A trained track as one function: radar cells -> dense clouds, without grids or latents on disk."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from echoes import latentstore, params
from echoes.commands.pointclouds import COLUMNS
from echoes.dataset.facts import RadarFacts
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.models import autoencoders, denoisers, methods
from echoes.models.methods import Decoder
from echoes.models.radar.clouds import Cloud
from echoes.models.radar.decoding import CloudDecoder, decoded_clouds
from echoes.models.trained import require_files
from echoes.provenance import require_parent
from echoes.rasters import scaling, voxels
from echoes.rasters.voxels import Cells
from echoes.training.schedule import half_precision


class Enhancer:
    """The consistency model of a track and its decoder; what they need of the grids travels in their headers."""

    def __init__(self, data: Path, steps: int, place: torch.device) -> None:
        """Raises InputError where the track is not trained, or its two models do not belong together."""
        vae_path, cd_path = data / "vae.safetensors", data / "cd.safetensors"
        require_files(vae_path, cd_path)
        self._vae, vae_header = autoencoders.load(vae_path, place)
        model, p, header = denoisers.load_cd(cd_path, place)
        require_parent(cd_path, header, vae_path, vae_header)
        told: RadarFacts = params.build_known(RadarFacts, vae_header.content, f"{vae_path}: header")
        self.grid, self._scaling, self.ego_motion = Grid(told.axes), told.scaling, told.ego_motion
        decoder, threshold = Decoder(self._vae, denoisers.whitening(header)), denoisers.chosen(header, "threshold")
        self._decoder = CloudDecoder(decoder, self._scaling, threshold)
        between = [denoisers.chosen(header, "middle")] * (steps - 1)
        self._generator = methods.cd(model, p, between, p.seed)
        self._condition = denoisers.ldm_params(header, cd_path).condition.by
        self._seed, self._place = p.seed, place
        self._latent_shape = latentstore.shape(header)
        if self._latent_shape != self._vae.latent_shape(self.grid.shape):
            raise InputError(f"{cd_path}: expected latents of a grid {self.grid.shape}, got {self._latent_shape}")

    def clouds(self, numbers: Sequence[int], cells: Sequence[Cells]) -> tuple[list[np.ndarray], float]:
        """The clouds of a batch, (M, 6) float32 COLUMNS each, and the seconds in the networks.

        numbers  of the frames in their recording: a frame has the same noise in any batch.
        """
        count = len(cells)
        if count == 1:  # convolutions are several times slower on a single sample
            numbers, cells = [*numbers, *numbers], [*cells, *cells]
        radar = torch.from_numpy(self._dense(cells)).to(self._place)
        start = time.perf_counter()
        cond = self._encode(radar) if self._condition == "vae" else radar
        encoding = time.perf_counter() - start
        shape = self._latent_shape
        made, sampling = decoded_clouds(self._generator, self._decoder, cond, numbers, shape, self._seed)
        return [self._columns(cloud) for cloud in made[:count]], encoding + sampling

    def _dense(self, cells: Sequence[Cells]) -> np.ndarray:
        """(B, C, D, H, W) in network range: the radar's channels, or a target's for the autoencoder."""
        scaled = [scaling.radar_to_network(c.features, self._scaling) for c in cells]
        if self._condition == "vae":
            scaled = [scaling.radar_as_target(features) for features in scaled]
        sparse = [Cells(c.indices, features) for c, features in zip(cells, scaled, strict=True)]
        return np.stack([voxels.dense(c, self.grid.shape) for c in sparse])

    @torch.no_grad()
    def _encode(self, radar: Tensor) -> Tensor:
        """(B, 5, D, H, W) -> (B, Z, *S / 4) latents, as extract_latents makes the condition `vae`."""
        with torch.autocast(self._place.type, torch.bfloat16, enabled=half_precision("auto", self._place)):
            latents = self._vae.encode(radar).mean
        if self._place.type == "cuda":  # which computes on while the clock is read
            torch.cuda.synchronize(self._place)
        return latents

    def _columns(self, cloud: Cloud) -> np.ndarray:
        probability, _, doppler, power = cloud.features.T
        columns = np.column_stack([self.grid.centres(cloud.indices), power, doppler, probability])
        assert columns.shape[1] == len(COLUMNS)
        return columns.astype(np.float32)
