"""Where to compute."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import nn


class Parameterized(Protocol):
    """A module, or what stands for one."""

    def parameters(self) -> Iterator[nn.Parameter]: ...


def best() -> torch.device:
    """The GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(module: Parameterized) -> torch.device:
    """Where the weights of a module are."""
    return next(module.parameters()).device
