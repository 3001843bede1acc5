"""What headers of older formats mean today, so that what was published loads.

1   before tasks were told: a track of clouds enhanced a radar's. `second_sigma` was called `middle`. No encoder had a
    stem.
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


NO_STEM = {"convolution": "none", "channels": 8, "layers": 2}


def architecture(told: Mapping[str, Any], format: int) -> dict[str, Any]:
    """The architecture in a header of that format, as it is told today."""
    found = dict(told)
    if format < 2:
        if "variant" in found:  # of an autoencoder
            found["stem"] = NO_STEM
        if isinstance(found.get("denoiser"), Mapping):  # of a consistency model
            found["denoiser"] = _conditioned_without_stem(found["denoiser"])
        found = _conditioned_without_stem(found)
    return found


def _conditioned_without_stem(denoiser: Mapping[str, Any]) -> dict[str, Any]:
    condition = denoiser.get("condition")
    if isinstance(condition, Mapping) and condition.get("by") in ("encoder", "vae"):
        return {**denoiser, "condition": {**condition, "stem": NO_STEM}}
    return dict(denoiser)
