"""Batches of the autoencoder with alterations, drawn anew for each sample of each step.

A generator is named by step and place in the batch: the same after a resume, and however a batch is divided.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from echoes import seeds
from echoes.augmentation import clouds, spectrograms
from echoes.augmentation.clouds import CloudAugmentation
from echoes.augmentation.spectrograms import SpectrogramAugmentation, Steps
from echoes.autoencoder.fitting import CloudBatch, SpectrogramBatch
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.training.microbatches import MicroBatch

Generators = list[np.random.Generator]


def require_turnable(grids: Grids, p: CloudAugmentation) -> None:
    """Raises InputError for quarter turns of a grid that is not as long as it is wide."""
    width, length = grids.shape[1:]
    if p.unphysical.quarter_turn and width != length:
        told = f"expected 0 for {width} cells along y and {length} along x, got {p.unphysical.quarter_turn}"
        raise InputError(f"vae.augmentation.unphysical.quarter_turn: {told}")


def of_clouds(
    load: Callable[[MicroBatch], CloudBatch], grids: Grids, p: CloudAugmentation, seed: int
) -> Callable[[MicroBatch], CloudBatch]:
    """part -> batch as `load` gives it, altered: frames are mixed, then moved, then what goes in is disturbed.

    The same function where nothing is to be altered.
    """
    channels, units, frames = grids.task.target, grids.scaling, grids.targets()

    def altered(part: MicroBatch) -> CloudBatch:
        batch, rngs = load(part), _generators(seed, part)
        if p.mixup:
            others = load(replace(part, frames=np.array([rng.choice(frames) for rng in rngs])))
            batch = _mixed(batch, others, [rng.beta(p.mixup, p.mixup) for rng in rngs], channels)
        if p.unphysical.moves:
            batch = _moved(batch, p.unphysical, rngs)
        if not p.disturbs:
            return batch
        rows = zip(_rows(batch.target), rngs, strict=True)
        return replace(batch, given=_joined(clouds.disturbed(one, channels, units, p, rng) for one, rng in rows))

    return altered if p.mixup or p.unphysical.moves or p.disturbs else load


def of_spectrograms(
    load: Callable[[MicroBatch], SpectrogramBatch], data: Spectrograms, p: SpectrogramAugmentation, seed: int
) -> Callable[[MicroBatch], SpectrogramBatch]:
    """part -> batch as `load` gives it, altered; the same function where nothing is to be altered."""
    steps = Steps(data.velocity.step, data.time.step, data.ceiling_db - data.floor_db)

    def altered(part: MicroBatch) -> SpectrogramBatch:
        clean, rngs = load(part).clean, _generators(seed, part)
        if p.alters:
            clean = _joined(
                spectrograms.altered(one, steps, p, rng) for one, rng in zip(_rows(clean), rngs, strict=True)
            )
        if not p.disturbs:
            return SpectrogramBatch(clean, clean)
        given = (spectrograms.disturbed(one, steps, p, rng) for one, rng in zip(_rows(clean), rngs, strict=True))
        return SpectrogramBatch(_joined(given), clean)

    return altered if p.alters or p.disturbs else load


def _mixed(batch: CloudBatch, others: CloudBatch, shares: list[float], channels: tuple[str, ...]) -> CloudBatch:
    """Mixup of both; a cell is observed where it is in either."""
    pairs = zip(_rows(batch.target), _rows(others.target), shares, strict=True)
    target = _joined(clouds.mixed(one, other, share, channels) for one, other, share in pairs)
    return replace(batch, given=target, target=target, observed=torch.maximum(batch.observed, others.observed))


def _moved(batch: CloudBatch, p: clouds.UnphysicalMoves, rngs: Generators) -> CloudBatch:
    moves = [clouds.draw_move(p, rng) for rng in rngs]
    target, observed = (
        _joined(clouds.moved(one, move) for one, move in zip(_rows(of), moves, strict=True))
        for of in (batch.target, batch.observed)
    )
    return replace(batch, given=target, target=target, observed=observed)


def _generators(seed: int, part: MicroBatch) -> Generators:
    return [seeds.rng(seed, "train_vae", "augmentation", part.step, place) for place in range(part.start, part.stop)]


def _rows(batch: Tensor) -> np.ndarray:
    return np.asarray(batch.numpy())


def _joined(rows: Iterator[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(list(rows)))
