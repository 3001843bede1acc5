"""Pictures of what a model makes of the frames of the validation split while it trains."""

from pathlib import Path

from echoes.dataset.grids import Grids
from echoes.models.conditions import Conditions, unmirrored
from echoes.models.radar import pictures
from echoes.models.radar.clouds import from_decoded
from echoes.models.sampler import Sampler


def sampled(sampler: Sampler, grids: Grids, conditions: Conditions, path: Path) -> None:
    """Clouds made of what goes in, beside it and the targets."""
    frames = pictures.preview_frames(grids)
    cond = conditions(frames, unmirrored(frames)).to(sampler.device)
    made = from_decoded(sampler(cond, frames.tolist()), pictures.THRESHOLD, grids)
    pictures.draw(made, "sample", frames, grids, path)
