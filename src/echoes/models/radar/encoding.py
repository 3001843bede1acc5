"""What of the frames of a track of clouds is encoded: the target, what goes in, and both of the mirrored frame."""

import numpy as np

from echoes.dataset.grids import Grids
from echoes.grids import Y_AXIS
from echoes.models.extraction import Encode


def encoded(encode: Encode, grids: Grids, frames: np.ndarray) -> dict[str, np.ndarray]:
    """latents, std and cond, what goes in through the same encoder, (B, Z, *S / factor), all three also `_mirrored`."""
    batch: dict[str, np.ndarray] = {}
    target, given = grids.target_batch(frames), grids.input_as_target_batch(frames)
    for ending in ("", "_mirrored"):
        mean, std = encode(target)
        batch |= {f"latents{ending}": mean, f"std{ending}": std, f"cond{ending}": encode(given)[0]}
        target, given = (np.ascontiguousarray(np.flip(dense, Y_AXIS)) for dense in (target, given))
    return batch
