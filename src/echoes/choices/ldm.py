"""What has an effect in the section `<track>.ldm` by its choices."""

from echoes.choices.denoiser import ARCHITECTURE
from echoes.choices.rules import only, under, unless
from echoes.choices.schedule import SCHEDULE

CHOICES = (
    *under("architecture", ARCHITECTURE),
    *under("schedule", SCHEDULE),
    only("architecture.parameterization", ["edm"], "loss.edm"),
    only("architecture.parameterization", ["flow"], "loss.flow"),
    only("architecture.parameterization", ["ddpm"], "loss.ddpm"),
    unless("architecture.regression.kind", "none", "loss.regression"),
    unless("loss.regression.occupancy.coarse", 0, "loss.regression.occupancy.factors"),
    unless("architecture.condition.by", "none", "loss.drop"),
)
