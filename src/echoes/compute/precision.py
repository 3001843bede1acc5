"""How exactly to compute."""

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


def autocast(device: torch.device, precision: Precision = "auto") -> torch.autocast:
    """Within, networks on a device compute in the numbers that `kind` says."""
    found = kind(precision, device)
    half = found != torch.float32
    return torch.autocast(device.type, found if half else torch.bfloat16, enabled=half)
