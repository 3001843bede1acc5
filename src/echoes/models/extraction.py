"""Latents of every frame: posterior mean and deviation, with the whitening statistics of the train split."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from echoes.autoencoder.architecture import Autoencoder
from echoes.autoencoder.latents import Moments
from echoes.compute.device import device_of
from echoes.compute.precision import autocast
from echoes.dataset import catalog
from echoes.dataset.frames import batches_of
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.models import autoencoders, families, mapping
from echoes.models.mapping import FrameMap, WorkerSettings
from echoes.provenance import Header

Encode = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # dense (B, C, *S) -> mean and std of its latents


class Extraction:
    """Encodes batch by batch; its statistics are known once the last batch is out."""

    def __init__(self, vae: Autoencoder, data: Grids | Spectrograms, vae_header: Header) -> None:
        self._vae, self._data, self._vae_header = vae, data, vae_header
        self._moments = Moments()
        self._shape: tuple[int, ...] = ()

    def batches(self, size: int, frame_map: FrameMap = mapping.in_process) -> Iterator[dict[str, np.ndarray]]:
        """latents and std (B, Z, *S / factor) of all frames in order, and what belongs to them in their family."""
        every, train = np.arange(len(self._data)), set(self._data.frames("train").tolist())
        pieces = batches_of(every, size)
        encoded = frame_map(self.encoded, partial(_encoded, self._vae_header.identity), pieces)
        for frames, batch in zip(tqdm(pieces, "extract", mininterval=1.0), encoded, strict=True):
            inside = [i for i, frame in enumerate(frames) if int(frame) in train]
            if inside:
                self._moments.add(torch.from_numpy(batch["latents"][inside]), torch.from_numpy(batch["std"][inside]))
            self._shape = batch["latents"].shape[1:]
            yield batch

    def encoded(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """The same of some frames (B,)."""
        return families.encoding(self._data.family).encoded(self._encode, self._data, frames)

    def header(self, params: dict[str, Any]) -> Header:
        """params: the section `<track>.latents`."""
        content = {
            **self._vae_header.content,
            "latent_shape": list(self._shape),
            "compression": self._vae.compression,
            "whitening": asdict(self._moments.whitening()),
        }
        parents = {"grids": self._data.header.identity, "vae": self._vae_header.identity}
        return Header("latents", params, parents, content)

    def statistics(self) -> dict[str, float]:
        """Mean and deviation of each latent channel over the train split."""
        found = self._moments.whitening()
        values = [(f"{name}_{i}", v) for name in ("mean", "std") for i, v in enumerate(getattr(found, name))]
        return {"frames": len(self._data), **dict(values)}

    @torch.no_grad()
    def _encode(self, dense: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        device = device_of(self._vae)
        with autocast(device):
            posterior = self._vae.encode(torch.from_numpy(dense).to(device))
        return posterior.mean.cpu().numpy(), posterior.std.cpu().numpy()


def _encoded(identity: str, worker: WorkerSettings, frames: np.ndarray) -> dict[str, np.ndarray]:
    """`Extraction.encoded` on a worker. identity: of the autoencoder."""
    with worker.computing():
        return _opened(identity, worker).encoded(frames)


@lru_cache(maxsize=1)
def _opened(identity: str, worker: WorkerSettings) -> Extraction:
    path = worker.data / "vae.safetensors"
    vae, header = autoencoders.load(path, mapping.CPU)
    worker.require(path, header, identity)
    return Extraction(vae, catalog.read(worker.data / "grids.zarr"), header)
