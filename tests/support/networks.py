"""Small U-Nets and transformers, each choice at a value unless a test gives another."""

from typing import Any

from echoes.nets.dit import DiTConfig
from echoes.nets.layers import Norm
from echoes.nets.unet_config import UNetConfig, UNetSize


def unet(
    channels: tuple[int, ...] = (8, 16),
    blocks: int = 1,
    attention: str | tuple[str, ...] = "full",
    norm: str = "group",
    convolution: Any = "dense",
    **others: Any,
) -> UNetConfig:
    """attention: of each level, or of the lowest one alone."""
    if isinstance(attention, str):
        attention = (*("none",) * (len(channels) - 1), attention)
    size = UNetSize(channels, blocks, attention, Norm(norm, 8), convolution)
    numbers = {"strides": "full", "least": 2, "heads": 2, "window": 2, "keep": 2, "dropout": 0.0, **others}
    return UNetConfig(size, **numbers)


def dit(patch: Any = 2, attention: Any = "full", dropout: float = 0.0, size: Any = "tiny") -> DiTConfig:
    return DiTConfig(size, patch, attention, window=2, keep=2, dropout=dropout)
