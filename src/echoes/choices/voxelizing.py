"""What has an effect on the grids in the sections `<track>.source` and `<track>.grid` by their choices."""

from typing import Any

from echoes.choices.rules import Choice, only, unless

GRID = (
    only("task", ["enhance"], "radius_m"),
    unless("sweeps.count", 1, "sweeps.seconds"),
    unless(
        "augmentation.copies",
        0,
        *(f"augmentation.{key}" for key in ("max_rotation_rad", "min_fraction", "power_db", "noise_m", "fade", "seed")),
    ),
)
# Of readers that do not look at it themselves; `echoes inspect` does.
DOPPLER = (
    unless("ego_motion", "none", "doppler"),
    only("ego_motion", ["estimated"], *(f"doppler.{key}" for key in ("static_mps", "static_share", "max_speed_mps"))),
)
READERS = {
    "simulated": DOPPLER,
    "astyx": DOPPLER,
    "ros": (*DOPPLER, only("motion.sensor", [None], "motion.rotation", "motion.translation_m")),
    "generated": DOPPLER,
    "clouds": (*DOPPLER, unless("lidar", None, "stamp_tolerance_s"), unless("stamps.by", "number", "join_s")),
    "images": (only("colour", ["colormap"], "colormap"),),
}


def source(reader: Any) -> tuple[Choice, ...]:
    """The choices of the section `source` by its reader."""
    return READERS.get(reader, ()) if isinstance(reader, str) else ()
