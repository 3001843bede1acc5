"""All methods of a track on its test split: their clouds frame by frame, their latency and calls."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from tqdm import tqdm

from echoes.dataset.frames import batches_of, spread
from echoes.dataset.grids import Grids
from echoes.diffusion.samplers import SigmaRange
from echoes.errors import InputError
from echoes.latentstore import LatentStore
from echoes.models import autoencoders, clouds, denoisers, methods, reconstruction
from echoes.models.batches import condition_batch
from echoes.models.clouds import Cloud
from echoes.models.methods import Decoder, Generator, Solver
from echoes.provenance import Header, require_parent


@dataclass(frozen=True)
class SampleParams:
    """The section `<track>.sample`. frames: of the test split, evenly spread; batch: frames sampled together."""

    frames: int
    batch: int
    solver: Solver
    sigmas: SigmaRange
    seed: int

    def __post_init__(self) -> None:
        for name in ("frames", "batch"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected at least 1, got {getattr(self, name)}")


class Sampling:
    """Loads the models of a track once and runs each method over the same frames."""

    def __init__(self, data: Path, grids: Grids, latents: LatentStore, p: SampleParams, place: torch.device) -> None:
        """Raises InputError where an artifact was not made from the one it is used with."""
        vae, vae_header = autoencoders.load(data / "vae.safetensors", place)
        denoiser, ldm_header = denoisers.load_ldm(data / "ldm.safetensors", place)
        model, cd_params, self._header = denoisers.load_cd(data / "cd.safetensors", place)
        require_parent(data / "latents", latents.header, grids.path, grids.header)
        require_parent(data / "latents", latents.header, data / "vae.safetensors", vae_header)
        require_parent(data / "ldm.safetensors", ldm_header, data / "latents", latents.header)
        require_parent(data / "cd.safetensors", self._header, data / "ldm.safetensors", ldm_header)
        self._grids, self._latents, self._p, self._place, self._vae = grids, latents, p, place, vae
        self._condition = denoisers.condition(ldm_header)
        threshold = float(self._header.content["threshold"])
        self._decoder = Decoder(vae, denoisers.whitening(self._header), grids.scaling, threshold)
        self._generators = {
            "posterior_mean": methods.posterior_mean(denoiser, p.sigmas.high),
            "ldm": methods.ldm(denoiser, p.solver, p.sigmas),
            "cd_1": methods.cd(model, cd_params, [], p.seed),
            "cd_2": methods.cd(model, cd_params, [float(self._header.content["middle"])], p.seed),
        }
        self.frames = spread(grids.frames("test"), p.frames)
        self._batches = batches_of(self.frames, p.batch)
        self._milliseconds: dict[str, list[float]] = {}

    @property
    def methods(self) -> list[str]:
        return ["radar", "nearest_train", *self._generators, "vae_bound"]

    def clouds(self, method: str) -> Iterator[Cloud]:
        """The clouds of `frames` in order; measures the milliseconds per frame as it goes."""
        produce: dict[str, Callable[[np.ndarray], tuple[list[Cloud], float]]] = {
            "radar": self._radar,
            "nearest_train": self._nearest_train,
            "vae_bound": self._vae_bound,
        }
        if method in self._generators:
            self._generate(self._generators[method], self._batches[0])  # the first call pays for set-up
        times = self._milliseconds[method] = []
        for frames in tqdm(self._batches, f"sample {method}", mininterval=1.0):
            if method in produce:
                made, seconds = produce[method](frames)
            else:
                made, seconds = self._generate(self._generators[method], frames)
            times += [1000 * seconds / len(frames)] * len(frames)
            yield from made

    def timings(self) -> dict[str, dict[str, float]]:
        """Median milliseconds per frame, decoding included, and network calls of each method."""
        cond = self._cond(self._batches[0])
        shape = self._latents.header.content["latent_shape"]
        calls = {name: methods.calls(g, cond, shape) for name, g in self._generators.items()}
        return {
            method: {"latency_ms": median(self._milliseconds[method]), "calls": calls.get(method, 0)}
            for method in self.methods
        }

    def header(self) -> Header:
        parents = {**self._header.parents, "cd": self._header.identity}
        content = {"methods": self.methods, "columns": list(clouds.COLUMNS), "threshold": self._decoder.threshold}
        return Header("samples", asdict(self._p), parents, content)

    def _cond(self, frames: np.ndarray) -> torch.Tensor:
        straight = np.zeros(len(frames), bool)
        return condition_batch(self._grids, self._latents, self._condition, frames, straight).to(self._place)

    def _generate(self, generator: Generator, frames: np.ndarray) -> tuple[list[Cloud], float]:
        shape = self._latents.header.content["latent_shape"]
        return methods.clouds(generator, self._decoder, self._cond(frames), frames.tolist(), shape, self._p.seed)

    def _radar(self, frames: np.ndarray) -> tuple[list[Cloud], float]:
        return [clouds.from_cells("radar", self._grids.cells("radar", int(f))) for f in frames], 0.0

    def _nearest_train(self, frames: np.ndarray) -> tuple[list[Cloud], float]:
        start = time.perf_counter()
        train = ((int(f), self._descriptor(int(f))) for f in self._grids.frames("train"))
        found = methods.nearest_train(train, np.stack([self._descriptor(int(f)) for f in frames]))
        seconds = time.perf_counter() - start
        return [clouds.from_cells("target", self._grids.cells("target", int(f))) for f in found], seconds

    def _descriptor(self, frame: int) -> np.ndarray:
        return methods.descriptor(self._grids.cells("radar", frame).indices, self._grids.grid.shape)

    def _vae_bound(self, frames: np.ndarray) -> tuple[list[Cloud], float]:
        start = time.perf_counter()
        made = reconstruction.reconstruct(self._vae, self._grids, frames, self._decoder.threshold)
        return made, time.perf_counter() - start
