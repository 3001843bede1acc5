"""What of radar frames is encoded: target and radar, and both of the mirrored frame."""

import numpy as np

from echoes.dataset.grids import Grids
from echoes.grids import Y_AXIS
from echoes.models.extraction import Encode


def encoded(encode: Encode, grids: Grids, frames: np.ndarray) -> dict[str, np.ndarray]:
    """latents, std and cond, the radar through the same encoder, (B, Z, *S / factor), and all three `_mirrored`."""
    batch: dict[str, np.ndarray] = {}
    target, radar = grids.target_batch(frames), grids.radar_as_target_batch(frames)
    for ending in ("", "_mirrored"):
        mean, std = encode(target)
        batch |= {f"latents{ending}": mean, f"std{ending}": std, f"cond{ending}": encode(radar)[0]}
        target, radar = (np.ascontiguousarray(np.flip(dense, Y_AXIS)) for dense in (target, radar))
    return batch
