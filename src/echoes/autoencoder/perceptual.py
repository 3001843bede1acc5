"""What a trained network sees between two samples (after Zhang et al. 2018, Eq. 1).

Their network saw photographs and their channels are weighted by what people find alike. Here all channels count the
same. Of spectrograms it is the classifier of the track's own labels that `teachers` trains: it tells limbs and rotor
lines from their blur, which the mean absolute error prefers where a decoder cannot know them exactly. Of clouds it is
the encoder of an autoencoder that was trained before.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from echoes import tasks
from echoes.autoencoder.vae import Vae
from echoes.nets.layers import ResBlock, space_to_depth
from echoes.tasks import OCCUPANCY

STABILITY = 1e-4  # added to the square of a length that divides: where nothing is seen, nothing is compared


def distance(seen: Sequence[Tensor], clean: Sequence[Tensor]) -> Tensor:
    """(B,) square difference of feature vectors of length 1, mean over places and over depths.

    seen, clean  features (B, K, *S) of each depth, of what was decoded and of what was meant.
    """
    apart = [(_unit(a) - _unit(b)).square().sum(1).flatten(1).mean(1) for a, b in zip(seen, clean, strict=True)]
    return torch.stack(apart).mean(0)


def depths(vae: Vae, x: Tensor) -> list[Tensor]:
    """x (B, C, *S) -> the features (B, K, *S') of each place after each residual block of an encoder."""
    found, maps = [], space_to_depth(vae.stem(x), vae.patch)
    for module in vae.encoder:
        maps = module(maps)
        if isinstance(module, ResBlock):
            found.append(maps)
    return found


def expected(decoded: Tensor, channels: Sequence[str]) -> Tensor:
    """(B, C, *S) logits of masks and values -> the cloud that they tell of on average, which has a gradient everywhere.

    Masks are their chances, those beside the occupancy within it; what is measured is there as often as its mask.
    """
    said = dict(zip(channels, decoded.unbind(1), strict=True))
    chance = {OCCUPANCY: said[OCCUPANCY].sigmoid()}
    chance |= {name: chance[OCCUPANCY] * said[name].sigmoid() for name in tasks.masks(channels)}
    known = {name: said[name] * chance[tasks.mask_of(name, channels)] for name in tasks.measured(channels)}
    return torch.stack([{**chance, **known}[name] for name in channels], dim=1)


def _unit(features: Tensor) -> Tensor:
    """(B, K, *S), each place's vector at length 1."""
    return features.float() / (features.float().square().sum(1, keepdim=True) + STABILITY).sqrt()
