"""Regression of the target's cells from what goes in at full resolution, end to end: no latents and no noise.

It is trained with the denoiser and travels with it. Where distances count it is hard to beat, because the mean of
what may be there is nearest to all of it; what a sample adds is the look of a LiDAR.
"""

from dataclasses import dataclass
from typing import Literal

from echoes.nets.birdseye import BirdseyeUNet
from echoes.nets.unet_config import UNetConfig
from echoes.tasks import Task

OFFSETS = ("offset_z", "offset_y", "offset_x")  # what is regressed beside the channels of the target


@dataclass(frozen=True)
class BirdseyeRegression:
    """A U-Net over the ground plane."""

    kind: Literal["birdseye"]
    unet: UNetConfig


@dataclass(frozen=True)
class NoRegression:
    """Nothing is regressed, as where labels are the condition."""

    kind: Literal["none"]


def outputs(task: Task) -> tuple[str, ...]:
    """What is regressed, in order."""
    return (*task.target, *OFFSETS)


def build(p: BirdseyeRegression, task: Task, shape: tuple[int, ...]) -> BirdseyeUNet:
    """shape: (D, H, W) cells of the grid; raises InputError where the network cannot take H and W."""
    depth, *lengths = shape
    unet = p.unet.written_out(tuple(lengths), "ldm.architecture.regression.unet")
    return BirdseyeUNet(depth, len(task.input), len(outputs(task)), unet)
