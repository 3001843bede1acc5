"""Convolutions, norms and resampling of rank 1 to 3."""

from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes.draws import Dropout
from echoes.nets.blocks import Block


class Conv3d(nn.Conv3d):
    """The same for inputs flatter than the kernel, whose depth is padded beforehand on a processor in bfloat16.

    Where oneDNN (torch 2.13) pads that depth itself, the kernel's gradient comes from memory that nobody wrote
    (depth 2, AVX-512 without AMX), and some outputs are wrong (depth 1, AMX).
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) -> (B, C', D', H', W')."""
        if x.is_cuda or x.shape[2] >= self.kernel_size[0] or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        depth, *others = (int(size) for size in self.padding)
        padded = F.pad(x, (0, 0, 0, 0, depth, depth))
        return F.conv3d(padded, self.weight, self.bias, self.stride, (0, *others))


CONV: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: Conv3d}


def conv(rank: int, channels: int, out: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """A convolution that keeps the size (stride 1) or divides it (kernel = stride)."""
    return CONV[rank](channels, out, kernel, stride, padding=(kernel - 1) // 2 if stride == 1 else 0)


def zero(module: nn.Module) -> nn.Module:
    """The same module with all weights 0, so that what it adds starts at nothing."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with groups that always divide the channels."""
    return nn.GroupNorm(gcd(8, channels), channels)


def space_to_depth(x: Tensor, factor: int) -> Tensor:
    """(B, C, *S) -> (B, C * factor^rank, *S / factor): a block of cells becomes channels."""
    rank = x.ndim - 2
    sizes = [part for s in x.shape[2:] for part in (s // factor, factor)]
    blocks = x.reshape(*x.shape[:2], *sizes)
    outer, inner = range(2, 2 + 2 * rank, 2), range(3, 3 + 2 * rank, 2)
    folded = blocks.permute(0, 1, *inner, *outer)
    return folded.reshape(x.shape[0], -1, *(s // factor for s in x.shape[2:]))


def depth_to_space(x: Tensor, factor: int) -> Tensor:
    """(B, C * factor^rank, *S) -> (B, C, *S * factor), the inverse of `space_to_depth`."""
    rank = x.ndim - 2
    channels = x.shape[1] // factor**rank
    blocks = x.reshape(x.shape[0], channels, *[factor] * rank, *x.shape[2:])
    order = [axis for i in range(rank) for axis in (2 + rank + i, 2 + i)]
    return blocks.permute(0, 1, *order).reshape(x.shape[0], channels, *(s * factor for s in x.shape[2:]))


class ResBlock(Block):
    """x + conv(silu(norm(conv(silu(norm(x)))))); with `features`, an embedding scales and shifts the second norm."""

    def __init__(self, rank: int, channels: int, out: int, features: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm(channels), conv(rank, channels, out)
        self.norm2, self.conv2 = norm(out), zero(conv(rank, out, out))
        self.modulate = zero(nn.Linear(features, 2 * out)) if features else None
        self.skip = conv(rank, channels, out, kernel=1) if channels != out else nn.Identity()
        self.dropout = Dropout(dropout)

    def body(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        """x (B, C, *S), embedding (B, K) or None -> (B, out, *S)."""
        inner = self.norm2(self.conv1(F.silu(self.norm1(x))))
        if self.modulate is not None:
            assert embedding is not None, "a modulated block needs an embedding"
            scale, shift = self.modulate(F.silu(embedding))[(..., *[None] * (x.ndim - 2))].chunk(2, dim=1)
            inner = inner * (1 + scale) + shift
        out: Tensor = self.skip(x) + self.conv2(self.dropout(F.silu(inner)))
        return out


class Fourier(nn.Module):
    """cos and sin of a scalar at log-spaced frequencies from 1/8 to 8 rad per unit (positional embedding)."""

    frequencies: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.logspace(-3, 3, features // 2, base=2.0), persistent=False)

    def forward(self, scalar: Tensor) -> Tensor:
        """(B,) -> (B, features)."""
        angles = scalar[:, None] * self.frequencies
        return torch.cat([angles.cos(), angles.sin()], dim=1)
