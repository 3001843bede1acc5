"""Blocks whose activations are computed anew: the same numbers and gradients, also with dropout."""

import copy

import pytest
import torch
from torch import nn

import networks
from echoes import batch_noise
from echoes.nets.attention import Attention, everywhere
from echoes.nets.blocks import recompute
from echoes.nets.conditions import Condition
from echoes.nets.dit import DiT
from echoes.nets.unet import UNet

UNET = networks.unet(dropout=0.3)
NETWORKS = {"unet": lambda: UNet(2, 4, 4, UNET, 0), "dit": lambda: DiT(2, 4, 4, networks.dit(dropout=0.3), 0)}


def gradients(network: nn.Module) -> list[torch.Tensor]:
    torch.manual_seed(1)
    x, c_noise = torch.randn(3, 4, 8, 8), torch.randn(3)
    network.zero_grad()
    torch.manual_seed(2)
    with batch_noise.rows(1, 4, 6):
        out = network(x, c_noise, Condition(None, None))
        out.square().sum().backward()
    return [out.detach(), *(p.grad for p in network.parameters())]


@pytest.mark.parametrize("name", NETWORKS)
def test_activations_that_are_computed_anew_give_the_same_output_and_gradients(name):
    torch.manual_seed(0)
    network = NETWORKS[name]().train()
    for p in network.parameters():
        nn.init.normal_(p, std=0.1)
    kept = gradients(network)
    calls = []
    other = copy.deepcopy(network)
    recompute(other)
    for module in other.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda *_: calls.append(1))
    again = gradients(other)
    assert all(map(torch.equal, again, kept))
    assert len(calls) == 2 * sum(isinstance(m, nn.Dropout) for m in network.modules()) * (2 if name == "dit" else 1)


def test_a_network_that_is_copied_before_keeps_its_activations():
    block = Attention(2, 8, 2, everywhere)
    copied = copy.deepcopy(block)
    recompute(block)
    assert block.recomputes
    assert not copied.recomputes
