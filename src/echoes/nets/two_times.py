"""A network with two times: it is told the noise level it is to go to, beside the one it is at (Kim et al. 2023)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes.nets.layers import Fourier

FEATURES = 64


class RatioEmbedding(nn.Module):
    """What is added to the embedding of a noise level t for the level s <= t to go to, by s / t; 0 at the start.

    So a network that hears it starts with what it said before, whatever s is.

    like  (K, ...) last weight of that embedding: in its width, on its device.
    """

    def __init__(self, like: Tensor) -> None:
        super().__init__()
        self.waves = Fourier(FEATURES).to(like.device)
        self.weight = nn.Parameter(like.new_zeros(len(like), FEATURES))

    def forward(self, c_noise: Tensor, ratio: Tensor | None) -> Tensor:
        """c_noise (B,), ratio (B,) s / t, or None for s = t -> (B, K)."""
        told = torch.ones_like(c_noise) if ratio is None else ratio.to(c_noise)
        return F.linear(self.waves(told), self.weight)
