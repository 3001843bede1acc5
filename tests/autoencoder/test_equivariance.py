"""Scaling commutes with a decoder that only copies; with one that knows positions it does not."""

import pytest
import torch
from torch.nn import functional as F

from echoes.autoencoder import equivariance
from echoes.autoencoder.equivariance import equivariance_loss
from echoes.autoencoder.loss_weights import EquivarianceConfig
from echoes.errors import InputError

SHAPES = {2: (2, 3, 16, 8), 3: (2, 3, 4, 16, 8)}


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("scale", [0.5, 0.75])
def test_a_decoder_that_repeats_its_latents_is_equivariant(rank, scale):
    z = torch.randn(SHAPES[rank])
    torch.testing.assert_close(equivariance_loss(lambda z: z, z, z, 1, scale), torch.zeros(2))


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("factor", [2, 4])
def test_copies_of_constant_latents_scale_with_them(rank, factor):
    z = torch.randn(2, 3, *[1] * rank).expand(SHAPES[rank])
    decode = lambda z: F.interpolate(z, scale_factor=float(factor), mode="nearest")
    found = equivariance_loss(decode, z, decode(z), factor, 0.75)
    torch.testing.assert_close(found, torch.zeros(2), atol=1e-6, rtol=0)


def test_a_decoder_that_does_not_commute_costs_its_mean_absolute_error_per_sample():
    z = torch.stack([torch.full((1, 8, 8), 1.0), torch.full((1, 8, 8), 3.0)])
    found = equivariance_loss(lambda z: z * z, z, z, 1, 0.5)
    torch.testing.assert_close(found, torch.tensor([0.0, 6.0]))


def test_scaling_averages_the_cells_that_a_coarser_cell_covers():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert equivariance.rescale(x, [2, 2]).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_latents_are_scaled_to_whole_numbers_and_the_input_with_them():
    seen = []

    def decode(z):
        seen.append(tuple(z.shape[2:]))
        return F.interpolate(z, scale_factor=4.0)

    equivariance_loss(decode, torch.randn(1, 1, 4, 16), torch.randn(1, 1, 16, 64), 4, 0.75)
    equivariance_loss(decode, torch.randn(1, 1, 1, 5), torch.randn(1, 1, 4, 20), 4, 0.3)
    assert seen == [(3, 12), (1, 2)]


def test_each_scale_is_drawn_and_the_same_one_for_the_same_seed():
    def drawn():
        torch.manual_seed(0)
        return [equivariance.draw((0.5, 0.75)) for _ in range(40)]

    assert set(drawn()) == {0.5, 0.75}
    assert drawn() == drawn()


def test_weights_and_scales_that_mean_nothing_are_refused():
    with pytest.raises(InputError, match=r"weight: expected 0 or more, got -1.0"):
        EquivarianceConfig(-1.0, (0.5,))
    for scales in ((), (0.5, 1.0), (0.0,)):
        with pytest.raises(InputError, match=r"scales: expected numbers between 0 and 1, got \["):
            EquivarianceConfig(0.1, scales)
