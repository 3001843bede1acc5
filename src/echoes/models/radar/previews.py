"""Pictures of what a model makes of the radar of the validation split while it trains."""

from collections.abc import Sequence
from pathlib import Path

from echoes.dataset.grids import Grids
from echoes.models.conditions import Conditions, straight
from echoes.models.methods import Decoder, Generator
from echoes.models.radar import pictures
from echoes.models.radar.decoding import CloudDecoder, decoded_clouds


def sampled(
    generator: Generator,
    decoder: Decoder,
    grids: Grids,
    conditions: Conditions,
    shape: Sequence[int],
    seed: int,
    path: Path,
) -> None:
    """Clouds made of the radar of frames, beside their targets."""
    frames = pictures.chosen(grids)
    cond = conditions(frames, straight(frames)).to(next(generator.model.parameters()).device)
    made, _ = decoded_clouds(
        generator, CloudDecoder(decoder, grids.scaling, pictures.THRESHOLD), cond, frames.tolist(), shape, seed
    )
    pictures.draw(made, "sample", frames, grids, path)
