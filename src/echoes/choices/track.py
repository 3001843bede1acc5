"""What has an effect in all sections of a track."""

from collections.abc import Mapping
from typing import Any

from echoes.choices import ldm, rules, sampling, vae, voxelizing
from echoes.choices.rules import Choice, unless

AUGMENT = (unless("classical.shift_s", 0, "classical.shift"), unless("multiples", (), "sieve"))
SECTIONS = {
    "grid": voxelizing.GRID,
    "vae": vae.CHOICES,
    "ldm": ldm.CHOICES,
    "cd": sampling.CD,
    "sample": sampling.SAMPLE,
    "augment": AUGMENT,
}


def choices(section: str, values: Any) -> tuple[Choice, ...]:
    """Those of a section of a track that holds these values."""
    if section == "source":
        return voxelizing.source(values.get("reader")) if isinstance(values, Mapping) else ()
    return SECTIONS.get(section, ())


def idle(values: Any) -> dict[str, str]:
    """Dotted key below a track -> why its value has no effect."""
    sections = values.items() if isinstance(values, Mapping) else ()
    every = [choice for name, section in sections for choice in rules.under(name, choices(name, section))]
    return rules.idle(values, every)
