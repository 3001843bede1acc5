"""Autoencoders that others have published: read whole, they say what diffusers' own module says."""

import json
import re
from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

import tracks
from echoes import files, params, weights
from echoes.autoencoder import architecture, fitting
from echoes.autoencoder.architecture import VaeArchitecture
from echoes.autoencoder.fitting import VaeParams
from echoes.errors import InputError
from echoes.models import autoencoders
from echoes.models.microdoppler import autoencoding

CPU, KEY = torch.device("cpu"), r"vae\.architecture\.pretrained"
CHANNELS = (4, 8, 12)
SCALE, SHIFT = 0.5, 0.25
CONFIG = {
    "in_channels": 1,
    "out_channels": 1,
    "down_block_types": ["DownEncoderBlock2D"] * 3,
    "up_block_types": ["UpDecoderBlock2D"] * 3,
    "block_out_channels": CHANNELS,
    "layers_per_block": 2,
    "latent_channels": 3,
    "norm_num_groups": 2,
    "scaling_factor": SCALE,
    "shift_factor": SHIFT,
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder as diffusers writes it, and its module."""
    torch.manual_seed(0)
    module, folder = AutoencoderKL(**CONFIG).eval(), tmp_path_factory.mktemp("published")
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.3)
    module.save_pretrained(folder)
    tensors = load_file(folder / "diffusion_pytorch_model.safetensors")
    return SimpleNamespace(module=module, folder=folder, tensors=tensors)


def section(**pretrained):
    return tracks.PEOPLE_VAE["architecture"] | {"variant": "pretrained", "pretrained": pretrained}


def built(rank=2, channels=1, **pretrained):
    return architecture.build(params.build(VaeArchitecture, section(**pretrained), "vae"), rank, channels)


def compvis(tensors):
    """The same tensors under the names of latent diffusion: levels of the decoder from the finest one on."""
    names = {}
    for name in tensors:
        there = re.sub(r"decoder\.up_blocks\.(\d)", lambda m: f"decoder.up.{2 - int(m[1])}", name)
        for old, new in (
            (r"down_blocks\.", "down."),
            (r"resnets\.(\d)", r"block.\1"),
            (r"(down|up)samplers\.0", r"\1sample"),
            (r"conv_shortcut", "nin_shortcut"),
            (r"conv_norm_out", "norm_out"),
            (r"mid_block\.block\.0", "mid.block_1"),
            (r"mid_block\.block\.1", "mid.block_2"),
            (r"mid_block\.attentions\.0\.to_([qkv])", r"mid.attn_1.\1"),
            (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
            (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
        ):
            there = re.sub(old, new, there)
        names[there] = tensors[name]
    linear = re.compile(r"mid\.attn_1\.(q|k|v|proj_out)\.weight")
    return {name: tensor[..., None, None] if linear.search(name) else tensor for name, tensor in names.items()}


def require_same(vae, module):
    x = torch.randn(2, 1, 16, 24, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found, expected = vae.encode(x), module.encode(x).latent_dist
        latents = (expected.mean - SHIFT) * SCALE
        torch.testing.assert_close(found.mean, latents, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.std, expected.std * SCALE, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(vae.decode(latents), module.decode(expected.mean).sample, atol=1e-5, rtol=1e-5)
    assert latents.std() > 0.1
    assert latents.shape[1:] == vae.latent_shape((16, 24)) == (3, 4, 6)


def test_a_folder_of_diffusers_encodes_and_decodes_as_diffusers_does(published):
    require_same(built(layout="diffusers", path=str(published.folder)), published.module)


@pytest.mark.parametrize("within", ["", "first_stage_model."])
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_a_checkpoint_of_latent_diffusion_is_the_same_autoencoder_whatever_lies_beside_it(
    published, tmp_path, ending, within
):
    tensors, path = {within + n: t.contiguous() for n, t in compvis(published.tensors).items()}, tmp_path / f"a{ending}"
    tensors["model.diffusion_model.out.weight" if within else "loss.logvar"] = torch.zeros(2)
    if ending == ".pt":
        torch.save({"state_dict": tensors, "global_step": 7}, path)
    else:
        save_file(tensors, path)
    vae = built(layout="compvis", path=str(path), groups=2, scale=SCALE, shift=SHIFT)
    require_same(vae, published.module)


def test_attention_within_levels_is_found_in_a_checkpoint_and_counts(published, tmp_path):
    """As VA-VAE has it at its lowest level, on both ways: levels with another weight say something else."""
    tensors = compvis(published.tensors)
    for level, blocks in (("encoder.down.2", 2), ("decoder.up.2", 3)):
        for block in range(blocks):
            for part in ("norm", "q", "k", "v", "proj_out"):
                one, other = (f"{level}.attn.{block}.{part}.{kind}" for kind in ("weight", "bias"))
                tensors[one] = torch.randn(12) if part == "norm" else torch.randn(12, 12, 1, 1)
                tensors[other] = torch.zeros(12)
    torch.save(tensors, tmp_path / "a.ckpt")
    told = {"layout": "compvis", "path": str(tmp_path / "a.ckpt"), "groups": 2, "scale": 1.0, "shift": 0.0}
    vae, x = built(**told), torch.randn(1, 1, 16, 16)
    assert vae.shape.attention == (False, False, True)
    before = vae.decode(vae.encode(x).mean)
    vae.decoder.levels[0].attention[2].value.weight.zero_()
    assert not torch.allclose(vae.decode(vae.encode(x).mean), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("decoder.conv_in.bias"), "expected a tensor decoder.conv_in.bias, got none"),
        (lambda t: t.update({"encoder.extra": torch.zeros(1)}), "expected no tensor encoder.extra in this network"),
        (lambda t: t.update({"quant_conv.bias": torch.zeros(5)}), r"expected quant_conv.bias to be \[6\], got \[5\]"),
        (lambda t: t["quant_conv.bias"].fill_(torch.nan), "expected finite weights, got others in quant_conv.bias"),
    ],
)
def test_tensors_that_are_missing_too_many_or_other_are_named(published, tmp_path, change, message):
    tensors = {name: tensor.clone() for name, tensor in published.tensors.items()}
    change(tensors)
    save_file(tensors, tmp_path / "diffusion_pytorch_model.safetensors")
    (tmp_path / "config.json").write_text((published.folder / "config.json").read_text())
    with pytest.raises(InputError, match=rf"diffusion_pytorch_model\.safetensors: {message}"):
        built(layout="diffusers", path=str(tmp_path))


def test_what_is_no_such_autoencoder_is_told_in_one_line(published, tmp_path):
    told = {"layout": "diffusers", "path": str(published.folder)}
    with pytest.raises(InputError, match=r"architecture\.variant: expected another one for a grid of 3 axes, got pre"):
        built(3, 1, **told)
    with pytest.raises(InputError, match=rf"^{KEY}: expected an autoencoder of the grid's 3 .* got 1"):
        built(2, 3, **told)
    with pytest.raises(InputError, match=rf"^{KEY}\.path: expected where .*, got nothing"):
        built(**told | {"path": ""})
    with pytest.raises(InputError, match=rf"^{KEY}: .* grid of \[16, 18\] cells, got one by 4$"):
        built(**told).encode(torch.zeros(1, 1, 16, 18))
    config = json.loads((published.folder / "config.json").read_text())
    for change, message in (
        ({"_class_name": "VQModel"}, "expected the config of an AutoencoderKL, got VQModel"),
        ({"act_fn": "gelu"}, "act_fn: expected one of silu"),
        ({"down_block_types": ["AttnDownEncoderBlock2D"] * 3}, "down_block_types: expected DownEncoderBlock2D for"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(InputError, match=rf"config\.json[:.] ?{message}"):
            built(**told | {"path": str(tmp_path)})
    (tmp_path / "a.pt").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"a\.pt: expected tensors alone, as safetensors or of torch\.save, got"):
        built(layout="compvis", path=str(tmp_path / "a.pt"), groups=2, scale=1.0, shift=0.0)
    shape = vars(built(**told).shape)
    with pytest.raises(InputError, match=rf"^{KEY}\.layout: expected diffusers or compvis, got shape"):
        params.build(VaeParams, tracks.PEOPLE_VAE | {"architecture": section(**shape)}, "vae")


def test_an_artifact_holds_the_weights_and_the_shape_and_needs_the_file_no_more(published, crops, tmp_path):
    told = section(layout="diffusers", path=str(published.folder))
    p = params.build(VaeParams, tracks.PEOPLE_VAE | {"architecture": told}, "vae")
    vae = architecture.build(p.architecture, 2, 1)
    assert not fitting.learns(vae)
    task = autoencoding.task(vae, crops, p, CPU)
    assert task.module[0] is vae
    assert architecture.origin(p.architecture) == {
        "pretrained": files.digest(published.folder / "diffusion_pytorch_model.safetensors")
    }
    autoencoders.save(vae, p, crops, {"grids": "g"}, tmp_path / "vae.safetensors")
    assert str(published.folder) not in json.dumps(weights.header(tmp_path / "vae.safetensors", "vae").architecture)
    require_same(autoencoders.load(tmp_path / "vae.safetensors", CPU)[0], published.module)
