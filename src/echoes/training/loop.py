"""One loop for every model: a generator, so averages, curves and previews live in the caller's `for`."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from echoes import seeds
from echoes.errors import InputError


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a stage trains.

    lr rises linearly over `warmup` steps, then stays (`constant`) or falls to 0 along a cosine.
    `clip` bounds the norm of the gradient. `auto` precision is bfloat16 where the processor has it.
    """

    steps: int
    batch: int
    lr: float
    warmup: int
    decay: Literal["constant", "cosine"]
    weight_decay: float
    clip: float
    precision: Literal["auto", "bfloat16", "float32"]
    seed: int

    def __post_init__(self) -> None:
        if self.batch < 2:  # oneDNN's convolutions are seven times slower on single samples
            raise InputError(f"batch: expected at least 2, got {self.batch}")
        if self.steps < 1:
            raise InputError(f"steps: expected at least 1, got {self.steps}")
        for name in ("lr", "clip"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name}: expected more than 0, got {getattr(self, name)}")
        for name in ("warmup", "weight_decay"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")


def check_share(name: str, value: float) -> None:
    """Raises InputError unless `value` is at least 0 and below 1, as a decay or a dropout is."""
    if not 0 <= value < 1:
        raise InputError(f"{name}: expected at least 0 and less than 1, got {value}")


def train(
    name: str,
    module: nn.Module,
    load: Callable[[np.ndarray, int], Any],
    loss: Callable[[Any], Tensor],
    count: int,
    schedule: Schedule,
) -> Iterator[tuple[int, float]]:
    """Fit the parameters of `module` that require gradients; yields (step, loss) after each step.

    name    of the stage: part of the seed, and the title of the progress bar.
    load    (indices of samples (batch,), step) -> batch; runs one step ahead in a thread.
    loss    batch -> (B,); its mean is minimised.
    count   number of samples.

    Step k draws its samples and its noise from (seed, name, k) alone.
    Raises FloatingPointError at the first loss that is not finite.
    """
    device = next(module.parameters()).device
    trained = [p for p in module.parameters() if p.requires_grad]
    # fused: one pass over all weights, a third of the time of a loop over them.
    optimizer = torch.optim.AdamW(
        trained, lr=schedule.lr, betas=(0.9, 0.99), weight_decay=schedule.weight_decay, fused=True
    )
    cast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=half_precision(schedule.precision, device))
    module.train()
    with ThreadPoolExecutor(1) as loader, tqdm(total=schedule.steps, desc=name, mininterval=1.0) as bar:
        upcoming = loader.submit(load, samples(0, count, schedule, name), 0)
        for step in range(schedule.steps):
            batch = upcoming.result()
            if step + 1 < schedule.steps:
                upcoming = loader.submit(load, samples(step + 1, count, schedule, name), step + 1)
            torch.manual_seed(seeds.number(schedule.seed, name, "step", step))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, schedule)
            with cast:
                mean = loss(batch).mean()
            value = mean.item()
            if not math.isfinite(value):
                raise FloatingPointError(f"the loss is {value} at step {step}")
            optimizer.zero_grad()
            mean.backward()
            nn.utils.clip_grad_norm_(trained, schedule.clip)
            optimizer.step()
            bar.update()
            bar.set_postfix(loss=f"{value:.4f}", refresh=False)
            yield step, value


def samples(step: int, count: int, schedule: Schedule, name: str) -> np.ndarray:
    """(batch,) indices of step `step`: every epoch visits all samples once, in an order of its own."""
    positions = np.arange(step * schedule.batch, (step + 1) * schedule.batch)
    epochs, places = np.divmod(positions, count)
    orders = {e: seeds.rng(schedule.seed, name, "epoch", int(e)).permutation(count) for e in np.unique(epochs)}
    return np.array([orders[e][i] for e, i in zip(epochs, places, strict=True)])


def learning_rate(step: int, schedule: Schedule) -> float:
    """The learning rate of a step, a pure function of it."""
    rising = min(1.0, (step + 1) / max(1, schedule.warmup))
    if schedule.decay == "constant":
        return schedule.lr * rising
    return schedule.lr * rising * 0.5 * (1 + math.cos(math.pi * step / schedule.steps))


def half_precision(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16; `auto` asks the processor."""
    if precision == "auto":
        return device.type == "cuda" or bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return precision == "bfloat16"
