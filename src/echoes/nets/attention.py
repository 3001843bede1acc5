"""Self-attention over all cells of a grid of rank 2 or 3."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes.nets.layers import conv, norm, zero


class Attention(nn.Module):
    """x + projection(softmax(q k^T) v) over the cells, with normalised queries and keys.

    Cost grows with the square of the cells: for up to about 1024 of them.
    """

    def __init__(self, rank: int, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = norm(channels)
        self.qkv = conv(rank, channels, 3 * channels, kernel=1)
        self.out = zero(conv(rank, channels, channels, kernel=1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) -> (B, C, *S)."""
        batch, channels = x.shape[:2]
        # Contiguous (B, heads, tokens, features): strided inputs made attention three times slower.
        heads = self.qkv(self.norm(x)).reshape(batch, 3, self.heads, channels // self.heads, -1)
        query, key, value = heads.transpose(-1, -2).contiguous().unbind(1)
        query, key = (F.rms_norm(part, part.shape[-1:]) for part in (query, key))
        mixed = F.scaled_dot_product_attention(query, key, value.to(query.dtype))
        out: Tensor = x + self.out(mixed.transpose(-1, -2).reshape(x.shape))
        return out


def positions(sizes: tuple[int, ...], features: int, device: torch.device) -> Tensor:
    """(1, features, *S): cos and sin of each axis' coordinate in -1..1, so that cells know where they are."""
    coordinates = torch.meshgrid(*(torch.linspace(-1, 1, s, device=device) for s in sizes), indexing="ij")
    octaves = [float(2**i) * torch.pi / 2 for i in range(-(-features // (2 * len(sizes))))]
    waves = [wave(c * o) for c in coordinates for o in octaves for wave in (torch.cos, torch.sin)]
    return torch.stack(waves[:features])[None]
