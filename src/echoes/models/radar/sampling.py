"""All methods of a radar track on its test split: their clouds frame by frame, their latency and calls."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from statistics import median

import numpy as np
from tqdm import tqdm

from echoes.arrays import Writer
from echoes.dataset.frames import batches_of, spread
from echoes.dataset.grids import Grids
from echoes.models import denoisers, methods
from echoes.models.conditions import straight
from echoes.models.methods import Generator
from echoes.models.radar import baselines, clouds, reconstruction
from echoes.models.radar.clouds import Cloud
from echoes.models.radar.decoding import CloudDecoder, decoded_clouds
from echoes.models.trained import SampleParams, Trained
from echoes.provenance import Header


class Sampling:
    """Runs each method over the same frames."""

    def __init__(self, trained: Trained, grids: Grids, p: SampleParams) -> None:
        self._trained, self._grids, self._p = trained, grids, p
        threshold = denoisers.chosen(trained.header, "threshold")
        self._decoder = CloudDecoder(trained.decoder, grids.scaling, threshold)
        posterior_mean = methods.posterior_mean(trained.denoiser, p.sigmas.high)
        self._generators = {"posterior_mean": posterior_mean, **trained.generators(p)}
        self.frames = spread(grids.frames("test"), p.frames)
        self._batches = batches_of(self.frames, p.batch)
        self._milliseconds: dict[str, list[float]] = {}

    @property
    def methods(self) -> list[str]:
        return ["radar", "nearest_train", *self._generators, "vae_bound"]

    def write(self, writer: Writer) -> None:
        """The clouds of every method, and the frames they belong to."""
        for method in self.methods:
            for cloud in self.clouds(method):
                writer.append_ragged(f"{method}_indices", cloud.indices)
                writer.append_ragged(f"{method}_features", cloud.features)
        writer.append("frame", self.frames)
        parents = {**self._trained.header.parents, "cd": self._trained.header.identity}
        content = {"methods": self.methods, "columns": list(clouds.COLUMNS), "threshold": self._decoder.threshold}
        writer.seal(Header("samples", asdict(self._p), parents, content))

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
        cond = self._trained.conditions(self._batches[0], straight(self._batches[0])).to(self._trained.place)
        calls = {name: methods.calls(g, cond, self._trained.latent_shape) for name, g in self._generators.items()}
        return {
            method: {"latency_ms": median(self._milliseconds[method]), "calls": calls.get(method, 0)}
            for method in self.methods
        }

    def _generate(self, generator: Generator, frames: np.ndarray) -> tuple[list[Cloud], float]:
        cond = self._trained.conditions(frames, straight(frames)).to(self._trained.place)
        shape = self._trained.latent_shape
        return decoded_clouds(generator, self._decoder, cond, frames.tolist(), shape, self._p.seed)

    def _radar(self, frames: np.ndarray) -> tuple[list[Cloud], float]:
        return [clouds.from_cells("radar", self._grids.cells("radar", int(f))) for f in frames], 0.0

    def _nearest_train(self, frames: np.ndarray) -> tuple[list[Cloud], float]:
        start = time.perf_counter()
        train = ((int(f), self._descriptor(int(f))) for f in self._grids.frames("train"))
        found = baselines.nearest_train(train, np.stack([self._descriptor(int(f)) for f in frames]))
        seconds = time.perf_counter() - start
        return [clouds.from_cells("target", self._grids.cells("target", int(f))) for f in found], seconds

    def _descriptor(self, frame: int) -> np.ndarray:
        return baselines.descriptor(self._grids.cells("radar", frame).indices, self._grids.grid.shape)

    def _vae_bound(self, frames: np.ndarray) -> tuple[list[Cloud], float]:
        start = time.perf_counter()
        made = reconstruction.reconstruct(self._trained.vae, self._grids, frames, self._decoder.threshold)
        return made, time.perf_counter() - start
