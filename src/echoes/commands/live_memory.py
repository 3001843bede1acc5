"""The memory of tensors as they come and go, whether they hold numbers or are fake: op by op, by their storages."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten


class LiveMemory(TorchDispatchMode):
    """Within, counts the storages on one kind of device that are alive; `peak`: the most bytes at once.

    A storage counts once, however many views it has, from the first op that gives or takes it until nothing refers to
    it any more: neither Python nor the graph of the backward pass. What an op allocates and frees itself is not seen.

    A fake tensor has no numbers. Where an op asks for some, it is given what takes the most memory: every condition is
    true, every cell is chosen; a whole number is 0.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.bytes = self.peak = 0
        self._device = device
        self._alive: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self._count((args, kwargs))
        out = _answered(func, tuple(args), dict(kwargs or {}))
        self._count(out)
        return out

    def hold(self, *modules: nn.Module) -> None:
        """Count the weights and the buffers of modules, whether an op takes them or not."""
        self._count([list(tensors()) for module in modules for tensors in (module.parameters, module.buffers)])

    def restart(self) -> None:
        """Forget the peak of what was before."""
        self.peak = self.bytes

    def _count(self, tree: Any) -> None:
        for leaf in tree_leaves(tree):
            if isinstance(leaf, Tensor) and leaf.device.type == self._device.type:
                self._take(leaf.untyped_storage())

    def _take(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._alive:
            return

        def freed(_: Any) -> None:
            del self._alive[key]
            self.bytes -= size

        self._alive[key] = weakref.ref(storage, freed)
        self.bytes += size
        self.peak = max(self.peak, self.bytes)


def _answered(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an op gives; of fake tensors also where that depends on their numbers."""
    answer = _ANSWERS.get(func)
    if answer is None or not any(isinstance(leaf, FakeTensor) for leaf in tree_leaves(args)):
        return func(*args, **kwargs)
    return answer(func, *args, **kwargs)


def _number(func: Any, tensor: Tensor) -> bool | int | float:
    return True if tensor.dtype == torch.bool else 1.0 if tensor.dtype.is_floating_point else 0


def _nonzero(func: Any, tensor: Tensor) -> Tensor:
    return torch.zeros(tensor.numel(), tensor.ndim, dtype=torch.int64, device=tensor.device)


def _bincount(func: Any, tensor: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    return torch.zeros(minlength, dtype=torch.int64, device=tensor.device)


def _index(func: Any, tensor: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    found: Tensor = func(tensor, [one for index in indices for one in _places(index)])
    return found


def _places(index: Tensor | None) -> list[Tensor | None]:
    """Of a mask the indices along each of its axes, as if all of it were true."""
    if index is None or index.dtype != torch.bool:
        return [index]
    return [torch.zeros(index.numel(), dtype=torch.int64, device=index.device) for _ in range(index.ndim)]


_ANSWERS: dict[Any, Callable[..., Any]] = {
    aten._local_scalar_dense.default: _number,
    aten.nonzero.default: _nonzero,
    aten.bincount.default: _bincount,
    aten.index.Tensor: _index,
}
