"""Latents of every frame: posterior mean and deviation, and the radar through the same encoder."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import torch

from echoes.autoencoder.fitting import Y_AXIS
from echoes.autoencoder.latents import Moments
from echoes.autoencoder.vae import Vae
from echoes.dataset.frames import batches_of
from echoes.dataset.grids import Grids
from echoes.provenance import Header
from echoes.training.loop import half_precision


class Extraction:
    """Encodes batch by batch; its statistics are known once the last batch is out."""

    def __init__(self, vae: Vae, grids: Grids, vae_header: Header) -> None:
        self._vae, self._grids, self._vae_header = vae, grids, vae_header
        self._moments = Moments()
        self._shape: tuple[int, ...] = ()

    def batches(self, size: int) -> Iterator[dict[str, np.ndarray]]:
        """mean, std and cond (B, Z, *S / 4) of all frames in order, and the same of the mirrored frames."""
        every, train = np.arange(len(self._grids)), set(self._grids.frames("train").tolist())
        for frames in batches_of(every, size):
            batch: dict[str, np.ndarray] = {}
            target, radar = self._grids.target_batch(frames), self._grids.radar_as_target_batch(frames)
            for ending, flip in (("", False), ("_mirrored", True)):
                mean, std = self._encode(target, flip)
                batch |= {f"mean{ending}": mean, f"std{ending}": std, f"cond{ending}": self._encode(radar, flip)[0]}
            inside = [i for i, frame in enumerate(frames) if int(frame) in train]
            if inside:
                self._moments.add(torch.from_numpy(batch["mean"][inside]), torch.from_numpy(batch["std"][inside]))
            self._shape = batch["mean"].shape[1:]
            yield batch

    def header(self) -> Header:
        content = {
            "latent_shape": list(self._shape),
            "radar_channels": self._grids.header.content["radar_channels"],
            "whitening": asdict(self._moments.whitening()),
        }
        parents = {"grids": self._grids.header.identity, "vae": self._vae_header.identity}
        return Header("latents", {}, parents, content)

    def statistics(self) -> dict[str, float]:
        """Mean and deviation of each latent channel over the train split."""
        found = self._moments.whitening()
        values = [(f"{name}_{i}", v) for name in ("mean", "std") for i, v in enumerate(getattr(found, name))]
        return {"frames": len(self._grids), **dict(values)}

    @torch.no_grad()
    def _encode(self, dense: np.ndarray, flip: bool) -> tuple[np.ndarray, np.ndarray]:
        place = next(self._vae.parameters()).device
        cells = np.ascontiguousarray(np.flip(dense, Y_AXIS)) if flip else dense
        with torch.autocast(place.type, torch.bfloat16, enabled=half_precision("auto", place)):
            posterior = self._vae.encode(torch.from_numpy(cells).to(place))
        return posterior.mean.cpu().numpy(), torch.exp(0.5 * posterior.logvar).cpu().numpy()
