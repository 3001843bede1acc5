"""What headers of older formats mean today, so that what was published loads.

1   before tasks were told: a track of clouds enhanced a radar's. `second_sigma` was called `middle`.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from echoes.tasks import ENHANCE


def content(told: Mapping[str, Any], format: int) -> dict[str, Any]:
    """The content of a header of that format, as it is told today."""
    found = dict(told)
    if format < 2:
        if "target_channels" in found:
            found["task"] = asdict(ENHANCE)
        if "middle" in found:
            found["second_sigma"] = found.pop("middle")
    return found
