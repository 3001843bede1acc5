"""Batches of the autoencoder at the resolution of their step."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from echoes.autoencoder.fitting import CloudBatch, SpectrogramBatch
from echoes.autoencoder.resolution import Full, Multiple, Resolution, coarser_cells, coarser_picture, largest
from echoes.training.microbatches import MicroBatch


def of_clouds(
    load: Callable[[MicroBatch], CloudBatch], channels: Sequence[str], p: Resolution, multiple: Multiple, seed: int
) -> Callable[[MicroBatch], CloudBatch]:
    """part -> batch as `load` gives it, coarser; a cell is observed where one in it is.

    The same function where grids stay as they are. multiple: cells that share one latent.
    """

    def coarser(part: MicroBatch) -> CloudBatch:
        batch, scale = load(part), p.scale(part.step, seed)
        if scale == 1:
            return batch
        target = coarser_cells(batch.target, channels, scale, multiple)
        given = target if batch.given is batch.target else coarser_cells(batch.given, channels, scale, multiple)
        observed = largest(batch.observed, scale, multiple)
        return replace(batch, given=given, target=target, observed=observed)

    return load if isinstance(p, Full) else coarser


def of_spectrograms(
    load: Callable[[MicroBatch], SpectrogramBatch], p: Resolution, multiple: Multiple, seed: int
) -> Callable[[MicroBatch], SpectrogramBatch]:
    """part -> batch as `load` gives it, coarser; the same function where spectrograms stay as they are."""

    def coarser(part: MicroBatch) -> SpectrogramBatch:
        batch, scale = load(part), p.scale(part.step, seed)
        if scale == 1:
            return batch
        clean = coarser_picture(batch.clean, scale, multiple)
        given = clean if batch.given is batch.clean else coarser_picture(batch.given, scale, multiple)
        return SpectrogramBatch(given, clean)

    return load if isinstance(p, Full) else coarser
