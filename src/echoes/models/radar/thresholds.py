"""The occupancy threshold of a method: the one with the best cells on the validation split, and how good they are."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from echoes.dataset.frames import batches_of, spread
from echoes.dataset.grids import Grids
from echoes.evaluation.cells import Target
from echoes.evaluation.thresholds import Probable, choose_threshold, iou_3d
from echoes.models.conditions import Conditions, straight
from echoes.models.methods import Generator
from echoes.models.radar import clouds, reconstruction
from echoes.models.radar.clouds import Cloud
from echoes.models.radar.decoding import CloudDecoder, decoded_clouds

THRESHOLDS = tuple(float(c) for c in np.linspace(0.04, 0.9, 44).round(2))
BATCH = 16
FRAMES = 64  # of the validation split, evenly spread


class Validation:
    """The validation split of a track, and the scores of a method on it."""

    def __init__(
        self,
        decoder: CloudDecoder,
        grids: Grids,
        conditions: Conditions,
        latent_shape: Sequence[int],
        seed: int,
        frames: int = FRAMES,
    ) -> None:
        self._frames = spread(grids.frames("val"), frames)
        self._targets: list[Target] = [clouds.target(grids, int(frame)) for frame in self._frames]
        self._decoder = replace(decoder, threshold=THRESHOLDS[0])  # the clouds hold all that a threshold may keep
        self._grids, self._conditions, self._latent_shape, self._seed = grids, conditions, latent_shape, seed
        self._vae = decoder.decoder.vae
        self._place = next(self._vae.parameters()).device

    def threshold(self, generator: Generator) -> float:
        """The occupancy threshold with the best mean IoU of cells, over samples and reconstructions alike.

        Both, because the decoder is to be right on latents that were sampled and on those that were encoded.
        """
        sampled, repeated = self._probable(self.sampler(generator)), self._probable(self.repeated)
        return choose_threshold(sampled + repeated, self._targets * 2, THRESHOLDS, iou_3d)

    def best(self, produce: Callable[[np.ndarray], list[Cloud]]) -> float:
        """The occupancy threshold with the best mean IoU of cells; `produce`: frames -> all that any may keep."""
        return choose_threshold(self._probable(produce), self._targets, THRESHOLDS, iou_3d)

    def sampler(self, generator: Generator) -> Callable[[np.ndarray], list[Cloud]]:
        """frames (B,) -> the samples of a generator, with all that a threshold may keep."""
        return lambda frames: self._sample(generator, frames)

    def repeated(self, frames: np.ndarray) -> list[Cloud]:
        """The targets of frames (B,) through the autoencoder."""
        return reconstruction.reconstruct(self._vae, self._grids, frames, THRESHOLDS[0])

    def iou(self, generator: Generator, threshold: float) -> float:
        """Mean IoU of the cells of samples."""
        found = self._probable(self.sampler(generator))
        at = np.array([threshold])
        return float(np.mean([iou_3d(f, t, at)[0] for f, t in zip(found, self._targets, strict=True)]))

    def _probable(self, produce: Callable[[np.ndarray], list[Cloud]]) -> list[Probable]:
        made = [cloud for frames in batches_of(self._frames, BATCH) for cloud in produce(frames)]
        return [(cloud.indices, cloud.features[:, 0]) for cloud in made]

    def _sample(self, generator: Generator, frames: np.ndarray) -> list[Cloud]:
        cond = self._conditions(frames, straight(frames)).to(self._place)
        return decoded_clouds(generator, self._decoder, cond, frames.tolist(), self._latent_shape, self._seed)[0]
