"""The autoencoders of the default tracks and of their peers, at about the same number of parameters."""

from collections.abc import Callable

from torch import Tensor, nn
from training_step import channels, sizes

from echoes import params
from echoes.autoencoder import architecture
from echoes.autoencoder.architecture import VaeArchitecture

KL = 1e-4
# (B, C, *S) -> the same reconstructed, mean and deviation of its latents
Reconstruct = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


def our_autoencoder(track: str) -> tuple[nn.Module, Reconstruct]:
    of = params.load(VaeArchitecture, f"{track}.vae.architecture")
    vae = architecture.build(of, len(sizes(track)), channels(track))

    def reconstruct(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        posterior = vae.encode(x)
        return vae.decode(posterior.sample()), posterior.mean, posterior.std

    return vae, reconstruct


def monai_autoencoder(track: str) -> tuple[nn.Module, Reconstruct]:
    from monai.networks.nets import AutoencoderKL

    vae = AutoencoderKL(
        spatial_dims=len(sizes(track)),
        in_channels=channels(track),
        out_channels=channels(track),
        channels=(12, 24, 48) if len(sizes(track)) == 3 else (20, 40, 80),
        num_res_blocks=1,
        attention_levels=(False, False, False),
        latent_channels=4,
        norm_num_groups=4,
        with_encoder_nonlocal_attn=False,
        with_decoder_nonlocal_attn=False,
    )
    return vae, vae


def diffusers_autoencoder(track: str) -> tuple[nn.Module, Reconstruct]:
    from diffusers import AutoencoderKL

    levels = 3
    vae = AutoencoderKL(
        in_channels=channels(track),
        out_channels=channels(track),
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=(16, 32, 48),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        mid_block_add_attention=False,
    )

    def reconstruct(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        posterior = vae.encode(x).latent_dist
        return vae.decode(posterior.sample()).sample, posterior.mean, posterior.std

    return vae, reconstruct
