"""Averages of weights against their closed form."""

import pytest
import torch
from torch import nn

from echoes.training.ema import Ema


def test_the_average_weighs_the_weights_as_its_decay_says():
    module = nn.Linear(1, 1)
    ema = Ema(module, decay=0.9)
    expected = module.weight.item()
    for step in range(200):
        with torch.no_grad():
            module.weight.fill_(float(step % 7))
        ema.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * (step % 7)
    assert ema.model.weight.item() == pytest.approx(expected, rel=1e-5)


def test_the_first_steps_forget_the_start():
    module = nn.Linear(1, 1)
    with torch.no_grad():
        module.weight.fill_(1000.0)
        ema = Ema(module, decay=0.9999)
        module.weight.fill_(1.0)
    for step in range(100):
        ema.update(step)
    assert ema.model.weight.item() == pytest.approx(1.0, abs=0.01)


def test_buffers_are_copied_and_the_average_never_trains():
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    ema = Ema(module, decay=0.9)
    module(torch.randn(8, 2) + 5)
    ema.update(0)
    assert torch.equal(ema.model[1].running_mean, module[1].running_mean)
    assert not ema.model.training
    assert module.training
    assert not any(p.requires_grad for p in ema.model.parameters())
    assert all(p.requires_grad for p in module.parameters())


def test_the_average_is_a_copy_and_leaves_its_source_alone():
    module = nn.Linear(2, 2)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    ema = Ema(module, decay=0.5)
    with torch.no_grad():
        ema.model.weight.add_(1.0)
    ema.update(0)
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)
