"""Building blocks of both ranks: folding undoes itself, groups divide, a new block changes nothing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from echoes.nets import layers

SIZES = {2: (8, 12), 3: (4, 8, 12)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_folding_cells_into_channels_and_back_is_the_identity(rank, factor):
    x = torch.randn(2, 3, *SIZES[rank])
    folded = layers.space_to_depth(x, factor)
    assert folded.shape == (2, 3 * factor**rank, *(s // factor for s in SIZES[rank]))
    assert torch.equal(layers.depth_to_space(folded, factor), x)
    y = torch.randn_like(folded)
    assert torch.equal(layers.space_to_depth(layers.depth_to_space(y, factor), factor), y)


def test_in_two_dimensions_folding_is_the_pixel_unshuffle_of_torch():
    x = torch.randn(2, 3, 8, 12)
    assert torch.equal(layers.space_to_depth(x, 4), F.pixel_unshuffle(x, 4))
    y = torch.randn(2, 12, 3, 5)
    assert torch.equal(layers.depth_to_space(y, 2), F.pixel_shuffle(y, 2))


def test_a_block_of_cells_becomes_the_channels_of_its_own_place():
    x = torch.zeros(1, 2, 4, 8, 12)
    x[0, 1, 2, 5, 7] = 1.0
    folded = layers.space_to_depth(x, 2)
    assert folded.nonzero().tolist() == [[0, 8 + 0b011, 1, 2, 3]]  # channel 1; odd in y and x, even in z


@pytest.mark.parametrize("rank", [2, 3])
def test_a_convolution_keeps_the_size_or_divides_it(rank):
    x = torch.randn(2, 3, *SIZES[rank])
    assert layers.conv(rank, 3, 5)(x).shape == (2, 5, *SIZES[rank])
    assert layers.conv(rank, 3, 5, kernel=1)(x).shape == (2, 5, *SIZES[rank])
    assert layers.conv(rank, 3, 5, 2, 2)(x).shape == (2, 5, *(s // 2 for s in SIZES[rank]))


@given(st.integers(1, 300))
def test_the_groups_of_a_norm_divide_any_number_of_channels(channels):
    norm = layers.norm(channels)
    assert channels % norm.num_groups == 0
    assert norm(torch.randn(2, channels, 4)).shape == (2, channels, 4)


@pytest.mark.parametrize("rank", [2, 3])
def test_a_new_block_is_the_identity_and_a_wider_one_starts_as_its_skip(rank):
    x, embedding = torch.randn(2, 6, *SIZES[rank]), torch.randn(2, 10)
    assert torch.equal(layers.ResBlock(rank, 6, 6)(x), x)
    assert torch.equal(layers.ResBlock(rank, 6, 6, features=10)(x, embedding), x)
    wider = layers.ResBlock(rank, 6, 9)
    assert torch.equal(wider(x), wider.skip(x))


@pytest.mark.parametrize("rank", [2, 3])
def test_an_embedding_modulates_its_own_sample_only(rank):
    block = layers.ResBlock(rank, 6, 6, features=10)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.1)
    x, embedding = torch.randn(2, 6, *SIZES[rank]), torch.randn(2, 10)
    before = block(x, embedding)
    embedding[1] += 1.0
    after = block(x, embedding)
    torch.testing.assert_close(after[0], before[0])
    assert (after[1] - before[1]).abs().max() > 0.01


def test_an_embedding_scales_and_shifts_what_was_normalised():
    block = layers.ResBlock(2, 6, 6, features=10)
    block.conv2 = nn.Identity()
    x, embedding = torch.randn(2, 6, 8, 12), torch.randn(2, 10)
    plain = block.norm2(block.conv1(F.silu(block.norm1(x))))
    nn.init.constant_(block.modulate.bias[:6], 0.5)
    nn.init.constant_(block.modulate.bias[6:], -2.0)
    torch.testing.assert_close(block(x, embedding), x + F.silu(1.5 * plain - 2.0))


def test_dropout_acts_in_training_alone():
    block = layers.ResBlock(2, 6, 6, dropout=0.5)
    nn.init.normal_(block.conv2.weight)
    x = torch.randn(2, 6, 8, 12)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))


def test_the_embedding_of_a_scalar_tells_noise_levels_apart_and_keeps_neighbours_near():
    c_noise = torch.logspace(-2.7, 2.2, 200).log() / 4
    embedded = layers.Fourier(64)(c_noise)
    assert embedded.shape == (200, 64)
    torch.testing.assert_close(embedded.pow(2).sum(1), torch.full((200,), 32.0))  # cos^2 + sin^2
    distances = torch.cdist(embedded, embedded)
    assert distances.diagonal(1).max() < 0.7
    assert (distances + torch.eye(200)).min() > 0.1


def test_the_frequencies_are_powers_of_two_from_an_eighth_to_eight():
    frequencies = layers.Fourier(14).frequencies
    torch.testing.assert_close(frequencies, torch.tensor([0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]))
