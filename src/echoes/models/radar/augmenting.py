"""Batches of the denoiser in which the cloud that goes in is disturbed; the latents, made long before, stay."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from echoes import seeds
from echoes.augmentation import clouds
from echoes.augmentation.clouds import InputAugmentation
from echoes.models.batches import LatentBatch
from echoes.training.microbatches import MicroBatch


def inputs(
    load: Callable[[MicroBatch], Any], data: Any, p: InputAugmentation | None, seed: int
) -> Callable[[MicroBatch], Any]:
    """part -> batch as `load` gives it, with disturbed cells: the denoiser and the regression beside it see the same.

    data  Grids, where anything is to be disturbed; else the same function is given back.
    """
    if p is None or not p.disturbs:
        return load
    channels, units, changes = data.task.input, data.scaling, p

    def worse(cells: Tensor, part: MicroBatch) -> Tensor:
        rngs = (seeds.rng(seed, "train_ldm", "augmentation", part.step, i) for i in range(part.start, part.stop))
        rows = zip(cells.numpy(), rngs, strict=True)
        return torch.from_numpy(np.stack([clouds.disturbed(one, channels, units, changes, rng) for one, rng in rows]))

    def disturbed(part: MicroBatch) -> Any:
        batch = load(part)
        if isinstance(batch, LatentBatch):
            return replace(batch, cond=worse(batch.cond, part))
        latents, regressed = batch
        cells = worse(latents.cond, part)
        return replace(latents, cond=cells), regressed and replace(regressed, given=cells)

    return disturbed
