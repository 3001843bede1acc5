"""An autoencoder comes back from its file as it was, in every size."""

import pytest
import torch

from echoes import params
from echoes.autoencoder.vae import SIZES
from echoes.errors import InputError
from echoes.models import autoencoders
from echoes.models.autoencoders import VaeParams

CPU = torch.device("cpu")


def test_it_repeats_its_answers_bit_for_bit(track):
    vae, header = autoencoders.load(track.data / "vae.safetensors", CPU)
    x = torch.from_numpy(track.grids.target_batch([0, 1]))
    expected = track.vae.decode(track.vae.encode(x).mean)
    torch.testing.assert_close(vae.decode(vae.encode(x).mean), expected, rtol=0, atol=0)
    assert header.parents == {"grids": track.grids.header.identity}
    assert params.build(VaeParams, header.params, "params") == track.vae_params
    assert not vae.training
    assert not any(p.requires_grad for p in vae.parameters())


@pytest.mark.parametrize("size", SIZES)
def test_every_size_that_has_a_name_is_built_by_it(track, size):
    p = params.build(VaeParams, {**vars(track.vae_params), **as_section(track.vae_params), "size": size}, "radar.vae")
    with torch.device("meta"):
        vae = autoencoders.build(p, rank=3, channels=5)
        assert vae.encode(torch.zeros(2, 5, 16, 64, 64)).mean.shape == (2, 4, 4, 16, 16)


def as_section(p):
    return {"loss": vars(p.loss), "size": vars(p.size)}


def test_a_file_of_another_kind_or_of_none_is_refused(track, tmp_path):
    with pytest.raises(InputError, match="expected an artifact of kind vae, got ldm"):
        autoencoders.load(track.data / "ldm.safetensors", CPU)
    with pytest.raises(InputError, match=r"vae\.safetensors: no such file"):
        autoencoders.load(tmp_path / "vae.safetensors", CPU)
