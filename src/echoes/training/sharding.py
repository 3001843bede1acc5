"""Models whose weights are spread over several processes (FSDP), and tensors that are whole or a share of one."""

from collections.abc import Iterator

from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from echoes.compute import distributed
from echoes.compute.device import device_of
from echoes.nets.blocks import Block


def shard(*models: nn.Module) -> None:
    """Spread the weights of models over all processes (FSDP, Zhao et al. 2023): each holds a share, and what it needs
    of the others for as long as it computes with it. To be called before an optimizer sees them.
    """
    device = device_of(models[0])
    mesh = init_device_mesh(device.type, (distributed.count(),))
    for model in models:
        blocks = [module for module in model.modules() if isinstance(module, Block)]
        for module in dict.fromkeys([*blocks, *_called(model)]):
            # Gradients are summed and not averaged, as `distributed.sum_gradients` does. Weights are given back
            # after each use, so that a running average finds shares on both sides.
            sharded = fully_shard(module, mesh=mesh, reshard_after_forward=True)
            sharded.set_gradient_divide_factor(1.0)
            sharded.set_force_sum_reduction_for_comms(True)


def _called(model: nn.Module) -> Iterator[nn.Module]:
    """The modules with weights that a model calls: its children, or those of a child that has no forward of its own."""
    for child in model.children():
        if type(child).forward is nn.Module.forward:
            yield from _called(child)
        elif any(True for _ in child.parameters()):
            yield child
