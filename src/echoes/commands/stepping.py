"""What a step of a training takes: its memory, of fake tensors without numbers, and its time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from echoes import batch_noise, terms
from echoes.commands.live_memory import LiveMemory
from echoes.commands.trainings import Sections, StandIns, Training, training
from echoes.compute.precision import autocast
from echoes.nets.blocks import recompute
from echoes.nets.sparse import SubmanifoldConv
from echoes.training.loop import EPSILON, train
from echoes.training.microbatches import MicroBatch, microbatches

TIMED = 2  # steps, of which the first one also allocates and is left out


@dataclass(frozen=True)
class Memory:
    """Bytes of a step. peak: the most at once; kept: what lies there between two steps."""

    peak: int
    kept: int


def memory(stage: str, p: Sections, made: StandIns, device: torch.device) -> Memory:
    """Of a step in which all is trained that ever is, once the state of the optimizer is there.

    Nothing is computed, unless the sizes of tensors depend on the occupied cells (sparse convolutions): then the step
    is made, on the cells of the stand-ins.
    """
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    within: Any = fake
    with _copied():
        of = training(stage, p, made, lambda: fake, device)
    if any(isinstance(module, SubmanifoldConv) for module in of.module.modules()):
        of, within = training(stage, p, made, nullcontext, device), nullcontext()
    with within:
        _replace_real(of, fake if within is fake else None)
        return counted(stage, of, made.data.frames("train"), device)


@contextmanager
def _copied() -> Iterator[None]:
    """Within, fake tensors can be copied: torch's own copy takes the memory of their storage, and they have none."""

    def copied(tensor: Tensor, memo: dict[int, Any]) -> Tensor:
        made = tensor.detach().clone()
        return nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made

    setattr(FakeTensor, "__deepcopy__", copied)  # noqa: B010 (a method of torch's)
    try:
        yield
    finally:
        delattr(FakeTensor, "__deepcopy__")


def _replace_real(of: Training, fake: FakeTensorMode | None) -> None:
    """Fake weights in place of those that a loss made beside the networks."""
    if fake is None:
        return
    for module in of.module.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            setattr(module, name, fake.from_tensor(weight))


def counted(stage: str, of: Training, frames: np.ndarray, device: torch.device) -> Memory:
    """Memory of the second of two steps, the first of which has gradients of 0 and no batch."""
    trained = [weight for weight in of.module.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=of.schedule.lr, eps=EPSILON, fused=True)
    of.module.train()
    if of.schedule.gradient_checkpointing:
        recompute(of.module)
    with LiveMemory(device) as live:
        live.hold(of.module, *of.others, *(average.model for average in of.averages))
        for weight in trained:
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
        optimizer.zero_grad()
        live.restart()
        kept = live.bytes
        _step(stage, of, trained, optimizer, frames, device)
        return Memory(live.peak, kept)


def _step(
    stage: str,
    of: Training,
    trained: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    frames: np.ndarray,
    device: torch.device,
) -> None:
    """As the loop of the trainings makes it, with the next part of the batch loaded; of many parts the first two."""
    schedule = of.schedule
    parts = microbatches(0, frames, schedule, stage, schedule.accumulate, slice(0, min(2, schedule.accumulate)))
    single = of.load(MicroBatch(0, frames[:1], 0, 1))
    batch, upcoming = (_repeated(single, len(parts[0].frames), {}) for _ in range(2))
    for part in parts:
        with batch_noise.rows(part.start, part.stop, part.total):
            with autocast(device, schedule.precision), terms.listening():
                losses = of.loss(batch)
            (losses.sum() / part.total).backward()
        batch = upcoming
    nn.utils.clip_grad_norm_(trained, schedule.clip)
    optimizer.step()
    for average in of.averages:
        average.update(0)


def _repeated(single: Any, count: int, made: dict[int, Tensor]) -> Any:
    """A batch of one sample as one of `count`; made: id of a tensor -> what became of it, as one may stand twice."""
    if isinstance(single, Tensor):
        return made.setdefault(id(single), single.repeat(count, *[1] * (single.ndim - 1)))
    if isinstance(single, tuple):
        return tuple(_repeated(part, count, made) for part in single)
    if is_dataclass(single) and not isinstance(single, type):
        return replace(single, **{f.name: _repeated(getattr(single, f.name), count, made) for f in fields(single)})
    return single


def seconds(stage: str, p: Sections, made: StandIns, device: torch.device) -> float:
    """Of a step on this machine, which is made."""
    of = training(stage, p, made, nullcontext, device)
    schedule = replace(of.schedule, steps=TIMED)
    took: list[float] = []
    before = time.perf_counter()
    for step, _ in train(stage, of.module, of.load, of.loss, made.data.frames("train"), schedule):
        for average in of.averages:
            average.update(step)
        now = time.perf_counter()
        took.append(now - before)
        before = now
    return min(took[1:] or took)  # one that learns nothing has one step
