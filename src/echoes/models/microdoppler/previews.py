"""Pictures of what a model makes of the labels of the validation split while it trains."""

from pathlib import Path

from echoes.dataset.spectrograms import Spectrograms
from echoes.models.conditions import Conditions, unmirrored
from echoes.models.microdoppler import pictures
from echoes.models.sampler import Sampler


def sampled(sampler: Sampler, data: Spectrograms, conditions: Conditions, path: Path) -> None:
    """Spectrograms made of the labels of real ones, beside them."""
    frames = pictures.preview_frames(data)
    cond = conditions(frames, unmirrored(frames)).to(sampler.device)
    pictures.draw(sampler(cond, frames.tolist()), "sample", frames, data, path)
