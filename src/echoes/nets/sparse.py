"""Submanifold sparse convolution (Graham et al. 2018): of the active cells of a grid, which stay the active ones.

In plain torch; on a GPU by the kernels of spconv where that package is installed, to the same numbers.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from echoes.nets.blocks import Block
from echoes.nets.layers import CONV, zero

KERNEL = 3  # cells along each axis
KEY = "cells"  # under which the layers of spconv share their pairs


@dataclass(frozen=True)
class ActiveCells(ABC):
    """The M active cells of a batch, and how their features are convolved.

    shape  (B, *S) of the grids.
    where  their indices along each of these axes, (M,) each.
    """

    shape: tuple[int, ...]
    where: tuple[Tensor, ...]

    def take(self, x: Tensor) -> Tensor:
        """(B, C, *S) -> (M, C), the features of the active cells."""
        return x.movedim(1, -1)[self.where]

    def put(self, features: Tensor) -> Tensor:
        """(M, C) -> (B, C, *S), with 0 in all other cells."""
        x = features.new_zeros(*self.shape, features.shape[1])
        x[self.where] = features
        return x.movedim(-1, 1)

    @abstractmethod
    def convolve(self, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """(M, C) -> (M, out), by the weight of a dense convolution, (out, C, *kernel), and its bias, (out,)."""


@dataclass(frozen=True)
class Rulebook(ActiveCells):
    """Which of the active cells meet under which weight (Graham et al. 2018, Sec. 3.2), for all layers of a batch.

    source, target  (P,) indices of active cells: what the source holds is weighted and added to the target. First all
                    pairs of the first offset of the kernel, and so on up to its centre, which pairs each cell with
                    itself and is left out; then those of the opposite offsets, the same with source and target
                    exchanged.
    counts          pairs of each of these offsets.
    """

    source: Tensor
    target: Tensor
    counts: tuple[int, ...]

    def convolve(self, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        weights = weight.flatten(2).permute(2, 1, 0).contiguous()  # (3^rank, C, out)
        half = len(weights) // 2
        sent = features.index_select(0, self.source).split(self.counts)
        matrices = [*weights[:half].unbind(), *weights.flip(0)[:half].unbind()]
        received = torch.cat([rows @ matrix for rows, matrix in zip(sent, matrices, strict=True)])
        own = F.linear(features, weights[half].T, bias)
        # Added in the precision of the features, whatever the products have.
        return own.to(features.dtype).index_add(0, self.target, received.to(features.dtype))


@dataclass(frozen=True)
class SpconvCells(ActiveCells):
    """The same by spconv 2, which pairs the cells itself.

    pairs  what its first layer finds, for the other ones; empty at first.
    """

    pairs: dict[str, Any] = field(default_factory=dict)

    def convolve(self, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        from spconv.pytorch import SparseConvTensor, SubMConv2d, SubMConv3d  # here, because it is an extra

        out, channels = weight.shape[:2]
        with torch.device("meta"):  # no weights of its own, for which it would draw random numbers
            layer: nn.Module = {2: SubMConv2d, 3: SubMConv3d}[weight.ndim - 2](channels, out, KERNEL, indice_key=KEY)
        numbers = {"weight": weight.movedim(1, -1).contiguous().float(), "bias": bias.float()}  # (out, *kernel, C)
        indices = torch.stack(self.where, 1).int()
        # In float32, as within autocast it computes in float16, also where bfloat16 is asked for.
        with torch.autocast(features.device.type, enabled=False):
            cells = SparseConvTensor(features.float(), indices, self.shape[1:], self.shape[0], indice_dict=self.pairs)
            found = functional_call(layer, numbers, (cells,))
        self.pairs.update(found.indice_dict)
        convolved: Tensor = found.features.to(features.dtype)
        return convolved


@cache
def spconv_on_gpu() -> bool:
    """Whether it is installed with kernels for a GPU, which the package for processors lacks."""
    if find_spec("spconv") is None:
        return False
    from spconv.cppconstants import CPU_ONLY_BUILD  # here, because it is an extra

    return not CPU_ONLY_BUILD


def active_cells(active: Tensor) -> ActiveCells:
    """Of a batch, (B, *S) bool: those of spconv on a GPU where it is installed, but for no cells, which it refuses."""
    if active.is_cuda and spconv_on_gpu():
        where = active.nonzero().unbind(1)
        if len(where[0]):
            return SpconvCells(tuple(active.shape), where)
    return rulebook(active)


def rulebook(active: Tensor) -> Rulebook:
    """Of the active cells of a batch, (B, *S) bool."""
    rank, device = active.ndim - 1, active.device
    # A margin of inactive cells on all sides, so that no offset leads into another row, or sample.
    sizes = [size + KERNEL - 1 for size in active.shape[1:]]
    strides = [prod(sizes[axis + 1 :]) for axis in range(rank)]
    where = active.nonzero()
    cells = (where * torch.tensor([prod(sizes), *strides], device=device)).sum(1) + sum(strides)
    place = torch.full((len(active) * prod(sizes),), -1, dtype=torch.int32, device=device)
    place[cells] = torch.arange(len(cells), dtype=torch.int32, device=device)
    offsets = [sum(s * d for s, d in zip(strides, way, strict=True)) for way in product((-1, 0, 1), repeat=rank)]
    half = torch.tensor(offsets[: len(offsets) // 2], device=device)
    found = place[cells + half[:, None]]
    met = found >= 0
    first, second, counts = found[met].long(), met.nonzero()[:, 1], tuple(met.sum(1).tolist())
    pairs = torch.cat([first, second]), torch.cat([second, first])
    return Rulebook(tuple(active.shape), where.unbind(1), *pairs, counts + counts)


class SubmanifoldConv(nn.Module):
    """The convolution with a kernel of 3 cells along each axis where all cells but the active ones hold 0.

    Weights and bias are those of the dense convolution, name by name.
    """

    def __init__(self, rank: int, channels: int, out: int) -> None:
        super().__init__()
        dense = CONV[rank](channels, out, KERNEL)
        assert dense.bias is not None
        self.weight, self.bias = dense.weight, dense.bias

    def forward(self, features: Tensor, cells: ActiveCells) -> Tensor:
        """(M, C) -> (M, out)."""
        return cells.convolve(features, self.weight, self.bias)


class SubmanifoldBlock(Block):
    """x + conv(silu(norm(x))) of the features of active cells; the norm is that of each cell (Ba et al. 2016)."""

    def __init__(self, rank: int, channels: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.LayerNorm(channels), zero(SubmanifoldConv(rank, channels, channels))

    def body(self, features: Tensor, cells: ActiveCells) -> Tensor:
        """(M, C) -> (M, C)."""
        out: Tensor = features + self.conv(F.silu(self.norm(features)), cells)
        return out
