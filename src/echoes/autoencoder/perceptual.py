"""What a network that knows spectrograms sees between two of them (after Zhang et al. 2018, Eq. 1).

Their network saw photographs and their channels are weighted by what people find alike; ours is the classifier of the
track's own labels that `teachers` trains, and all channels count the same. It tells limbs and rotor lines from their
blur, which the mean absolute error prefers where a decoder cannot know them exactly.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

STABILITY = 1e-4  # added to the square of a length that divides: where nothing is seen, nothing is compared


def distance(seen: Sequence[Tensor], clean: Sequence[Tensor]) -> Tensor:
    """(B,) square difference of feature vectors of length 1, mean over places and over depths.

    seen, clean  features (B, K, *S) of each depth, of what was decoded and of what was meant.
    """
    apart = [(_unit(a) - _unit(b)).square().sum(1).flatten(1).mean(1) for a, b in zip(seen, clean, strict=True)]
    return torch.stack(apart).mean(0)


def _unit(features: Tensor) -> Tensor:
    """(B, K, *S), each place's vector at length 1."""
    return features.float() / (features.float().square().sum(1, keepdim=True) + STABILITY).sqrt()
