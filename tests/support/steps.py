"""Parts of batches, as the training loop hands them to a loader."""

import numpy as np

from echoes.training.microbatches import MicroBatch


def whole(frames: np.ndarray | list[int], step: int = 0) -> MicroBatch:
    """A batch in one part."""
    return MicroBatch(step, np.asarray(frames), 0, len(frames))
