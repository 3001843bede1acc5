"""How exactly to compute."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import torch

Precision = Literal["auto", "bfloat16", "float16", "float32"]
KINDS = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


def kind(precision: Precision, device: torch.device) -> torch.dtype:
    """The numbers that networks compute in; `auto` asks the device."""
    return native(device) if precision == "auto" else KINDS[precision]


def native(device: torch.device) -> torch.dtype:
    """bfloat16 where a device computes in it itself, else float16 on a GPU and float32 on a processor."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16", False) else torch.float32


_asked: ContextVar[Precision] = ContextVar("precision", default="auto")


@contextmanager
def computing(precision: Precision) -> Iterator[None]:
    """Within, `autocast` is of this precision where it is not told another one."""
    token = _asked.set(precision)
    try:
        yield
    finally:
        _asked.reset(token)


def autocast(device: torch.device, precision: Precision | None = None) -> torch.autocast:
    """Within, networks on a device compute in the numbers that `kind` says; of None in those that are asked for."""
    found = kind(_asked.get() if precision is None else precision, device)
    half = found != torch.float32
    return torch.autocast(device.type, found if half else torch.bfloat16, enabled=half)
