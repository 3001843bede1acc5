"""A training starts from the weights of another track's network, if they are those of this very network."""

import pytest
import torch
from torch import nn

from echoes import initial, weights
from echoes.errors import InputError
from echoes.models.starting import start
from echoes.provenance import Header


@pytest.fixture
def street(tmp_path):
    """The folder `init` of a track that starts from a street of one layer, and this layer."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    for kind in ("vae", "ldm"):
        weights.save(layer.state_dict(), Header(kind, {}, {}), tmp_path / "street" / f"{kind}.safetensors")
    initial.write("street", tmp_path / "street", tmp_path / "init")
    return tmp_path / "init", layer


@pytest.mark.parametrize("kind", ["vae", "ldm"])
def test_a_network_takes_the_weights_of_its_kind(street, kind):
    folder, layer = street
    network = nn.Linear(3, 2)
    assert start(network, folder, kind).identity == initial.read(folder).identity
    torch.testing.assert_close(network.state_dict(), layer.state_dict(), rtol=0, atol=0)


def test_from_scratch_a_network_stays_as_it_is(tmp_path):
    initial.write(initial.SCRATCH, tmp_path, tmp_path / "init")
    network = nn.Linear(3, 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    start(network, tmp_path / "init", "vae")
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


def test_a_network_of_which_nothing_is_trained_stays_as_it_is(street):
    network = nn.Linear(3, 2).requires_grad_(False)
    before = network.weight.clone()
    assert start(network, street[0], "vae").identity == initial.read(street[0]).identity
    assert torch.equal(network.weight, before)


@pytest.mark.parametrize("network", [nn.Linear(3, 4), nn.Linear(3, 2, bias=False), nn.Sequential(nn.Linear(3, 2))])
def test_another_network_is_refused_naming_the_file_and_the_first_weight_that_differs(street, network):
    with pytest.raises(InputError, match=r"init/vae\.safetensors: weights do not fit the network: expected \w+"):
        start(network, street[0], "vae")


def test_weights_that_are_not_finite_are_refused(street, tmp_path):
    layer = nn.Linear(3, 2)
    nn.init.constant_(layer.bias, float("nan"))
    weights.save(layer.state_dict(), Header("vae", {}, {}), tmp_path / "street" / "vae.safetensors")
    initial.write("street", tmp_path / "street", tmp_path / "init")
    with pytest.raises(InputError, match=r"expected finite weights, got others in bias"):
        start(nn.Linear(3, 2), tmp_path / "init", "vae")
