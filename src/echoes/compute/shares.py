"""Tensors of which each process holds a share, as sharded weights are (FSDP)."""

from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor


def is_share(tensor: Tensor) -> bool:
    return isinstance(tensor, DTensor)


def own(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """The whole of a tensor, of which this process may hold a share; all processes call it together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def alike(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor on the device of `like`, spread as `like` is."""
    placed = tensor.to(like.device)
    return distribute_tensor(placed, like.device_mesh, like.placements) if isinstance(like, DTensor) else placed
