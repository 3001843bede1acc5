"""What headers of older formats mean today, so that what was published loads.

1   before tasks were told: a track of clouds enhanced a radar's
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from echoes.tasks import ENHANCE


def content(told: Mapping[str, Any], format: int) -> dict[str, Any]:
    """The content of a header of that format, as it is told today."""
    if format < 2 and "target_channels" in told:
        return {**told, "task": asdict(ENHANCE)}
    return dict(told)
