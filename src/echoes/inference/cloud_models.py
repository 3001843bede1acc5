"""The one- or two-call model of a track of clouds, loaded once, and what its networks take of a frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from echoes import latentstore, params
from echoes.compute.precision import autocast
from echoes.dataset.metadata import CloudMetadata
from echoes.distillation.consistency import ConsistencyModel
from echoes.errors import InputError
from echoes.grids import Grid
from echoes.models import autoencoders, denoisers, students
from echoes.models.radar.readout import Placement
from echoes.models.sampler import UNGUIDED, Decoder, Sampler
from echoes.models.students import CdArchitecture
from echoes.models.trained import require_files
from echoes.provenance import Header, require_parent
from echoes.rasters import scaling
from echoes.rasters.cells import Cells, dense
from echoes.rasters.sweeps import Sweeps


@dataclass(frozen=True)
class CloudModels:
    """model, of     the student, and what its samples need beside its weights; sampler: of them, with its decoder.
    placement    the grid, its units and the task; what the models need of the grids travels in their headers.
    ego_motion   `none`: Doppler is relative to the radar; else it is over ground, the radar's own motion taken out.
    sweeps       which earlier frames go in, too; None for none.
    header       of the model, with what was settled on validation.
    path, cd_path  of the autoencoder and of the model, for messages.
    """

    model: ConsistencyModel
    of: CdArchitecture
    sampler: Sampler
    placement: Placement
    ego_motion: str
    sweeps: Sweeps | None
    header: Header
    path: Path
    cd_path: Path

    @property
    def through_vae(self) -> bool:
        """Whether the autoencoder encodes what goes in for the latent model."""
        return self.of.denoiser.condition.by == "vae"

    def condition(self, cells: Sequence[Cells], given: Tensor) -> Tensor:
        """What conditions the latent model: cells in physical units, and (B, C, D, H, W) the same as `given` has them.

        Through the autoencoder (B, Z, *S') latents, as extract_latents makes the condition `vae`.
        """
        return encoded(cells, self.placement, self.sampler) if self.through_vae else given


def load(folder: str | Path, steps: int, device: torch.device) -> CloudModels:
    """The models of a trained track, from a folder such as `data/radar`; steps: network calls for a sample, 1 or 2.

    Raises InputError where the track is not trained, is no track of clouds, or its two models do not belong together.
    """
    vae_path, cd_path = Path(folder, "vae.safetensors"), Path(folder, "cd.safetensors")
    require_files(vae_path, cd_path)
    vae, vae_header = autoencoders.load(vae_path, device)
    model, of, header = students.load_cd(cd_path, device)
    require_parent(cd_path, header, vae_path, vae_header)
    if "labels" in vae_header.content:
        raise InputError(f"{vae_path}: expected a track of clouds, got one of labelled spectrograms")
    told: CloudMetadata = params.build_subset(CloudMetadata, vae_header.content, f"{vae_path}: header")
    grid, latent_shape = Grid(told.axes), latentstore.shape(header)
    if latent_shape != vae.latent_shape(grid.shape):
        raise InputError(f"{cd_path}: expected latents of a grid {grid.shape}, got {latent_shape}")
    between = students.between(header, of, steps)
    decoder = Decoder(vae, denoisers.whitening(header))
    sampler = Sampler(model, students.steps(of.sigmas, between), UNGUIDED, decoder, latent_shape, of.seed)
    placement = Placement(grid, told.scaling, told.task)
    return CloudModels(
        model=model,
        of=of,
        sampler=sampler,
        placement=placement,
        ego_motion=told.ego_motion,
        sweeps=told.sweeps,
        header=header,
        path=vae_path,
        cd_path=cd_path,
    )


def given(cells: Sequence[Cells], placement: Placement) -> np.ndarray:
    """(B, C, D, H, W) what goes in, in network range."""
    channels = placement.task.input
    scaled = [scaling.features_to_network(c.features, channels, placement.scaling) for c in cells]
    return _dense(cells, scaled, placement.grid)


def given_as_target(cells: Sequence[Cells], placement: Placement) -> np.ndarray:
    """(B, C', D, H, W) the same as if its cells were those of a target, for the autoencoder."""
    channels, wanted = placement.task.input, placement.task.target
    scaled = [scaling.features_to_network(c.features, channels, placement.scaling) for c in cells]
    return _dense(cells, [scaling.recast(features, channels, wanted) for features in scaled], placement.grid)


@torch.no_grad()
def encoded(cells: Sequence[Cells], placement: Placement, sampler: Sampler) -> Tensor:
    """(B, Z, *S') latents of what goes in."""
    cast = torch.from_numpy(given_as_target(cells, placement)).to(sampler.device)
    with autocast(cast.device):
        latents: Tensor = sampler.decoder.vae.encode(cast).mean
    return latents


def _dense(cells: Sequence[Cells], features: Sequence[np.ndarray], grid: Grid) -> np.ndarray:
    return np.stack([dense(Cells(c.indices, f), grid.shape) for c, f in zip(cells, features, strict=True)])
