"""The two halves of a transformer's block: tokens look at each other, then each is transformed by itself."""

from torch import Tensor, nn
from torch.nn import functional as F

from echoes.nets.attention import Mix
from echoes.nets.positions import rotated
from echoes.nets.windows import Sizes


class SelfAttention(nn.Module):
    """Attention between tokens, its queries and keys normalised and then rotated to their place.

    mix  which tokens meet, of attention.steps.

    The norm of both is a layer norm (Dehghani et al. 2023, Eq. 2), without gains.
    """

    def __init__(self, width: int, heads: int, mix: Mix) -> None:
        super().__init__()
        self.heads, self.mix = heads, mix
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, own: Tensor, other: Tensor, sizes: Sizes) -> Tensor:
        """x (B, tokens, width), own and other (tokens, width / heads) of `rotation` -> (B, tokens, width).

        sizes  tokens along each axis.
        """
        # Contiguous (B, heads, tokens, features): strided inputs made attention three times slower.
        split = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).contiguous()
        query, key, value = split.unbind(0)
        query, key = (rotated(F.layer_norm(part, part.shape[-1:]), own, other) for part in (query, key))
        mixed = self.mix(query, key, value.to(query.dtype), sizes)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class SwiGlu(nn.Module):
    """W2 (silu(W x) * V x), with as many weights as a plain layer four times as wide (Shazeer 2020, Eq. 6)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = int(2 / 3 * 4 * width)
        self.gate, self.value = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(F.silu(self.gate(x)) * self.value(x))
        return out
