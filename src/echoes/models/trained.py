"""The models of a trained track, loaded once, each checked against what it was made from."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch

from echoes import latentstore, params
from echoes.autoencoder.architecture import Autoencoder
from echoes.choices import sampling
from echoes.compute.precision import Precision
from echoes.compute.tiles import Tiles
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.diffusion.churn import Churn
from echoes.diffusion.denoiser import Denoiser
from echoes.diffusion.dopri5 import Tolerances
from echoes.diffusion.guidance import Guidance
from echoes.diffusion.samplers import Ancestral, Solver, SolverConfig, solve
from echoes.diffusion.schedules import SigmaRange
from echoes.distillation.consistency import ConsistencyModel
from echoes.errors import InputError
from echoes.models import autoencoders, denoisers, families, students, tiling
from echoes.models.conditions import Conditions
from echoes.models.radar.readout import Readout
from echoes.models.sampler import UNGUIDED, Decoder, Sampler, Steps, solving
from echoes.models.students import CdArchitecture
from echoes.provenance import Header, require_parent


@dataclass(frozen=True)
class SampleParams:
    """The section `<track>.sample`.

    frames    of the test split, evenly spread; of spectrograms, how many are generated.
    batch     frames sampled together.
    precision of the networks.
    tiles     in which latents are denoised that do not fit whole, in cells of the grid.
    dopri5, euler_ancestral, stochastic_heun   what the solvers of these names are told.
    """

    CHOICES: ClassVar = sampling.SAMPLE

    frames: int
    batch: int
    precision: Precision
    tiles: Tiles
    solver: Solver
    dopri5: Tolerances
    euler_ancestral: Ancestral
    stochastic_heun: Churn
    sigmas: SigmaRange
    guidance: Guidance
    seed: int

    def __post_init__(self) -> None:
        params.require_counts(frames=self.frames, batch=self.batch)

    def steps(self, denoiser: Denoiser) -> Steps:
        """From noise to latents by the solver, down the noise levels."""
        config = SolverConfig(self.solver, self.dopri5, self.euler_ancestral, self.stochastic_heun)
        return solving(denoiser, partial(solve, config), self.sigmas)


@dataclass(frozen=True)
class Trained:
    """The autoencoder, the denoiser and the consistency model of a track, and the header of the latter."""

    vae: Autoencoder
    denoiser: Denoiser
    model: ConsistencyModel
    of: CdArchitecture
    header: Header
    conditions: Conditions
    device: torch.device

    @property
    def decoder(self) -> Decoder:
        return Decoder(self.vae, denoisers.whitening(self.header))

    @property
    def readout(self) -> Readout:
        """How clouds are read out, as it was settled on validation; of a track that enhances clouds."""
        return students.readout(self.header)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return latentstore.shape(self.header)

    def tile(self, tiles: Tiles) -> None:
        """Denoise by tiles from now on; raises InputError for tiles that do not fit the networks."""
        for network in (self.denoiser.network, self.model.network):
            tiling.tile(network, tiles, self.vae.compression, self.latent_shape[1:], "sample.tiles")

    def samplers(self, p: SampleParams) -> dict[str, Sampler]:
        """The ways to sample that every family compares."""
        calls = (1, 2) if self.of.has_second_call else (1,)
        ways = {n: students.steps(self.of.sigmas, students.between(self.header, self.of, n)) for n in calls}
        shared = (self.decoder, self.latent_shape, p.seed)
        return {
            "ldm": Sampler(self.denoiser, p.steps(self.denoiser), p.guidance, *shared),
            **{f"cd_{n}": Sampler(self.model, way, UNGUIDED, *shared) for n, way in ways.items()},
        }


def require_files(*paths: Path) -> None:
    """Raises InputError for the first of the artifacts of a trained track that is not there."""
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such file; expected a trained track, from `dvc repro` or `dvc pull`")


def load(data: Path, grids: Grids | Spectrograms, device: torch.device) -> Trained:
    """Raises InputError where an artifact of the folder `data` was not made from the one it is used with."""
    latents = latentstore.read(data / "latents")
    vae, vae_header = autoencoders.load(data / "vae.safetensors", device)
    denoiser, ldm_header = denoisers.load_ldm(data / "ldm.safetensors", device)
    model, of, header = students.load_cd(data / "cd.safetensors", device)
    require_parent(data / "latents", latents.header, grids.path, grids.header)
    require_parent(data / "latents", latents.header, data / "vae.safetensors", vae_header)
    require_parent(data / "ldm.safetensors", ldm_header, data / "latents", latents.header)
    require_parent(data / "cd.safetensors", header, data / "ldm.safetensors", ldm_header)
    given = families.conditioning(grids.family).conditions(grids, latents, of.denoiser.condition.by)
    return Trained(vae, denoiser, model, of, header, given, device)
