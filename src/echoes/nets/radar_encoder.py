"""The radar's own encoder: a grid of any rank -> features on the latent grid, trained with the denoiser."""

from math import prod

from torch import Tensor, nn

from echoes.nets import stem
from echoes.nets.layers import Factor, ResBlock, along, conv, norm, space_to_depth
from echoes.nets.stem import StemConfig


class RadarEncoder(nn.Module):
    """Folds blocks of `factor` cells into channels, behind the stem, then convolves at the resolution of the latents.

    Nothing of the radar is averaged away: every cell of a block keeps its own channel.
    """

    def __init__(
        self, rank: int, channels: int, width: int, blocks: int, features: int, factor: Factor, stem_config: StemConfig
    ) -> None:
        super().__init__()
        self.factor = factor
        self.stem = stem.build(stem_config, rank, channels, "ldm.architecture.condition.stem")
        self.body = nn.Sequential(
            conv(rank, stem_config.out(channels) * prod(along(factor, rank)), width),
            *[ResBlock(rank, width, width) for _ in range(blocks)],
            norm(width),
            conv(rank, width, features, 1),
        )

    def forward(self, radar: Tensor) -> Tensor:
        """(B, C, *S) in network range -> (B, features, *S / factor)."""
        out: Tensor = self.body(space_to_depth(self.stem(radar), self.factor))
        return out
