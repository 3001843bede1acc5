"""Convolutions, norms and resampling of rank 1 to 3."""

from dataclasses import dataclass
from math import gcd, prod
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes import params
from echoes.batch_noise import Dropout
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
        return F.conv3d(padded, self.weight, self.bias, self.stride, (0, *others), self.dilation, self.groups)


CONV: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: Conv3d}


def conv(rank: int, channels: int, out: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """A convolution that keeps the size (stride 1) or divides it (kernel = stride)."""
    return CONV[rank](channels, out, kernel, stride, padding=(kernel - 1) // 2 if stride == 1 else 0)


def shrinking(rank: int, channels: int, out: int, stride: tuple[int, ...]) -> nn.Module:
    """A convolution over blocks of `stride` cells, which divides the size by it."""
    kernel: Any = stride  # whose length is that of the rank
    return CONV[rank](channels, out, kernel, kernel)


def zero(module: nn.Module) -> nn.Module:
    """The same module with all weights 0, so that what it adds starts at nothing."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


@dataclass(frozen=True)
class Norm:
    """How features are normalised.

    kind    what shares a mean and a deviation, over all cells of a sample: a group of channels (group, Wu and He 2018),
            all channels (layer, as there) or each by itself (instance, Ulyanov et al. 2016). rms: each cell by the root
            mean square of its channels (Zhang and Sennrich 2019). adaptive: group, and the first norm of a residual
            block is scaled and shifted by the noise level, too (see ResBlock).
    groups  of group and adaptive; the greatest common divisor with the channels counts.
    """

    kind: Literal["group", "layer", "instance", "rms", "adaptive"]
    groups: int

    def __post_init__(self) -> None:
        params.require_counts(groups=self.groups)

    def leaves_something(self, channels: int, cells: int) -> bool:
        """Whether more than one value shares a mean: what is alone is nothing but its mean."""
        if self.kind == "rms":
            return True
        return {"layer": channels, "instance": 1}.get(self.kind, channels // gcd(self.groups, channels)) * cells > 1


GROUPS = Norm("group", 8)


class RmsNorm(nn.Module):
    """x / rms(x) * gain, over the channels of each cell (Zhang and Sennrich 2019, Eq. 4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) -> (B, C, *S)."""
        scale = (x.float().square().mean(1, keepdim=True) + 1e-6).rsqrt()
        return x * (scale * self.weight[(..., *[None] * (x.ndim - 2))]).to(x.dtype)


def norm(channels: int, of: Norm = GROUPS) -> nn.Module:
    """Normalisation of (B, C, *S) with a learned gain; groups always divide the channels."""
    if of.kind == "rms":
        return RmsNorm(channels)
    return nn.GroupNorm({"layer": 1, "instance": channels}.get(of.kind, gcd(of.groups, channels)), channels)


Convolution = Literal["dense", "depthwise"]


def mixing(rank: int, channels: int, out: int, convolution: Convolution) -> nn.Module:
    """A convolution of 3 cells along each axis: dense, or a filter for each channel and then a matrix between them.

    The latter has 3^rank channels + channels * out weights in place of 3^rank channels * out (Howard et al. 2017,
    Sec. 3.1); no norm lies between the two.
    """
    if convolution == "dense":
        return conv(rank, channels, out)
    own = CONV[rank](channels, channels, 3, padding=1, groups=channels)
    return nn.Sequential(own, conv(rank, channels, out, kernel=1))


Factor = int | tuple[int, ...]  # cells of a block along each axis, or along all of them alike


def along(factor: Factor, rank: int) -> tuple[int, ...]:
    """(rank,) cells of a block along each axis."""
    return (factor,) * rank if isinstance(factor, int) else factor


def space_to_depth(x: Tensor, factor: Factor) -> Tensor:
    """(B, C, *S) -> (B, C * cells of a block, *S / factor): a block of cells becomes channels."""
    rank = x.ndim - 2
    pairs = [(s // f, f) for s, f in zip(x.shape[2:], along(factor, rank), strict=True)]
    blocks = x.reshape(*x.shape[:2], *(part for pair in pairs for part in pair))
    outer, inner = range(2, 2 + 2 * rank, 2), range(3, 3 + 2 * rank, 2)
    folded = blocks.permute(0, 1, *inner, *outer)
    return folded.reshape(x.shape[0], -1, *(coarse for coarse, _ in pairs))


def depth_to_space(x: Tensor, factor: Factor) -> Tensor:
    """(B, C * cells of a block, *S) -> (B, C, *S * factor), the inverse of `space_to_depth`."""
    rank = x.ndim - 2
    factors = along(factor, rank)
    channels = x.shape[1] // prod(factors)
    blocks = x.reshape(x.shape[0], channels, *factors, *x.shape[2:])
    order = [axis for i in range(rank) for axis in (2 + rank + i, 2 + i)]
    sizes = (s * f for s, f in zip(x.shape[2:], factors, strict=True))
    return blocks.permute(0, 1, *order).reshape(x.shape[0], channels, *sizes)


class ResBlock(Block):
    """x + conv(silu(norm(conv(silu(norm(x)))))); with `features`, an embedding scales and shifts the second norm.

    (Dhariwal and Nichol 2021, Sec. 3.1; Perez et al. 2018, Eq. 2.) With an `adaptive` norm it does so with the first.
    """

    def __init__(
        self,
        rank: int,
        channels: int,
        out: int,
        features: int = 0,
        dropout: float = 0.0,
        normed: Norm = GROUPS,
        convolution: Convolution = "dense",
    ) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm(channels, normed), mixing(rank, channels, out, convolution)
        self.norm2, self.conv2 = norm(out, normed), mixing(rank, out, out, convolution)
        # Of two matrices in a row the last one alone: two zeros have no gradient.
        zero(self.conv2[-1] if isinstance(self.conv2, nn.Sequential) else self.conv2)
        self.modulate = zero(nn.Linear(features, 2 * out)) if features else None
        adaptive = normed.kind == "adaptive" and features
        self.modulate1 = zero(nn.Linear(features, 2 * channels)) if adaptive else None
        self.skip = conv(rank, channels, out, kernel=1) if channels != out else nn.Identity()
        self.dropout = Dropout(dropout)

    def body(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        """x (B, C, *S), embedding (B, K) or None -> (B, out, *S)."""
        outer = modulated(self.norm1(x), self.modulate1, embedding)
        inner = modulated(self.norm2(self.conv1(F.silu(outer))), self.modulate, embedding)
        out: Tensor = self.skip(x) + self.conv2(self.dropout(F.silu(inner)))
        return out


def modulated(x: Tensor, modulate: nn.Module | None, embedding: Tensor | None) -> Tensor:
    """x (B, C, *S), scaled and shifted by what `modulate` makes of its sample's embedding (B, K)."""
    if modulate is None:
        return x
    assert embedding is not None, "a modulated block needs an embedding"
    scale, shift = modulate(F.silu(embedding))[(..., *[None] * (x.ndim - 2))].chunk(2, dim=1)
    return x * (1 + scale) + shift


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
