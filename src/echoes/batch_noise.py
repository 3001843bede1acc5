"""Random tensors of a training step, drawn for its whole batch: whoever computes a part of it takes the part's rows.

So the noise of a sample depends on the step and on its place in the batch, not on how many processes share the
batch or in how many parts a process goes through it. Outside of `rows` the tensors are drawn as they are asked for.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# One for the process and not for the thread: a GPU's backward pass, which may recompute, has a thread of its own.
_part: tuple[slice, int] | None = None


@contextmanager
def rows(start: int, stop: int, total: int) -> Iterator[None]:
    """Within, what is drawn is rows start..stop of what a batch of `total` samples would draw."""
    global _part
    _part = slice(start, stop), total
    try:
        yield
    finally:
        _part = None


def normal(*shape: int, device: torch.device) -> Tensor:
    """Standard normal numbers; the first axis is that of the samples, as everywhere here."""
    return _drawn(lambda count: torch.randn(count, *shape[1:], device=device), shape[0])


def normal_like(x: Tensor) -> Tensor:
    return _drawn(lambda count: torch.randn(count, *x.shape[1:], dtype=x.dtype, device=x.device), len(x))


def uniform(*shape: int, device: torch.device) -> Tensor:
    """Numbers of [0, 1)."""
    return _drawn(lambda count: torch.rand(count, *shape[1:], device=device), shape[0])


def integers(high: int, count: int, device: torch.device) -> Tensor:
    """(count,) whole numbers of [0, high)."""
    return _drawn(lambda count: torch.randint(high, (count,), device=device), count)


class Dropout(nn.Dropout):
    """Dropout (Srivastava et al. 2014) whose first axis is that of the samples."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        return x * (uniform(*x.shape, device=x.device) >= self.p) / (1 - self.p)


def _drawn(draw: Callable[[int], Tensor], count: int) -> Tensor:
    if _part is None:
        return draw(count)
    part, total = _part
    assert count == part.stop - part.start, "a part of a batch draws one row for each of its samples"
    return draw(total)[part]
