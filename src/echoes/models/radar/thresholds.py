"""The occupancy threshold of a method: the one with the best cells on the validation split, and how good they are."""

from collections.abc import Callable

import numpy as np

from echoes.autoencoder.architecture import Autoencoder
from echoes.dataset.frames import batches_of, evenly_spaced
from echoes.dataset.grids import Grids
from echoes.evaluation.cells import Target
from echoes.evaluation.thresholds import Probable, choose_threshold, iou_3d
from echoes.models.conditions import Conditions, unmirrored
from echoes.models.radar import clouds, reconstruction
from echoes.models.radar.clouds import Cloud, from_decoded
from echoes.models.sampler import Sampler

THRESHOLDS = tuple(float(c) for c in np.linspace(0.04, 0.9, 44).round(2))
MOST = 1 - 1e-6  # of a threshold by the number of cells
BATCH = 16
FRAMES = 64  # of the validation split, evenly spread


class Validation:
    """The validation split of a track, and the scores of a method on it."""

    def __init__(self, vae: Autoencoder, grids: Grids, conditions: Conditions, frames: int = FRAMES) -> None:
        self._frames = evenly_spaced(grids.frames("val"), frames)
        self._targets: list[Target] = [clouds.target(grids, int(frame)) for frame in self._frames]
        self._vae, self._grids, self._conditions = vae, grids, conditions

    def threshold(self, sampler: Sampler) -> float:
        """The occupancy threshold with the best mean IoU of cells, over samples and reconstructions alike.

        Both, because the decoder is to be right on latents that were sampled and on those that were encoded.
        """
        sampled, repeated = self._probable(self.sampled(sampler)), self._probable(self.repeated)
        return choose_threshold(sampled + repeated, self._targets * 2, THRESHOLDS)

    def best(self, produce: Callable[[np.ndarray], list[Cloud]]) -> float:
        """The occupancy threshold with the best mean IoU of cells; `produce`: frames -> all that any may keep."""
        return choose_threshold(self._probable(produce), self._targets, THRESHOLDS)

    def as_many(self, produce: Callable[[np.ndarray], list[Cloud]]) -> float:
        """The threshold at which as many cells are occupied as in the targets; `produce` as `best` takes it.

        What looks like a sensor has as many returns; the best IoU takes fewer where they cannot be foreseen.
        """
        wanted = sum(len(target.cells.indices) for target in self._targets)
        found = np.sort(np.concatenate([probability for _, probability in self._probable(produce)]))[::-1]
        level = float(found[wanted - 1]) if len(found) >= wanted else THRESHOLDS[0]
        return min(max(level, THRESHOLDS[0]), MOST)

    def sampled(self, sampler: Sampler) -> Callable[[np.ndarray], list[Cloud]]:
        """frames (B,) -> their samples, with all that a threshold may keep."""

        def sample(frames: np.ndarray) -> list[Cloud]:
            cond = self._conditions(frames, unmirrored(frames)).to(sampler.device)
            return from_decoded(sampler(cond, frames.tolist()), THRESHOLDS[0], self._grids)

        return sample

    def repeated(self, frames: np.ndarray) -> list[Cloud]:
        """The targets of frames (B,) through the autoencoder."""
        return reconstruction.reconstruct(self._vae, self._grids, frames, THRESHOLDS[0])

    def iou(self, sampler: Sampler, threshold: float) -> float:
        """Mean IoU of the cells of samples."""
        found = self._probable(self.sampled(sampler))
        at = np.array([threshold])
        return float(np.mean([iou_3d(f, t, at)[0] for f, t in zip(found, self._targets, strict=True)]))

    def _probable(self, produce: Callable[[np.ndarray], list[Cloud]]) -> list[Probable]:
        made = [cloud for frames in batches_of(self._frames, BATCH) for cloud in produce(frames)]
        return [(cloud.indices, cloud.features[:, 0]) for cloud in made]
