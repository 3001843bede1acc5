"""The networks of the default tracks say the same in bfloat16: some processors' kernels fail at odd sizes."""

from pathlib import Path

import pytest
import torch
from torch import nn

from echoes import params
from echoes.diffusion.denoiser import given
from echoes.models import autoencoders, denoisers
from echoes.models.autoencoders import VaeParams
from echoes.models.denoisers import LdmParams
from echoes.provenance import Header
from echoes.training.schedule import half_precision

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
CPU = torch.device("cpu")
KNOWN = {"kinds": ["user", "activity"], "labels": {"user": ["1", "2", "3"], "activity": ["fall", "walk"]}}


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
@pytest.mark.parametrize(
    ("track", "axes", "channels"), [("radar", "zyx", 5), ("microdoppler", ("velocity", "time"), 1)]
)
def test_autoencoder_and_denoiser_agree_with_float32_to_a_few_percent(track, axes, channels):
    grid = params.document(PARAMS)[track]["grid"]
    sizes = tuple(grid[axis]["size"] for axis in axes)
    vae = autoencoders.build(params.load(VaeParams, f"{track}.vae", PARAMS), len(sizes), channels)
    dense = torch.randn(2, channels, *sizes)
    assert difference(vae, lambda: vae.decode(vae.encode(dense).mean)) < 0.06
    latents = vae.encode(dense).mean.detach()
    content = {"latent_shape": list(latents.shape[1:]), "compression": 4, **(KNOWN if track != "radar" else {})}
    header = Header("latents", {}, {}, content)
    denoiser = denoisers.build(header, params.load(LdmParams, f"{track}.ldm", PARAMS))
    cond = torch.randn(2, 4, *sizes) if track == "radar" else torch.tensor([[0, 1], [2, 0]])
    sigma = torch.tensor([0.3, 20.0])
    assert difference(denoiser, lambda: given(denoiser, denoiser.condition(cond))(latents, sigma)) < 0.06
