"""What has an effect in the sections `<track>.cd` and `<track>.sample` by their choices."""

from echoes.choices.rules import only, under, unless
from echoes.choices.schedule import SCHEDULE

SIGMAS = (
    only("spacing", ["karras"], "rho"),
    only("spacing", ["flow"], "shift"),
)
STANDS = {"sigmas.rho": 7.0, "sigmas.shift": 1.0}  # in the architecture of a consistency model
GUIDANCE = (unless("weight", 1, "low", "high"),)
CD = (
    *under("sigmas", SIGMAS),
    *under("guidance", GUIDANCE),
    *under("schedule", SCHEDULE),
    unless("student.kind", "ensemble", "guidance", "target_ema"),
)
SAMPLE = (
    *under("sigmas", SIGMAS),
    *under("guidance", GUIDANCE),
    unless("tiles.cells", (), "tiles.overlap"),
    *(only("solver", [name], name) for name in ("dopri5", "euler_ancestral", "stochastic_heun")),
)
