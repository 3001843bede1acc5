"""Regression of the target's cells from the radar at full resolution, end to end: no latents and no noise.

It is trained with the denoiser and travels with it. Where distances count it is hard to beat, because the mean of
what may be there is nearest to all of it; what a sample adds is the look of a LiDAR.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from echoes.nets.birdseye import BirdseyeUNet
from echoes.nets.unet import UNetConfig
from echoes.rasters.cells import RADAR_CHANNELS, TARGET_CHANNELS

OFFSETS = ("offset_z", "offset_y", "offset_x")  # what is regressed beside the channels of the target
OUTPUTS = (*TARGET_CHANNELS, *OFFSETS)


@dataclass(frozen=True)
class BirdseyeRegression:
    """A U-Net over the ground plane."""

    kind: Literal["birdseye"]
    unet: UNetConfig


@dataclass(frozen=True)
class NoRegression:
    """Nothing is regressed, as where labels are the condition."""

    kind: Literal["none"]


def build(p: BirdseyeRegression, shape: tuple[int, ...]) -> BirdseyeUNet:
    """shape: (D, H, W) cells of the grid; raises InputError where the network cannot take H and W."""
    depth, *lengths = shape
    p.unet.require_sizes(tuple(lengths), "ldm.architecture.regression.unet")
    return BirdseyeUNet(depth, len(RADAR_CHANNELS), len(OUTPUTS), p.unet)


def measured(regressed: Tensor) -> dict[str, Tensor]:
    """Output -> (B, D, H, W)."""
    return dict(zip(OUTPUTS, regressed.unbind(1), strict=True))
