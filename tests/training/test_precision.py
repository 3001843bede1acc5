"""In which numbers a training computes, and the scale that float16 gives its loss."""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from echoes.compute import precision
from echoes.training import loop
from trainings import schedule

CPU = torch.device("cpu")
FRAMES = np.arange(10)
DATA = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))


class Broken(torch.autograd.Function):
    """Its input, whose gradient is infinite where that is asked for."""

    @staticmethod
    def forward(ctx, x, infinite):
        ctx.infinite = infinite
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (math.inf if ctx.infinite else 1.0), None


def broken(at, steps):
    """What each step of a training in float16 tells whose gradient is infinite in those of `at`, and the weights."""
    torch.manual_seed(0)
    module, seen = nn.Linear(3, 1), [SimpleNamespace(scale=None, skipped=None, weight=None)]
    seen[0].weight = module.weight.detach().clone()

    def loss(batch):
        return Broken.apply(0.01 * module(batch).float().flatten() ** 2, len(seen) - 1 in at)

    p = schedule(steps=steps, precision="float16", decay={"kind": "constant"}, warmup=0)
    for _, told in loop.train("train", module, lambda part: DATA[part.frames], loss, FRAMES, p):
        weight = module.weight.detach().clone()
        seen.append(SimpleNamespace(scale=told["loss_scale"], skipped=told["skipped"], weight=weight))
    return seen


@pytest.mark.parametrize(("name", "half"), [("bfloat16", torch.bfloat16), ("float16", torch.float16)])
def test_half_precision_computes_in_its_numbers_and_keeps_the_weights_in_float32(name, half):
    module, kinds = nn.Linear(3, 3), set()

    def loss(batch):
        out = module(batch)
        kinds.add(out.dtype)
        return out.float().pow(2).mean(1)

    p = schedule(precision=name, steps=2)
    list(loop.train("train", module, lambda part: DATA[part.frames], loss, FRAMES, p))
    assert kinds == {half}
    assert module.weight.dtype == torch.float32


def test_auto_is_what_the_device_computes_in_itself():
    has = torch.cpu.get_capabilities().get("avx512_bf16", False)
    assert precision.kind("auto", CPU) == (torch.bfloat16 if has else torch.float32)
    assert [precision.kind(name, CPU) for name in precision.KINDS] == list(precision.KINDS.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_auto_is_half_precision_on_every_gpu():
    has = torch.cuda.get_device_capability() >= (8, 0)
    assert precision.kind("auto", torch.device("cuda")) == (torch.bfloat16 if has else torch.float16)


def test_a_gradient_that_is_not_finite_halves_the_scale_and_leaves_the_weights():
    seen = broken(at={0, 3, 4}, steps=7)
    assert [one.skipped for one in seen[1:]] == [1, 0, 0, 1, 1, 0, 0]
    scales = [2.0**k for k in (16, 15, 15, 15, 14, 13, 13)]
    assert [one.scale for one in seen[1:]] == scales
    for before, after in pairwise(seen):
        assert torch.equal(before.weight, after.weight) == bool(after.skipped)
        assert torch.isfinite(after.weight).all()


def test_skipped_steps_are_as_if_they_had_not_been():
    """Adam's moments and its count of steps too: the steps after two skipped ones are as long as the first ones."""
    first, late = broken(at=set(), steps=1), broken(at={0, 1}, steps=3)
    step = lambda seen: (seen[-1].weight - seen[-2].weight).abs()
    torch.testing.assert_close(step(late), step(first), rtol=1e-4, atol=0)


def test_a_scale_that_falls_below_1_ends_the_training_in_one_line():
    message = r"^the norm of the gradient at a loss scale of 1 is (nan|inf) at step 16, of frames \d+(, \d+){4}$"
    with pytest.raises(FloatingPointError, match=message):
        broken(at=set(range(40)), steps=40)


def test_float16_learns_what_float32_learns():
    found = {}
    for name in ("float32", "float16"):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Linear(8, 3))
        loss = lambda batch, module=module: (module(batch).float() - batch).pow(2).mean(1)
        p = schedule(precision=name, steps=40)
        done = loop.train("train", module, lambda part: DATA[part.frames], loss, FRAMES, p)
        found[name] = [numbers["loss"] for _, numbers in done]
    assert found["float16"][-1] < 0.3 * found["float16"][0]
    assert found["float16"] == pytest.approx(found["float32"], rel=0.05, abs=1e-3)
