"""The terms of a loss, for the log: a loss notes what it adds up, and whoever minimises it may listen.

A loss stays a function that returns one number per sample. What is noted has its weight in it, so that the terms of a
loss add up to it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

_noted: dict[str, Tensor] | None = None
_scope: tuple[str, float] = "", 1.0


@contextmanager
def listening() -> Iterator[dict[str, Tensor]]:
    """Within, terms are noted in the mapping that is given: name -> (B,), without gradient."""
    global _noted
    _noted = {}
    try:
        yield _noted
    finally:
        _noted = None


@contextmanager
def within(name: str, weight: float) -> Iterator[None]:
    """Within, the names of terms begin with `name`, and they count as much as `weight` says."""
    global _scope
    before = _scope
    _scope = f"{before[0]}{name}_", before[1] * weight
    try:
        yield
    finally:
        _scope = before


def note(**values: Tensor) -> None:
    """Terms of the loss of a batch, (B,) each; nothing where nobody listens."""
    if _noted is not None:
        prefix, weight = _scope
        _noted.update({f"{prefix}{name}": weight * value.detach() for name, value in values.items()})
