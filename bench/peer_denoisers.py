"""The networks of the default tracks' denoisers and of their peers, at about the same number of parameters."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from training_step import latents_for, sizes

from echoes import params
from echoes.models.denoisers import LdmArchitecture
from echoes.nets.conditions import Condition
from echoes.nets.dit import DiT

FIELDS, VECTOR = 32, 128  # of the condition of a cloud, and of labels
CLASSES = 7  # of the peers, in place of our labels
LATENT = {3: (4, 4, 16, 16), 2: (4, 16, 16)}  # by the axes of a grid

# (B, Z, *S') noisy, (B,) times in 0..1 -> (B, Z, *S')
Predict = Callable[[Tensor, Tensor], Tensor]


def million(network: nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters"


def our_unet(track: str, batch: int) -> tuple[nn.Module, Predict]:
    """The network of the track's denoiser, whose condition has been encoded."""
    network = latents_for(track, params.load(LdmArchitecture, f"{track}.ldm.architecture"), batch)[0].network
    return network, _told(network, len(sizes(track)), batch)


def our_dit(track: str, batch: int) -> tuple[nn.Module, Predict]:
    of = params.load(LdmArchitecture, f"{track}.ldm.architecture").dit
    network = DiT(2, 4, 4, replace(of, size="tiny"), VECTOR)
    return network, _told(network, 2, batch)


def _told(network: nn.Module, rank: int, batch: int) -> Predict:
    field = torch.randn(batch, FIELDS, *LATENT[3][1:]) if rank == 3 else None
    vector = torch.randn(batch, VECTOR) if rank == 2 else None
    return lambda x, time: network(x, time, Condition(field, vector))


def monai_unet(rank: int, batch: int) -> tuple[nn.Module, Predict]:
    from monai.networks.nets import DiffusionModelUNet

    network = DiffusionModelUNet(
        spatial_dims=rank,
        in_channels=4 + (FIELDS if rank == 3 else 0),
        out_channels=4,
        channels=(64, 96),
        num_res_blocks=2,
        attention_levels=(False, True),
        norm_num_groups=8,
        num_head_channels=32,
        num_class_embeds=None if rank == 3 else CLASSES,
    )
    if rank == 3:
        field = torch.randn(batch, FIELDS, *LATENT[3][1:])
        return network, lambda x, time: network(torch.cat([x, field], dim=1), 1000 * time)
    classes = torch.randint(CLASSES, (batch,))
    return network, lambda x, time: network(x, 1000 * time, class_labels=classes)


def diffusers_unet(**others: Any) -> nn.Module:
    from diffusers import UNet2DModel

    network: nn.Module = UNet2DModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        layers_per_block=2,
        block_out_channels=(64, 96),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=32,
        **others,
    )
    return network


def diffusers_dit() -> nn.Module:
    from diffusers import DiTTransformer2DModel

    network: nn.Module = DiTTransformer2DModel(
        num_attention_heads=4,
        attention_head_dim=32,
        in_channels=4,
        out_channels=4,
        num_layers=4,
        sample_size=16,
        patch_size=2,
        num_embeds_ada_norm=1000,
        norm_num_groups=8,
    )
    return network
