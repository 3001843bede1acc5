"""Submanifold sparse convolution (Graham et al. 2018): of the active cells of a grid, which stay the active ones."""

from dataclasses import dataclass
from itertools import product
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes.nets.blocks import Block
from echoes.nets.layers import CONV, zero

KERNEL = 3  # cells along each axis


@dataclass(frozen=True)
class Rulebook:
    """Which of the M active cells meet under which weight (Graham et al. 2018, Sec. 3.2), for all layers of a batch.

    shape           (B, *S) of the grids.
    where           their indices along each of these axes, (M,) each.
    source, target  (P,) indices of active cells: what the source holds is weighted and added to the target. First all
                    pairs of the first offset of the kernel, and so on up to its centre, which pairs each cell with
                    itself and is left out; then those of the opposite offsets, the same with source and target
                    exchanged.
    counts          pairs of each of these offsets.
    """

    shape: tuple[int, ...]
    where: tuple[Tensor, ...]
    source: Tensor
    target: Tensor
    counts: tuple[int, ...]

    def take(self, x: Tensor) -> Tensor:
        """(B, C, *S) -> (M, C), the features of the active cells."""
        return x.movedim(1, -1)[self.where]

    def put(self, features: Tensor) -> Tensor:
        """(M, C) -> (B, C, *S), with 0 in all other cells."""
        x = features.new_zeros(*self.shape, features.shape[1])
        x[self.where] = features
        return x.movedim(-1, 1)


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
        self.weight, self.bias = dense.weight, dense.bias

    def forward(self, features: Tensor, rules: Rulebook) -> Tensor:
        """(M, C) -> (M, out)."""
        weights = self.weight.flatten(2).permute(2, 1, 0).contiguous()  # (3^rank, C, out)
        half = len(weights) // 2
        sent = features.index_select(0, rules.source).split(rules.counts)
        matrices = [*weights[:half].unbind(), *weights.flip(0)[:half].unbind()]
        received = torch.cat([rows @ matrix for rows, matrix in zip(sent, matrices, strict=True)])
        own = F.linear(features, weights[half].T, self.bias)
        # Added in the precision of the features, whatever the products have.
        return own.to(features.dtype).index_add(0, rules.target, received.to(features.dtype))


class SubmanifoldBlock(Block):
    """x + conv(silu(norm(x))) of the features of active cells; the norm is that of each cell (Ba et al. 2016)."""

    def __init__(self, rank: int, channels: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.LayerNorm(channels), zero(SubmanifoldConv(rank, channels, channels))

    def body(self, features: Tensor, rules: Rulebook) -> Tensor:
        """(M, C) -> (M, C)."""
        out: Tensor = features + self.conv(F.silu(self.norm(features)), rules)
        return out
