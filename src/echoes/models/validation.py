"""What is chosen on the validation split with the sampler that is deployed, and then is a constant."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from echoes.dataset.frames import batches_of, spread
from echoes.dataset.grids import Grids
from echoes.diffusion.samplers import karras_sigmas
from echoes.distillation.consistency import ConsistencyModel
from echoes.errors import InputError
from echoes.evaluation.clouds import Target
from echoes.evaluation.thresholds import Probable, choose_threshold, iou_3d
from echoes.latentstore import LatentStore
from echoes.models import clouds, methods, reconstruction
from echoes.models.batches import condition_batch
from echoes.models.clouds import Cloud
from echoes.models.denoisers import CdParams
from echoes.models.methods import Decoder, Generator

THRESHOLDS = tuple(float(c) for c in np.linspace(0.1, 0.9, 41).round(2))
BATCH = 16
FRAMES = 64  # of the validation split, evenly spread
WIDEST = 8.0  # the second step starts from between sigma_data / WIDEST and sigma_data * WIDEST


class Validation:
    """The validation split of a track, and the scores of a method on it."""

    def __init__(self, decoder: Decoder, grids: Grids, latents: LatentStore, condition: str, seed: int) -> None:
        self._frames = spread(grids.frames("val"), FRAMES)
        self._targets: list[Target] = [clouds.target(grids, int(frame)) for frame in self._frames]
        self._decoder = replace(decoder, threshold=THRESHOLDS[0])  # the clouds hold all that a threshold may keep
        self._grids, self._latents, self._condition, self._seed = grids, latents, condition, seed
        self._place = next(decoder.vae.parameters()).device

    def threshold(self, generator: Generator) -> float:
        """The occupancy threshold with the best mean IoU of cells, over samples and reconstructions alike.

        Both, because the decoder is to be right on latents that were sampled and on those that were encoded.
        """
        sampled = self._probable(lambda frames: self._sample(generator, frames))
        repeated = self._probable(
            lambda frames: reconstruction.reconstruct(self._decoder.vae, self._grids, frames, THRESHOLDS[0])
        )
        return choose_threshold(sampled + repeated, self._targets * 2, THRESHOLDS, iou_3d)

    def middle(self, model: ConsistencyModel, p: CdParams, threshold: float) -> float:
        """The noise level of the schedule from which the second step has the best mean IoU of cells.

        Only levels of the schedule, because the model was trained on no others (Song et al. 2023, Algorithm 1
        leaves the choice open).
        """
        scale = model.denoiser.sigma_data
        levels = [s for s in karras_sigmas(p.sigmas).tolist()[1:-2] if scale / WIDEST <= s <= scale * WIDEST]
        if not levels:
            between = f"between {scale / WIDEST} and {scale * WIDEST}"
            raise InputError(f"cd.sigmas: expected a level {between} for the second step, got none in {p.sigmas}")
        scores = [self._iou(methods.cd(model, p, [sigma], self._seed), threshold) for sigma in levels]
        return levels[int(np.argmax(scores))]

    def _iou(self, generator: Generator, threshold: float) -> float:
        found = self._probable(lambda frames: self._sample(generator, frames))
        at = np.array([threshold])
        return float(np.mean([iou_3d(f, t, at)[0] for f, t in zip(found, self._targets, strict=True)]))

    def _probable(self, produce: Callable[[np.ndarray], list[Cloud]]) -> list[Probable]:
        made = [cloud for frames in batches_of(self._frames, BATCH) for cloud in produce(frames)]
        return [(cloud.indices, cloud.features[:, 0]) for cloud in made]

    def _sample(self, generator: Generator, frames: np.ndarray) -> list[Cloud]:
        straight = np.zeros(len(frames), bool)
        cond = condition_batch(self._grids, self._latents, self._condition, frames, straight).to(self._place)
        shape = self._latents.header.content["latent_shape"]
        with torch.no_grad():
            return methods.clouds(generator, self._decoder, cond, frames.tolist(), shape, self._seed)[0]
