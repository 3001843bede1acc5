"""An autoencoder comes back from its file as it was, in every size and with every bottleneck."""

import json
from dataclasses import replace

import pytest
import torch

import tracks
from echoes import initial, params, provenance, weights
from echoes.autoencoder import architecture
from echoes.autoencoder.architecture import VaeArchitecture
from echoes.autoencoder.vae import SIZES
from echoes.choices.rules import in_force
from echoes.errors import InputError
from echoes.models import autoencoders

CPU = torch.device("cpu")
LATER = ("identity", "pretrained", "attention")  # keys since the third format


@pytest.mark.parametrize("name", ["track", "people", "people_vq"])
def test_it_repeats_its_answers_bit_for_bit(name, request):
    track = request.getfixturevalue(name)
    vae, header = autoencoders.load(track.data / "vae.safetensors", CPU)
    x = torch.from_numpy(track.grids.target_batch([0, 1]))
    expected = track.vae.decode(track.vae.encode(x).mean)
    assert torch.equal(vae.decode(vae.encode(x).mean), expected)
    init = initial.read(track.data / "init").identity
    assert header.parents == {"grids": track.grids.header.identity, "init": init}
    assert header.params == json.loads(json.dumps(in_force(track.vae_params)))
    assert not vae.training
    assert not any(p.requires_grad for p in vae.parameters())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("rank", "channels", "cells"), [(3, 5, (16, 64, 64)), (2, 1, (64, 64)), (2, 3, (256, 256))])
def test_every_size_that_has_a_name_is_built_by_it(size, rank, channels, cells):
    p = params.build(VaeArchitecture, {**tracks.VAE["architecture"], "size": size}, "radar.vae.architecture")
    config = SIZES[size]
    with torch.device("meta"):
        vae = architecture.build(p, rank, channels)
        found = vae.encode(torch.zeros(2, channels, *cells)).mean
    assert found.shape == (2, config.latent_channels, *(c // config.factor for c in cells))


def test_the_sizes_of_latents_are_those_that_the_names_promise():
    with torch.device("meta"):
        for size, expected in (("ultra_lightweight", (4, 64, 64)), ("f8d4", (4, 32, 32)), ("f16d32", (32, 16, 16))):
            p = params.build(VaeArchitecture, {**tracks.PEOPLE_VAE["architecture"], "size": size}, "vae")
            vae = architecture.build(p, 2, 1)
            assert vae.encode(torch.zeros(2, 1, 256, 256)).mean.shape[1:] == expected


@pytest.mark.parametrize("variant", ["kl", "vq", "fsq"])
def test_the_variant_chooses_the_bottleneck_and_its_own_section_its_codes(variant):
    p = params.build(VaeArchitecture, {**tracks.PEOPLE_VAE["architecture"], "variant": variant}, "people.vae")
    vae = architecture.build(p, 2, 1)
    latents = vae.encode(torch.zeros(2, 1, 16, 16)).mean
    assert len(vae.bottleneck.counts(latents)) == {"kl": 0, "vq": 16, "fsq": 5**4}[variant]


def test_levels_that_do_not_fit_the_channels_of_the_latents_are_refused():
    section = {**tracks.PEOPLE_VAE["architecture"], "variant": "fsq", "fsq": {"levels": [5, 5]}}
    with pytest.raises(InputError, match=r"levels: expected .*4"):
        architecture.build(params.build(VaeArchitecture, section, "people.vae"), 2, 1)


def test_what_the_grids_know_travels_with_the_weights(track, people):
    for one in (track, people):
        header = autoencoders.load(one.data / "vae.safetensors", CPU)[1]
        assert header.content == {**one.grids.metadata, "channels": one.grids.channels}
    assert header.content["labels"] == {"user": ["1", "3", "drone"], "activity": ["fall", "fly", "walk"]}


def test_a_file_of_another_kind_or_of_none_is_refused(track, tmp_path):
    with pytest.raises(InputError, match="expected an artifact of kind vae, got ldm"):
        autoencoders.load(track.data / "ldm.safetensors", CPU)
    with pytest.raises(InputError, match=r"vae\.safetensors: no such file"):
        autoencoders.load(tmp_path / "vae.safetensors", CPU)


def test_an_autoencoder_of_an_earlier_format_is_read_as_one_without_what_came_later(track):
    """Its section had no attention and no choice of a patch, and that of the first had no stem."""
    written = weights.load(track.data / "vae.safetensors", "vae")[1]
    for number, missing in ((2, LATER), (1, (*LATER, "stem"))):
        told = {key: value for key, value in written.architecture.items() if key not in missing}
        told["size"] = {key: value for key, value in told["size"].items() if key != "patch"}
        header = provenance.migrated(replace(written, architecture=told, format=number))
        vae = autoencoders.from_header(header, track.data / "vae.safetensors")
        assert vae.state_dict().keys() == track.vae.state_dict().keys()
