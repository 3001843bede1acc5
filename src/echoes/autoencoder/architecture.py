"""What an autoencoder is, apart from how it is trained: what its file needs to be read for ever."""

from dataclasses import dataclass
from typing import Literal

from echoes.autoencoder import bottlenecks
from echoes.autoencoder.fsq import FsqConfig
from echoes.autoencoder.patches import PatchConfig, Patches
from echoes.autoencoder.vae import SIZES, AttentionConfig, Vae, VaeConfig
from echoes.autoencoder.vq import VqConfig
from echoes.compute.tiles import Tiles
from echoes.nets.stem import StemConfig

Autoencoder = Vae | Patches


@dataclass(frozen=True)
class VaeArchitecture:
    """The section `<track>.vae.architecture`.

    variant    what lies between encoder and decoder: a Gaussian (kl), a learned codebook (vq), finite scalars (fsq); or
               no network at all, but cells folded into channels (identity), for which nothing below counts.
    size       a name, or explicit numbers.
    attention  of the lowest level of encoder and decoder.
    stem       of the encoder.
    tiles      in which a grid is encoded and decoded that does not fit whole.
    """

    variant: Literal["kl", "vq", "fsq", "identity"]
    vq: VqConfig
    fsq: FsqConfig
    identity: PatchConfig
    size: Literal["tiny", "ultra_lightweight", "lightweight", "standard", "f8d4", "f16d32"] | VaeConfig
    attention: AttentionConfig
    stem: StemConfig
    tiles: Tiles


def build(p: VaeArchitecture, rank: int, channels: int) -> Autoencoder:
    """A new autoencoder for (B, channels, *S) with `rank` axes."""
    if p.variant == "identity":
        return Patches(rank, channels, p.identity)
    config = p.size if isinstance(p.size, VaeConfig) else SIZES[p.size]
    bottleneck = bottlenecks.build(p.variant, config.latent_channels, p.vq, p.fsq)
    vae = Vae(rank, channels, config, bottleneck, p.stem, p.attention)
    vae.tile(p.tiles)
    return vae
