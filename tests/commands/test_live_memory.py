"""What is alive of tensors, against sizes counted by hand, with numbers and without."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from echoes.commands.live_memory import LiveMemory

CPU = torch.device("cpu")
FLOAT, STEP = 4, 4  # bytes of a number; of the count of steps that AdamW keeps for a weight


@pytest.mark.parametrize("within", [FakeTensorMode, nullcontext], ids=["fake", "real"])
def test_a_layer_takes_weights_activations_gradients_and_two_moments(within):
    rows, inputs, outputs = 64, 256, 128
    weights, taken, given = inputs * outputs * FLOAT, rows * inputs * FLOAT, rows * outputs * FLOAT
    with within(), LiveMemory(CPU) as live:
        layer = nn.Linear(inputs, outputs, bias=False)
        optimizer = torch.optim.AdamW(layer.parameters(), fused=True)
        assert live.bytes == weights
        x = torch.randn(rows, inputs)
        y = layer(x)
        assert live.bytes == weights + taken + given
        y.sum().backward()
        assert live.bytes == 2 * weights + taken + given
        optimizer.step()
        assert live.bytes == 4 * weights + taken + given + STEP
        del x, y
        optimizer.zero_grad()
        assert live.bytes == 3 * weights + STEP
        assert live.peak == 4 * weights + taken + given + STEP
        live.restart()
        assert live.peak == live.bytes


@pytest.mark.parametrize("within", [FakeTensorMode, nullcontext], ids=["fake", "real"])
def test_what_the_backward_pass_keeps_is_alive_until_the_graph_is_gone(within):
    with within(), LiveMemory(CPU) as live:
        x = torch.zeros(1000, requires_grad=True)
        y = x.exp().exp()  # of each exponential the result is kept
        assert live.bytes == 3 * 1000 * FLOAT
        del y
        assert live.bytes == 1000 * FLOAT


def test_a_storage_counts_once_until_its_last_view_is_gone():
    with LiveMemory(CPU) as live:
        whole = torch.zeros(1000)
        view = whole[10:20]
        assert live.bytes == 4000
        del whole
        assert live.bytes == 4000
        del view
        assert live.bytes == 0


def test_a_module_made_before_is_held_once():
    layer = nn.Linear(10, 10, bias=False)
    with LiveMemory(CPU) as live:
        live.hold(layer, nn.Sequential(layer))
        assert live.bytes == 400


def test_masks_of_fake_tensors_choose_all():
    with FakeTensorMode(), LiveMemory(CPU):
        x = torch.randn(6, 3)
        mask = x[:, 0] > 0
        assert mask.any()
        assert x[mask].shape == (6, 3)
        assert x[x > 0].shape == (18,)
        assert mask.nonzero().shape == (6, 1)
        assert torch.bincount(torch.zeros(6, dtype=torch.int64), minlength=4).shape == (4,)
