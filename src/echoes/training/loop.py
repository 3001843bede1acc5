"""One loop for every model: a generator, so averages, curves and previews live in the caller's `for`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from signal import Signals
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from echoes import batch_noise, seeds, terms
from echoes.compute import distributed, shares
from echoes.compute.device import device_of
from echoes.compute.precision import autocast, kind
from echoes.errors import InputError
from echoes.nets.blocks import recompute
from echoes.training.microbatches import MicroBatch, microbatches, prefetch
from echoes.training.rate import learning_rate
from echoes.training.schedule import Schedule, StageSchedule
from echoes.training.signals import Interrupted, deferred_signals

NAMED = 20  # frames that a message names
EPSILON = 1e-7  # of AdamW: at 1e-8 the rounding of a gradient that is nearly 0 becomes a step of its own


class States(Protocol):
    """Where the state of a training is saved, and found again: what `checkpoint.Checkpoints` does."""

    def restore(self, module: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> int:
        """Put the last saved state back, if there is one; returns the step to begin with."""
        ...

    def due(self, step: int) -> bool:
        """Whether the state is to be saved after a step."""
        ...

    def save(
        self, step: int, module: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
    ) -> None:
        """Save the state after a step, at the latest by the time that `wait` returns."""
        ...

    def wait(self) -> None: ...


def train(
    name: str,
    module: nn.Module,
    load: Callable[[MicroBatch], Any],
    loss: Callable[[Any], Tensor],
    frames: np.ndarray,
    schedule: Schedule,
    checkpoints: States | None = None,
    rate: Callable[[int], float] | None = None,
) -> Iterator[tuple[int, dict[str, float]]]:
    """Fit the parameters of `module` that require gradients; yields (step, numbers) after each step.

    name         of the stage: part of the seed, and the title of the progress bar.
    load         part -> batch; runs one part ahead in a thread.
    loss         batch -> (n,), one number per sample of the part; their mean over the batch is minimised.
    frames       (N,) numbers of the samples to train on.
    checkpoints  where the state is saved, and found again; None for what is short.
    rate         step -> learning rate; None for what the schedule alone says.

    Where no parameter requires gradients there is nothing to fit, and one step: the loss of the last batch.

    The numbers: `loss`; its terms, where it notes them (see `terms`), as loss_<term>; `lr`; and in float16
    `loss_scale` and `skipped`, 1 where the gradient was not finite and so no step was made.

    Step k draws its samples and its noise from (seed, name, k) alone, so that a training that goes on from a saved
    state ends with the bytes of one that was never stopped. Where torchrun started several processes, each computes
    its share of every batch, and the step is that of one process with the whole batch, up to rounding.
    In float16 the loss is multiplied by a scale that keeps small gradients above 0; it halves where they are not
    finite, and doubles after 2000 steps in which they were (Micikevicius et al. 2018, Section 3.2).
    Raises FloatingPointError, with the step and the frames, at the first loss or gradient that is not finite (in
    float16 once the scale is below 1), and Interrupted after SIGTERM or SIGINT, once the state is saved.
    """
    device = device_of(module)
    trained = [p for p in module.parameters() if p.requires_grad]
    if not trained:
        yield from _measured(name, module, load, loss, frames, schedule)
        return
    # fused: one pass over all weights, a third of the time of a loop over them.
    optimizer = torch.optim.AdamW(
        trained, lr=schedule.lr, betas=(0.9, 0.99), eps=EPSILON, weight_decay=schedule.weight_decay, fused=True
    )
    scaler = _scaler(kind(schedule.precision, device), device, trained)
    begin = checkpoints.restore(module, optimizer, scaler) if checkpoints else 0
    if (first := int(distributed.of_first(begin))) != begin:
        raise InputError(f"{name}: expected a folder that all machines share: step {first} follows there, {begin} here")
    accumulate, share = _share(schedule)
    wanted = (microbatches(step, frames, schedule, name, accumulate, share) for step in range(begin, schedule.steps))
    batches = prefetch(load, (part for step in wanted for part in step))
    cast = autocast(device, schedule.precision)
    module.train()
    if isinstance(schedule, StageSchedule) and schedule.gradient_checkpointing:
        recompute(module)
    with ExitStack() as stack:
        bar = stack.enter_context(_progress(name, begin, schedule.steps))
        asked = stack.enter_context(deferred_signals()) if checkpoints else lambda: 0
        for step in range(begin, schedule.steps):
            lr = rate(step) if rate else learning_rate(step, schedule)
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.zero_grad()
            value = 0.0
            added: dict[str, float] = {}
            for _ in range(share.stop - share.start):
                part, batch = next(batches)
                with _losses(name, loss, batch, part, schedule, cast) as (losses, noted):
                    mean = losses.sum() / part.total
                    scaler.scale(mean).backward()  # may recompute: with the noise of the part
                value += mean.item()
                added = _added(added, noted, part.total)
            distributed.sum_gradients(p for p in trained if not shares.is_share(p))
            of_scale = _step(optimizer, scaler, trained, schedule.clip, part)
            due = checkpoints is not None and checkpoints.due(step)
            mine = [asked(), due and distributed.is_first(), value, *added.values()]
            stop, saves, value, *values = distributed.summed(mine, device)
            bar.update()
            bar.set_postfix(loss=f"{value:.4f}", refresh=False)
            yield step, {"loss": value, **dict(zip(added, values, strict=True)), "lr": lr, **of_scale}
            ends = stop or step + 1 == schedule.steps
            if checkpoints and (saves or ends):
                checkpoints.save(step, module, optimizer, scaler)
                if ends:
                    checkpoints.wait()
            if stop:
                raise _interrupted(step, schedule.steps, asked())


@torch.no_grad()
def _measured(
    name: str,
    module: nn.Module,
    load: Callable[[MicroBatch], Any],
    loss: Callable[[Any], Tensor],
    frames: np.ndarray,
    schedule: Schedule,
) -> Iterator[tuple[int, dict[str, float]]]:
    """(step, numbers) of the last step, of a module that stays as it is."""
    device, step, value = device_of(module), schedule.steps - 1, 0.0
    added: dict[str, float] = {}
    accumulate, share = _share(schedule)
    cast = autocast(device, schedule.precision)
    for part in microbatches(step, frames, schedule, name, accumulate, share):
        with _losses(name, loss, load(part), part, schedule, cast) as (losses, noted):
            value += losses.sum().item() / part.total
        added = _added(added, noted, part.total)
    value, *values = distributed.summed([value, *added.values()], device)
    yield step, {"loss": value, **dict(zip(added, values, strict=True))}


@contextmanager
def _losses(
    name: str,
    loss: Callable[[Any], Tensor],
    batch: Any,
    part: MicroBatch,
    schedule: Schedule,
    cast: torch.autocast,
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """(n,) the loss of each sample of a part, and the terms that it noted; within, the noise is that of the part."""
    torch.manual_seed(seeds.number(schedule.seed, name, "step", part.step))
    with batch_noise.rows(part.start, part.stop, part.total):
        with cast, terms.listening() as noted:
            losses = loss(batch)
        _require_finite("loss", losses, part)
        yield losses, noted


def _scaler(half: torch.dtype, device: torch.device, trained: list[nn.Parameter]) -> torch.amp.GradScaler:
    """Scales the loss where the network computes in float16, and else does nothing."""
    scales = half == torch.float16
    if scales and any(shares.is_share(p) for p in trained):
        raise InputError("precision: expected bfloat16 or float32 where runtime.sharding is full, got float16")
    return torch.amp.GradScaler(device.type, enabled=scales)


def _step(
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    trained: list[nn.Parameter],
    clip: float,
    part: MicroBatch,
) -> dict[str, float]:
    """Move the weights along the clipped gradient of a batch; gives what a scaled loss has to tell."""
    scaler.unscale_(optimizer)
    norm = shares.whole(nn.utils.clip_grad_norm_(trained, clip))
    if not scaler.is_enabled():
        _require_finite("norm of the gradient", norm[None], part)
        optimizer.step()
        return {}
    scale = scaler.get_scale()
    if scale * scaler.get_backoff_factor() < 1:
        _require_finite(f"norm of the gradient at a loss scale of {scale:g}", norm[None], part)
    scaler.step(optimizer)  # unless `unscale_` found what is not finite
    scaler.update()
    return {"loss_scale": scale, "skipped": float(not torch.isfinite(norm))}


def _added(sums: dict[str, float], noted: dict[str, Tensor], total: int) -> dict[str, float]:
    """The terms (n,) that a part of a batch of `total` noted, as means of the batch, and those of the parts before."""
    if not noted:
        return sums
    found = torch.stack([values.float().sum() for values in noted.values()]).tolist()
    names = [f"loss_{name}" for name in noted]
    return {name: sums.get(name, 0.0) + value / total for name, value in zip(names, found, strict=True)}


def _progress(name: str, begin: int, steps: int) -> tqdm:
    return tqdm(total=steps, initial=begin, desc=name, mininterval=1.0, disable=not distributed.is_first())


def _share(schedule: Schedule) -> tuple[int, slice]:
    """In how many parts a batch is computed by all processes, and which of them are this one's."""
    own = schedule.accumulate if isinstance(schedule, StageSchedule) else 1
    shares, rank = own * distributed.count(), distributed.rank()
    if shares > schedule.batch:
        raise InputError(
            f"batch: expected at least {shares} samples, one for each part of {distributed.count()} processes, "
            f"got {schedule.batch}"
        )
    return shares, slice(rank * own, (rank + 1) * own)


def _require_finite(what: str, values: Tensor, part: MicroBatch) -> None:
    """values (n,): one number per sample of the part, or one of all of them."""
    finite = torch.isfinite(values.detach()).cpu().numpy()
    if finite.all():
        return
    frames = part.frames[~finite] if len(finite) == len(part.frames) else part.frames
    listed = ", ".join(map(str, frames[:NAMED])) + (", ..." if len(frames) > NAMED else "")
    first = float(values.detach().flatten()[int((~finite).argmax())])
    raise FloatingPointError(f"the {what} is {first} at step {part.step}, of frames {listed}")


def _interrupted(step: int, steps: int, number: int) -> Interrupted:
    name = Signals(number).name if number else "a signal to another process"
    return Interrupted(
        f"stopped by {name} after step {step + 1} of {steps}; run the same command again to go on from its saved state",
        number or Signals.SIGTERM,
    )
