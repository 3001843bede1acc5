"""What of spectrograms is encoded: themselves, beside their labels; no flip of theirs is physical."""

import numpy as np

from echoes.dataset.spectrograms import Spectrograms
from echoes.models.extraction import Encode


def encoded(encode: Encode, data: Spectrograms, frames: np.ndarray) -> dict[str, np.ndarray]:
    """latents and std (B, Z, *S / factor), labels (B, kinds)."""
    mean, std = encode(data.target_batch(frames))
    return {"latents": mean, "std": std, "labels": data.labels(frames)}
