"""Pictures of what a model makes of the labels of the validation split while it trains."""

from collections.abc import Sequence
from pathlib import Path

from echoes.dataset.spectrograms import Spectrograms
from echoes.models import methods
from echoes.models.conditions import Conditions, straight
from echoes.models.methods import Decoder, Generator
from echoes.models.microdoppler import pictures


def sampled(
    generator: Generator,
    decoder: Decoder,
    data: Spectrograms,
    conditions: Conditions,
    shape: Sequence[int],
    seed: int,
    path: Path,
) -> None:
    """Spectrograms made of the labels of real ones, beside them."""
    frames = pictures.chosen(data)
    cond = conditions(frames, straight(frames)).to(next(generator.model.parameters()).device)
    made, _ = methods.decoded(generator, decoder, cond, frames.tolist(), shape, seed)
    pictures.draw(made, "sample", frames, data, path)
