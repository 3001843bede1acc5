"""The networks of the default tracks say and learn the same in bfloat16: some kernels fail at odd sizes."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn

from echoes import params
from echoes.autoencoder import architecture
from echoes.autoencoder.architecture import VaeArchitecture
from echoes.compute.precision import kind
from echoes.diffusion.denoiser import bind
from echoes.models import denoisers
from echoes.models.denoisers import LdmArchitecture
from echoes.provenance import Header
from echoes.tasks import ENHANCE

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
CPU = torch.device("cpu")
KNOWN = {"kinds": ["user", "activity"], "labels": {"user": ["1", "2", "3"], "activity": ["fall", "walk"]}}


def differences(module, call):
    """Relative errors in bfloat16 of what `call` gives and of the gradient of each parameter, without any zeros."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    module.eval()
    found = []
    for half in (False, True):
        module.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            out = call().float()
        out.square().mean().backward()
        gradients = {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}
        found.append({"out": out.detach(), **gradients})
    full, half = found
    return {name: ((half[name] - full[name]).norm() / full[name].norm().clamp(min=1e-9)).item() for name in full}


@pytest.mark.skipif(kind("auto", CPU) != torch.bfloat16, reason="needs a processor that computes in bfloat16")
@pytest.mark.parametrize(
    ("track", "axes", "channels"), [("radar", "zyx", 5), ("microdoppler", ("velocity", "time"), 1)]
)
def test_autoencoder_and_denoiser_and_their_gradients_agree_with_float32_to_a_few_percent(track, axes, channels):
    grid = params.document(PARAMS)[track]["grid"]
    sizes = tuple(grid[axis]["size"] for axis in axes)
    vae = architecture.build(params.load(VaeArchitecture, f"{track}.vae.architecture", PARAMS), len(sizes), channels)
    dense = torch.randn(2, channels, *sizes)
    errors = differences(vae, lambda: vae.decode(vae.encode(dense).mean))
    assert errors["out"] < 0.06
    assert max(errors.values()) < 0.1, errors
    latents = vae.encode(dense).mean.detach()
    told = KNOWN if track != "radar" else {"task": asdict(ENHANCE)}
    content = {"latent_shape": list(latents.shape[1:]), "compression": 4, **told}
    header = Header("latents", {}, {}, content)
    denoiser = denoisers.build(header, params.load(LdmArchitecture, f"{track}.ldm.architecture", PARAMS))
    cond = torch.randn(2, 4, *sizes) if track == "radar" else torch.tensor([[0, 1], [2, 0]])
    sigma = torch.tensor([0.3, 20.0])
    errors = differences(denoiser, lambda: bind(denoiser, denoiser.condition(cond))(latents, sigma))
    assert errors["out"] < 0.06
    assert max(errors.values()) < 0.1, errors
