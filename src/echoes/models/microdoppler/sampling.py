"""All methods of a micro-Doppler track: generated spectrograms with their labels, their latency and calls."""

import time
from collections.abc import Iterator
from functools import lru_cache, partial
from statistics import median

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from echoes.arrays import Writer
from echoes.choices.rules import in_force
from echoes.dataset.frames import batches_of
from echoes.dataset.spectrograms import Spectrograms
from echoes.models import mapping, sampler
from echoes.models.mapping import FrameMap, WorkerSettings
from echoes.models.microdoppler.reconstruction import reconstruct
from echoes.models.trained import SampleParams, Trained, load
from echoes.provenance import Header

VAE_BOUND = "vae_bound"


class Sampling:
    """Generates the same labels with each method, in the shares in which the training recordings have them."""

    def __init__(
        self, trained: Trained, data: Spectrograms, p: SampleParams, frame_map: FrameMap = mapping.in_process
    ) -> None:
        self._trained, self._data, self._p, self._frame_map = trained, data, p, frame_map
        trained.tile(p.tiles)
        self._samplers = trained.samplers(p)
        self.labels = data.labels(repeated(data.frames("train"), p.frames))
        self._batches = batches_of(np.arange(p.frames), p.batch)
        self._milliseconds: dict[str, list[float]] = {}
        self._set_up: set[str] = set()  # methods whose networks were called before

    def write(self, writer: Writer) -> None:
        """Spectrograms (N, C, F, T) float16 of every method and their `labels`; the test split through the codec."""
        for name in self._samplers:
            for made in self._each(name, self._batches):
                writer.append(name, made)
        frames = self._data.frames("test")
        for made in self._each(VAE_BOUND, batches_of(frames, self._p.batch)):
            writer.append(VAE_BOUND, made)
        writer.append("labels", self.labels)
        writer.append("frame", frames)
        parents = {**self._trained.header.parents, "cd": self._trained.header.identity}
        content = {"methods": [*self._samplers, VAE_BOUND]}
        writer.seal(Header("samples", in_force(self._p), parents, content))

    def timings(self) -> dict[str, dict[str, float]]:
        """Median milliseconds per spectrogram, decoding included, and network calls of each method."""
        cond = self._cond(self._batches[0])
        calls = {name: sampler.calls(one, cond) for name, one in self._samplers.items()}
        return {
            method: {"latency_ms": median(times), "calls": calls.get(method, 0)}
            for method, times in self._milliseconds.items()
        }

    def produced(self, method: str, numbers: np.ndarray) -> tuple[np.ndarray, float]:
        """(B, C, F, T) float16 of one method, and the seconds it took.

        numbers  (B,) of what is generated; of VAE_BOUND, the spectrograms that it repeats.
        """
        if method == VAE_BOUND:
            start = time.perf_counter()
            made, seconds = reconstruct(self._trained.vae, self._data, numbers), time.perf_counter() - start
        else:
            if method not in self._set_up:
                self._draw(method, self._batches[0])  # the first call pays for set-up
            self._set_up.add(method)
            made, seconds = self._draw(method, numbers)
        return made.clamp(-1, 1).cpu().numpy().astype(np.float16), seconds

    def _each(self, method: str, batches: list[np.ndarray]) -> Iterator[np.ndarray]:
        """What a method makes of each batch, in their order."""
        remote = partial(_produced, self._trained.header.identity, self._p, method)
        produced = self._frame_map(partial(self.produced, method), remote, batches)
        times = self._milliseconds[method] = []
        for numbers, (made, seconds) in zip(tqdm(batches, f"sample {method}", mininterval=1.0), produced, strict=True):
            times += [1000 * seconds / len(numbers)] * len(numbers)
            yield made

    def _draw(self, method: str, numbers: np.ndarray) -> tuple[Tensor, float]:
        return sampler.timed(self._samplers[method], self._cond(numbers), numbers.tolist())

    def _cond(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(self.labels[numbers]).to(self._trained.device)


def repeated(frames: np.ndarray, count: int) -> np.ndarray:
    """`count` of `frames` (N,): evenly spread, after as many whole rounds as fit."""
    rounds, rest = divmod(count, len(frames))
    positions = np.linspace(0, len(frames) - 1, rest).astype(int)
    return np.concatenate([np.tile(frames, rounds), frames[positions]])


def _produced(
    identity: str, p: SampleParams, method: str, worker: WorkerSettings, numbers: np.ndarray
) -> tuple[np.ndarray, float]:
    """`Sampling.produced` on a worker. identity: of the consistency model."""
    with worker.computing():
        return _opened(identity, p, worker).produced(method, numbers)


@lru_cache(maxsize=1)
def _opened(identity: str, p: SampleParams, worker: WorkerSettings) -> Sampling:
    data = Spectrograms(worker.data / "grids.zarr")
    trained = load(worker.data, data, mapping.CPU)
    worker.require(worker.data / "cd.safetensors", trained.header, identity)
    return Sampling(trained, data, p)
