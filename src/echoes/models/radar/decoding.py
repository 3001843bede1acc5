"""Samples of a generator as clouds of a track."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from echoes.models import methods
from echoes.models.methods import Decoder, Generator
from echoes.models.radar.clouds import Cloud, from_decoded
from echoes.rasters.scaling import Scaling


@dataclass(frozen=True)
class CloudDecoder:
    """What turns latents into clouds: the decoder, the occupancy threshold, and the units of the features."""

    decoder: Decoder
    scaling: Scaling
    threshold: float


def decoded_clouds(
    generator: Generator,
    decoder: CloudDecoder,
    cond: Tensor,
    frames: Sequence[int],
    latent_shape: Sequence[int],
    seed: int,
) -> tuple[list[Cloud], float]:
    """The clouds of a batch, and the seconds it took from condition to decoded grid.

    cond (B, ...) on the device of the model; frames (B,) name the noise.
    """
    decoded, seconds = methods.decoded(generator, decoder.decoder, cond, frames, latent_shape, seed)
    return from_decoded(decoded, decoder.threshold, decoder.scaling), seconds
