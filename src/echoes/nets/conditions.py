"""What a network is told besides noise: a field on its grid, a vector, or the learned nulls in their place."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Condition(NamedTuple):
    """field (B, K, *S) is concatenated to the input, vector (B, K) is added to the embedding of the noise level.

    ratio  (B,) s / t, the noise level that a network with two times is to go to over the one it is at; None: s = t.
    """

    field: Tensor | None
    vector: Tensor | None
    ratio: Tensor | None = None


def joined(first: Condition, second: Condition) -> Condition:
    """Both conditions along the batch (2 B), for two answers of one call."""

    def join(a: Tensor | None, b: Tensor | None) -> Tensor | None:
        assert (a is None) == (b is None), "two conditions of one network have the same parts"
        return None if a is None or b is None else torch.cat([a, b])

    return Condition(*(join(a, b) for a, b in zip(first, second, strict=True)))


class NoConditioner(nn.Module):
    """Nothing, whatever comes: for a network that learns what there is, and not what belongs to what."""

    parts = 1

    def forward(self, cond: Tensor, drop: Tensor) -> Condition:
        """cond (B, ...) and drop (B, 1) are not looked at."""
        return Condition(None, None)


class FieldConditioner(nn.Module):
    """A field through its own encoder, such as the radar of a frame; dropped, it is one learned vector everywhere."""

    parts = 1

    def __init__(self, encoder: nn.Module, features: int) -> None:
        super().__init__()
        self.encoder, self.null = encoder, nn.Parameter(torch.zeros(features))

    def forward(self, cond: Tensor, drop: Tensor) -> Condition:
        """cond (B, C, *S), drop (B, 1) bool -> a field (B, features, *S of the encoder)."""
        encoded: Tensor = self.encoder(cond)
        ones = (1,) * (encoded.ndim - 2)
        null = self.null.reshape(1, -1, *ones).to(encoded.dtype)
        return Condition(torch.where(drop.reshape(-1, 1, *ones), null, encoded), None)


class LabelConditioner(nn.Module):
    """The sum of one embedding per kind of label, such as a user and an activity (Peebles and Xie 2023, Sec. 3.2).

    Each table has one row more than its kind has labels: the null, which no label collides with. Rows start with
    deviation 1 instead of their 0.02: in some thousand steps so small ones hardly grow, and a user stays unheard.
    """

    nulls: Tensor

    def __init__(self, counts: tuple[int, ...], features: int) -> None:
        super().__init__()
        self.parts = len(counts)
        self.tables = nn.ModuleList([nn.Embedding(count + 1, features) for count in counts])
        self.register_buffer("nulls", torch.tensor(counts), persistent=False)

    def forward(self, cond: Tensor, drop: Tensor) -> Condition:
        """cond (B, parts) int64 indices of labels, drop (B, parts) bool -> a vector (B, features)."""
        rows = torch.where(drop, self.nulls, cond).unbind(1)
        summands = [table(row) for table, row in zip(self.tables, rows, strict=True)]
        return Condition(None, torch.stack(summands).sum(0))
