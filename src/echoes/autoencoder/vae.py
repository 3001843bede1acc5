"""Autoencoder with a Gaussian posterior: encode, decode. Latents are exactly a quarter of the grid along each axis."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes.grids import COMPRESSION
from echoes.nets.layers import ResBlock, conv, depth_to_space, norm, space_to_depth

PATCH = 2  # cells folded into channels before the first convolution: full resolution is never convolved


@dataclass(frozen=True)
class VaeConfig:
    """channels at half and at quarter resolution, residual blocks at each, and channels of the latents."""

    channels: tuple[int, int]
    blocks: tuple[int, int]
    latent_channels: int


# Sizes by name. The decoder costs what the encoder does; both stay below one call of the denoiser.
SIZES = {
    "tiny": VaeConfig(channels=(24, 48), blocks=(1, 1), latent_channels=4),
    "ultra_lightweight": VaeConfig(channels=(32, 64), blocks=(1, 2), latent_channels=4),
    "lightweight": VaeConfig(channels=(48, 128), blocks=(2, 2), latent_channels=4),
    "standard": VaeConfig(channels=(64, 256), blocks=(2, 4), latent_channels=4),
}


@dataclass(frozen=True)
class Posterior:
    """Mean and logarithm of the variance of the latents, (B, Z, *S / 4) each."""

    mean: Tensor
    logvar: Tensor

    def sample(self) -> Tensor:
        return self.mean + torch.randn_like(self.mean) * torch.exp(0.5 * self.logvar)

    def kl(self) -> Tensor:
        """(B,) divergence from N(0, 1), mean over latents (Kingma and Welling 2014, Appendix B)."""
        return 0.5 * (self.mean**2 + self.logvar.exp() - 1 - self.logvar).flatten(1).mean(1)


class Vae(nn.Module):
    """(B, C, *S) <-> (B, Z, *S / 4), by folding blocks of cells, one strided convolution and residual blocks."""

    def __init__(self, rank: int, channels: int, config: VaeConfig) -> None:
        super().__init__()
        half, quarter = config.channels
        cells = PATCH**rank
        self.rank = rank
        self.encoder = nn.Sequential(
            conv(rank, channels * cells, half),
            *[ResBlock(rank, half, half) for _ in range(config.blocks[0])],
            conv(rank, half, quarter, 2, 2),
            *[ResBlock(rank, quarter, quarter) for _ in range(config.blocks[1])],
            norm(quarter),
            nn.SiLU(),
            conv(rank, quarter, 2 * config.latent_channels),
        )
        self.decoder_quarter = nn.Sequential(
            conv(rank, config.latent_channels, quarter),
            *[ResBlock(rank, quarter, quarter) for _ in range(config.blocks[1])],
            conv(rank, quarter, half * cells, 1),
        )
        self.decoder_half = nn.Sequential(
            *[ResBlock(rank, half, half) for _ in range(config.blocks[0])],
            norm(half),
            nn.SiLU(),
        )
        self.head = conv(rank, half, channels * cells)

    def encode(self, x: Tensor) -> Posterior:
        """(B, C, *S) in network range -> the posterior of its latents."""
        moments = self.encoder(space_to_depth(x, PATCH)).float()
        assert all(s * COMPRESSION == size for s, size in zip(moments.shape[2:], x.shape[2:], strict=True))
        mean, logvar = moments.chunk(2, dim=1)
        return Posterior(mean, logvar.clamp(-20.0, 10.0))

    def decode(self, raw_latents: Tensor) -> Tensor:
        """(B, Z, *S / 4) -> (B, C, *S): logits of the masks, values of the rest."""
        hidden = F.silu(self.decoder_quarter(raw_latents))
        hidden = self.decoder_half(depth_to_space(hidden, COMPRESSION // PATCH))
        return depth_to_space(self.head(hidden), PATCH).float()

    @torch.no_grad()
    def set_prior(self, channel: int, rate: float) -> None:
        """Bias the logit of `channel` so that an untrained head gives probability `rate` (Lin et al. 2017, 4.1)."""
        cells = PATCH**self.rank
        bias = self.head.bias
        assert isinstance(bias, Tensor)
        bias[channel * cells : (channel + 1) * cells] = torch.logit(torch.tensor(rate))
        weight = self.head.weight
        assert isinstance(weight, Tensor)
        weight[channel * cells : (channel + 1) * cells] = 0.0
