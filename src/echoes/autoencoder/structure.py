"""Edges: how far the gradients of what was decoded are from those of what was meant."""

import torch
from torch import Tensor


def gradient_error(error: Tensor) -> Tensor:
    """(B,) mean size of the gradient of an error (B, C, *S), by central differences, over cells and axes.

    Differences are linear, so that the gradient of an error is the error of the gradients. One that is the same in all
    cells costs nothing.
    """
    slopes = []
    for axis in range(2, error.ndim):
        inner = error.shape[axis] - 2
        slope = (error.narrow(axis, 2, inner) - error.narrow(axis, 0, inner)) / 2
        slopes.append(slope.abs().flatten(1).mean(1))
    return torch.stack(slopes).mean(0)
