"""Several processes that train one model: who this one is, and what they add up.

Each computes rows of the same batch. The gradients are summed by hand and not by DistributedDataParallel, because a
loss calls parts of a model and not the model, and because one flat sum is exact at any split of the batch.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

PATIENCE = timedelta(hours=2)  # of processes with the first one, which scores alone at the end
BUCKET = 1 << 24  # numbers that travel at once


@contextmanager
def joined() -> Iterator[None]:
    """Within, this process is one of those that torchrun started."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield
        # The first process draws, scores and writes alone: on no machine has the stage ended before it has.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


def count() -> int:
    """Processes that train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process among them."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_first() -> bool:
    """Whether this process writes what all of them made."""
    return rank() == 0


def summed(values: Sequence[float], device: torch.device) -> list[float]:
    """Each of `values` over all processes."""
    if count() == 1:
        return list(values)
    total = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(total)
    return [float(value) for value in total]


def of_first(value: float) -> float:
    """What the first process says, so that all decide alike."""
    if count() == 1:
        return value
    said: list[float] = [value]
    distributed.broadcast_object_list(said)
    return said[0]


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace the gradient of each parameter by its sum over all processes."""
    if count() == 1:
        return
    listed = list(parameters)
    # All of them: whether a parameter took part may differ between processes, what they add up must not.
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in listed]
    for bucket in _buckets(gradients):
        flat = torch.cat([gradient.flatten() for gradient in bucket])
        distributed.all_reduce(flat)
        for gradient, piece in zip(bucket, flat.split([g.numel() for g in bucket]), strict=True):
            gradient.copy_(piece.view_as(gradient))
    for parameter, gradient in zip(listed, gradients, strict=True):
        parameter.grad = gradient


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        bucket.append(tensor)
        if sum(t.numel() for t in bucket) >= BUCKET:
            yield bucket
            bucket = []
    if bucket:
        yield bucket


def total(x: Tensor) -> Tensor:
    """A tensor summed over all processes; no gradient passes."""
    if count() > 1:
        x = x.clone()
        distributed.all_reduce(x)
    return x


def all_rows(rows: Tensor) -> Tensor:
    """(n, ...) of each process -> (N, ...), in the order of the batch; no gradient passes."""
    if count() == 1:
        return rows
    sizes = [int(size) for size in _gathered(torch.tensor([len(rows)], device=rows.device))]
    padded = rows.new_zeros(max(sizes), *rows.shape[1:])
    padded[: len(rows)] = rows
    pieces = _gathered(padded)
    return torch.cat([piece[:size] for piece, size in zip(pieces, sizes, strict=True)])


def _gathered(x: Tensor) -> list[Tensor]:
    pieces = [torch.empty_like(x) for _ in range(count())]
    distributed.all_gather(pieces, x.contiguous())
    return pieces
