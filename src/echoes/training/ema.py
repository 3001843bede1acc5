"""Running averages of weights."""

import copy
from collections.abc import Mapping
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from echoes.compute import shares

Module = TypeVar("Module", bound=nn.Module)


class Ema(Generic[Module]):
    """An exponential moving average of a module's weights, in float32; a part of checkpoints.

    The decay of the first steps is (1 + k) / (10 + k), so that the average forgets the start.
    """

    def __init__(self, module: Module, decay: float) -> None:
        self.model: Module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay
        self._source = module

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the module's weights; buffers are copied."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        for average, trained in zip(self.model.parameters(), self._source.parameters(), strict=True):
            average.lerp_(trained, weight)
        for ours, theirs in zip(self.model.buffers(), self._source.buffers(), strict=True):
            ours.copy_(theirs)

    def tensors(self) -> dict[str, Tensor]:
        return self.model.state_dict()

    def state(self) -> None:
        """Nothing beside the weights."""

    def restore(self, tensors: Mapping[str, Tensor], state: None) -> None:
        like = self.model.state_dict()
        self.model.load_state_dict({name: shares.alike(tensor, like[name]) for name, tensor in tensors.items()})
