"""What conditions spectrograms: their labels."""

import torch

from echoes.dataset.spectrograms import Spectrograms
from echoes.latentstore import LatentStore
from echoes.models.conditions import Conditions


def conditions(data: Spectrograms, store: LatentStore, by: str) -> Conditions:
    """The labels, whatever the store holds. by: `labels`; nothing else comes with spectrograms."""
    return lambda frames, _: torch.from_numpy(data.labels(frames))
