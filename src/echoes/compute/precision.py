"""How exactly to compute."""

import torch


def half_precision(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16; `auto` asks the processor."""
    if precision == "auto":
        return device.type == "cuda" or bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return precision == "bfloat16"


def autocast(device: torch.device, precision: str = "auto") -> torch.autocast:
    """Within, networks on a device compute in bfloat16 where `half_precision` says so."""
    return torch.autocast(device.type, torch.bfloat16, enabled=half_precision(precision, device))
