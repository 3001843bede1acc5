"""Where to compute, and how much memory it takes."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import nn

from echoes import memory


class Parameterized(Protocol):
    """A module, or what stands for one."""

    def parameters(self) -> Iterator[nn.Parameter]: ...


def best_device() -> torch.device:
    """The GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def peak_memory_mb(device: torch.device) -> float:
    """Most memory so far [MB]: of the tensors on a GPU, of the whole process where the processor computes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return memory.peak_mb()


def device_of(module: Parameterized) -> torch.device:
    """Where the weights of a module are."""
    return next(module.parameters()).device
