"""The networks of the default track say the same in bfloat16: some processors' kernels fail at odd sizes."""

from pathlib import Path

import pytest
import torch
from torch import nn

from echoes import params
from echoes.diffusion.edm import given
from echoes.models import autoencoders, denoisers
from echoes.models.autoencoders import VaeParams
from echoes.models.denoisers import LdmParams
from echoes.training.loop import half_precision

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
CPU = torch.device("cpu")


def difference(module, call):
    """Relative error of `call` in bfloat16, for a module without zeros."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    module.eval()
    with torch.no_grad():
        full = call()
        with torch.autocast("cpu", torch.bfloat16):
            half = call()
    return ((half.float() - full).norm() / full.norm()).item()


@pytest.mark.skipif(not half_precision("auto", CPU), reason="needs a processor that computes in bfloat16")
def test_autoencoder_and_denoiser_agree_with_float32_to_a_few_percent():
    grid = params.document(PARAMS)["radar"]["grid"]
    sizes = tuple(grid[axis]["size"] for axis in "zyx")
    vae = autoencoders.build(params.load(VaeParams, "radar.vae", PARAMS), rank=3, channels=5)
    dense = torch.randn(2, 5, *sizes)
    assert difference(vae, lambda: vae.decode(vae.encode(dense).mean)) < 0.06
    latents = vae.encode(dense).mean.detach()
    denoiser = denoisers.build(params.load(LdmParams, "radar.ldm", PARAMS), 3, latents.shape[1], 4)
    radar, sigma = torch.randn(2, 4, *sizes), torch.tensor([0.3, 20.0])
    assert difference(denoiser, lambda: given(denoiser, denoiser.features(radar))(latents, sigma)) < 0.06
