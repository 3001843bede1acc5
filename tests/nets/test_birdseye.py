"""A U-Net over the ground plane: full resolution, a prior before any training, and grids that it cannot halve."""

import re

import pytest
import torch
from torch import nn

import networks
from echoes.errors import InputError
from echoes.nets.birdseye import BirdseyeUNet

CONFIG = networks.unet()


@pytest.fixture
def network():
    """Of 4 cells in height, 3 channels and 5 outputs, as yet untrained."""
    torch.manual_seed(0)
    return BirdseyeUNet(4, 3, 5, CONFIG).eval()


def shaken(network):
    """The same, which says something."""
    for weight in network.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.1)
    return network


@torch.no_grad()
def test_a_cell_of_the_grid_has_all_outputs(network):
    x = torch.randn(2, 3, 4, 8, 6)
    found = shaken(network)(x)
    assert found.shape == (2, 5, 4, 8, 6)
    assert found.dtype == torch.float32
    torch.testing.assert_close(network(x[1:]), found[1:], rtol=1e-4, atol=1e-5)
    assert (found.flatten(1).std(1) > 0.1).all()


@torch.no_grad()
def test_an_untrained_network_gives_the_prior_exactly_and_nothing_else(network):
    network.set_prior(1, 0.03)
    found = network(torch.randn(2, 3, 4, 8, 6))
    torch.testing.assert_close(found[:, 1].sigmoid(), torch.full((2, 4, 8, 6), 0.03), rtol=1e-6, atol=0)
    assert not found[:, [0, 2, 3, 4]].any()


@torch.no_grad()
def test_a_cell_hears_of_its_column_and_of_its_neighbours_in_place(network):
    """With one level and no attention beyond it, what changes lies around what was changed."""
    torch.manual_seed(0)
    network = shaken(BirdseyeUNet(4, 3, 5, networks.unet((8,), attention="window", window=4)).eval())
    x = torch.randn(1, 3, 4, 32, 32)
    other = x.clone()
    other[0, 1, 2, 20, 12] += 3.0
    change = (network(other) - network(x)).abs().amax((0, 1, 2))
    row, column = divmod(int(change.argmax()), 32)
    assert max(abs(row - 20), abs(column - 12)) <= 2


@pytest.mark.parametrize("shape", [(5, 8, 6), (4, 7, 6), (4, 8, 5)])
def test_a_grid_of_another_height_or_that_cannot_be_halved_is_refused_in_one_line(network, shape):
    message = f"regression.unet: expected grids (4, H, W) with H, W multiples of 2, 2, got {shape}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        network(torch.zeros(1, 3, *shape))
