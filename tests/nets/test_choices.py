"""Every choice of a network trains, with every other and on grids of both ranks."""

from itertools import product

import pytest
import torch
from torch import nn

import networks
from echoes.nets.conditions import Condition
from echoes.nets.unet import UNet

ATTENTION = ["none", "full", "window", "axial", "y", "x", "height", "linear", "sparse"]
NORMS = ["group", "layer", "instance", "rms", "adaptive"]
SIZES = {2: (4, 8), 3: (4, 4, 8)}


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize(("norm", "convolution"), list(product(NORMS, ["dense", "depthwise"])))
def test_every_parameter_of_every_choice_learns(rank, attention, norm, convolution):
    if attention == "height" and rank == 2:
        return  # refused: test_unet_config.py
    torch.manual_seed(0)
    strides = {"dense": "z_half", "depthwise": "adaptive"}[convolution]
    config = networks.unet((4, 8), 1, (attention, attention), norm, convolution, strides=strides)
    network = UNet(rank, 2, 2, config.written_out(SIZES[rank], "unet"), 3)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    before = [p.clone() for p in network.parameters()]
    out = network(torch.randn(2, 2, *SIZES[rank]), torch.randn(2), Condition(None, torch.randn(2, 3)))
    out.square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    optimiser.step()
    assert all(
        p.isfinite().all() and not torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True)
    )


@pytest.mark.parametrize("strides", ["full", "xy_only", "z_half", "adaptive", ((1, 1, 4), (2, 1, 2))])
def test_a_network_trains_with_all_strides(strides):
    torch.manual_seed(0)
    config = networks.unet((4, 4, 8), strides=strides, least=1).written_out((4, 4, 8), "unet")
    network = UNet(3, 2, 2, config, 0)
    nn.init.normal_(network.out.weight)
    network(torch.randn(2, 2, 4, 4, 8), torch.randn(2), Condition(None, None)).square().mean().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_an_adaptive_norm_lets_the_noise_level_scale_the_first_norm_of_each_block():
    torch.manual_seed(0)
    block = UNet(2, 2, 2, networks.unet((4, 8), norm="adaptive"), 0).down[0][0]
    x, embedding = torch.randn(2, 4, 4, 4), torch.randn(2, 16)
    nn.init.normal_(block.conv2.weight)
    before = block(x, embedding)
    nn.init.constant_(block.modulate1.bias[:4], 1.0)  # twice the scale
    with torch.no_grad():
        block.norm1.weight *= 0.5
    torch.testing.assert_close(block(x, embedding), before)


def test_depthwise_convolutions_have_the_weights_of_their_two_factors():
    """9 C and C^2 in place of 9 C^2, and a bias each (Howard et al. 2017, Sec. 3.1)."""
    dense, depthwise = (
        UNet(2, 2, 2, networks.unet((16,), convolution=kind, attention="none"), 0).down[0][0].conv1
        for kind in ("dense", "depthwise")
    )
    assert [sum(p.numel() for p in conv.parameters()) for conv in (dense, depthwise)] == [
        9 * 256 + 16,
        9 * 16 + 16 + 256 + 16,
    ]


@pytest.mark.parametrize("rank", [2, 3])
def test_a_new_depthwise_block_changes_nothing_and_can_learn_from_the_first_step(rank):
    torch.manual_seed(0)
    block = UNet(rank, 2, 2, networks.unet((4, 8), convolution="depthwise"), 0).down[0][0]
    x = torch.randn(2, 4, *SIZES[rank], requires_grad=True)
    found = block(x, torch.randn(2, 16))
    assert torch.equal(found, x)
    found.square().sum().backward()
    assert block.conv2[-1].weight.grad.any()
