"""What an autoencoder is, apart from how it is trained: what its file needs to be read for ever."""

from dataclasses import dataclass, replace
from typing import Literal

from echoes.autoencoder import bottlenecks, pretrained
from echoes.autoencoder.autoencoder_kl import AutoencoderKl, KlShape
from echoes.autoencoder.fsq import FsqConfig
from echoes.autoencoder.patches import PatchConfig, Patches
from echoes.autoencoder.pretrained_compvis import CompVisFile
from echoes.autoencoder.pretrained_diffusers import DiffusersFolder
from echoes.autoencoder.vae import SIZES, AttentionConfig, Vae, VaeConfig
from echoes.autoencoder.vq import VqConfig
from echoes.compute.tiles import Tiles
from echoes.nets.stem import StemConfig

Autoencoder = Vae | Patches | AutoencoderKl
FROZEN = ("identity", "pretrained")  # variants of which nothing is trained


@dataclass(frozen=True)
class VaeArchitecture:
    """The section `<track>.vae.architecture`.

    variant     what lies between encoder and decoder: a Gaussian (kl), a learned codebook (vq), finite scalars (fsq).
                No network at all, but cells folded into channels (identity), or what others have trained (pretrained):
                then nothing below counts, but for the file.
    pretrained  the file with it, or, in an artifact, which has its weights, its shape.
    size        a name, or explicit numbers.
    attention   of the lowest level of encoder and decoder.
    stem        of the encoder.
    tiles       in which a grid is encoded and decoded that does not fit whole.
    """

    variant: Literal["kl", "vq", "fsq", "identity", "pretrained"]
    vq: VqConfig
    fsq: FsqConfig
    identity: PatchConfig
    pretrained: DiffusersFolder | CompVisFile | KlShape
    size: Literal["tiny", "ultra_lightweight", "lightweight", "standard", "f8d4", "f16d32"] | VaeConfig
    attention: AttentionConfig
    stem: StemConfig
    tiles: Tiles


def told(p: VaeArchitecture, vae: Autoencoder) -> VaeArchitecture:
    """What rebuilds an autoencoder without the file that it was read from."""
    return replace(p, pretrained=vae.shape) if isinstance(vae, AutoencoderKl) else p


def origin(p: VaeArchitecture) -> dict[str, str]:
    """Digest of the file that the weights come from, where they come from one."""
    return pretrained.origin(p.pretrained) if p.variant == "pretrained" else {}


def build(p: VaeArchitecture, rank: int, channels: int) -> Autoencoder:
    """A new autoencoder for (B, channels, *S) with `rank` axes."""
    if p.variant == "identity":
        return Patches(rank, channels, p.identity)
    if p.variant == "pretrained":
        return pretrained.build(p.pretrained, rank, channels)
    config = p.size if isinstance(p.size, VaeConfig) else SIZES[p.size]
    bottleneck = bottlenecks.build(p.variant, config.latent_channels, p.vq, p.fsq)
    vae = Vae(rank, channels, config, bottleneck, p.stem, p.attention)
    vae.tile(p.tiles)
    return vae
