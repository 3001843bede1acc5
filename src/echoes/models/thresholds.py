"""The occupancy threshold of a track: chosen on validation with the sampler that is deployed, then a constant."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from echoes.dataset import Grids, batches_of
from echoes.evaluation.thresholds import choose_threshold, iou_bev
from echoes.latentstore import LatentStore
from echoes.models import clouds, methods
from echoes.models.batches import condition_batch
from echoes.models.methods import Decoder, Generator

CANDIDATES = tuple(float(c) for c in np.linspace(0.1, 0.9, 41).round(2))
BATCH = 16
FRAMES = 128  # of the validation split, evenly spread


def choose(
    generator: Generator, decoder: Decoder, grids: Grids, latents: LatentStore, condition: str, seed: int
) -> float:
    """The candidate with the best mean BEV IoU of a method's clouds on the validation split."""
    frames = grids.frames("val")
    frames = frames[np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).astype(int)]
    place = next(decoder.vae.parameters()).device
    shape: Sequence[int] = latents.header.content["latent_shape"]
    lowest = replace(decoder, threshold=CANDIDATES[0])
    found = []
    for chosen in batches_of(frames, BATCH):
        cond = condition_batch(grids, latents, condition, chosen, np.zeros(len(chosen), bool)).to(place)
        made, _ = methods.clouds(generator, lowest, cond, chosen.tolist(), shape, seed)
        found += [(cloud.indices, cloud.features[:, 0]) for cloud in made]
    return choose_threshold(found, [clouds.target(grids, int(f)) for f in frames], CANDIDATES, iou_bev)
