"""All methods of a micro-Doppler track: generated spectrograms with their labels, their latency and calls."""

import time
from collections.abc import Iterator
from statistics import median

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from echoes.arrays import Writer
from echoes.choices.rules import in_force
from echoes.dataset.frames import batches_of
from echoes.dataset.spectrograms import Spectrograms
from echoes.models import sampler
from echoes.models.microdoppler.reconstruction import reconstruct
from echoes.models.sampler import Sampler
from echoes.models.trained import SampleParams, Trained
from echoes.provenance import Header


class Sampling:
    """Generates the same labels with each method, in the shares in which the training recordings have them."""

    def __init__(self, trained: Trained, data: Spectrograms, p: SampleParams) -> None:
        self._trained, self._data, self._p = trained, data, p
        self._samplers = trained.samplers(p)
        self.labels = data.labels(repeated(data.frames("train"), p.frames))
        self._batches = batches_of(np.arange(p.frames), p.batch)
        self._milliseconds: dict[str, list[float]] = {}

    def write(self, writer: Writer) -> None:
        """Spectrograms (N, C, F, T) float16 of every method and their `labels`; the test split through the codec."""
        for name, drawing in self._samplers.items():
            for made in self._generated(name, drawing):
                writer.append(name, made.clamp(-1, 1).cpu().numpy().astype(np.float16))
        frames = self._data.frames("test")
        for made in self._repeated(frames):
            writer.append("vae_bound", made.clamp(-1, 1).cpu().numpy().astype(np.float16))
        writer.append("labels", self.labels)
        writer.append("frame", frames)
        parents = {**self._trained.header.parents, "cd": self._trained.header.identity}
        content = {"methods": [*self._samplers, "vae_bound"]}
        writer.seal(Header("samples", in_force(self._p), parents, content))

    def timings(self) -> dict[str, dict[str, float]]:
        """Median milliseconds per spectrogram, decoding included, and network calls of each method."""
        cond = self._cond(self._batches[0])
        calls = {name: sampler.calls(one, cond) for name, one in self._samplers.items()}
        return {
            method: {"latency_ms": median(times), "calls": calls.get(method, 0)}
            for method, times in self._milliseconds.items()
        }

    def _generated(self, name: str, drawing: Sampler) -> Iterator[Tensor]:
        self._draw(drawing, self._batches[0])  # the first call pays for set-up
        times = self._milliseconds[name] = []
        for numbers in tqdm(self._batches, f"sample {name}", mininterval=1.0):
            made, seconds = self._draw(drawing, numbers)
            times += [1000 * seconds / len(numbers)] * len(numbers)
            yield made

    def _draw(self, drawing: Sampler, numbers: np.ndarray) -> tuple[Tensor, float]:
        return sampler.timed(drawing, self._cond(numbers), numbers.tolist())

    def _cond(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(self.labels[numbers]).to(self._trained.device)

    def _repeated(self, frames: np.ndarray) -> Iterator[Tensor]:
        times = self._milliseconds["vae_bound"] = []
        for chosen in batches_of(frames, self._p.batch):
            start = time.perf_counter()
            made = reconstruct(self._trained.vae, self._data, chosen)
            times += [1000 * (time.perf_counter() - start) / len(chosen)] * len(chosen)
            yield made


def repeated(frames: np.ndarray, count: int) -> np.ndarray:
    """`count` of `frames` (N,): evenly spread, after as many whole rounds as fit."""
    rounds, rest = divmod(count, len(frames))
    positions = np.linspace(0, len(frames) - 1, rest).astype(int)
    return np.concatenate([np.tile(frames, rounds), frames[positions]])
