"""Parts of batches, as the training loop hands them to a loader."""

import numpy as np

from echoes.training.parts import Part


def whole(frames: np.ndarray | list[int], step: int = 0) -> Part:
    """A batch in one part."""
    return Part(step, np.asarray(frames), 0, len(frames))
