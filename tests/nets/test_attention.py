"""Attention over cells: nothing at the start, no order of its own, and cells that know their place."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from echoes.nets.attention import Attention, positions

SIZES = {2: (4, 6), 3: (2, 4, 6)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def trained(rank, channels=8, heads=2):
    attention = Attention(rank, channels, heads)
    nn.init.normal_(attention.out.weight)
    return attention


@pytest.mark.parametrize("rank", [2, 3])
def test_new_attention_is_the_identity(rank):
    x = torch.randn(2, 8, *SIZES[rank])
    assert torch.equal(Attention(rank, 8, 2)(x), x)


@pytest.mark.parametrize("rank", [2, 3])
def test_permuted_cells_give_permuted_answers(rank):
    attention, x = trained(rank), torch.randn(2, 8, *SIZES[rank])
    order = torch.randperm(x[0, 0].numel())
    shuffled = x.flatten(2)[..., order].reshape(x.shape)
    torch.testing.assert_close(attention(shuffled).flatten(2), attention(x).flatten(2)[..., order])


@pytest.mark.parametrize("rank", [2, 3])
def test_samples_do_not_look_at_each_other(rank):
    attention, x = trained(rank), torch.randn(3, 8, *SIZES[rank])
    torch.testing.assert_close(attention(x)[1:2], attention(x[1:2]))


def test_it_is_softmax_of_normalised_queries_and_keys_written_out():
    attention, x = trained(2, 8, 2), torch.randn(1, 8, 4, 6)
    features = attention.qkv(attention.norm(x))[0].reshape(3, 2, 4, 24)
    mixed = torch.empty(2, 4, 24)
    for head in range(2):
        query, key, value = features[:, head]
        query, key = (part / (part.pow(2).mean(0, keepdim=True) + torch.finfo().eps).sqrt() for part in (query, key))
        mixed[head] = value @ (query.T @ key / 4**0.5).softmax(1).T
    expected = x + F.conv2d(mixed.reshape(1, 8, 4, 6), attention.out.weight, attention.out.bias)
    torch.testing.assert_close(attention(x), expected)


@pytest.mark.parametrize("sizes", [(4, 6), (16, 16), (4, 8, 8), (1, 4, 2)])
@pytest.mark.parametrize("octaves", [1, 2])
def test_every_cell_has_a_place_of_its_own(sizes, octaves):
    features = 2 * len(sizes) * octaves
    found = positions(sizes, features, torch.device("cpu"))
    assert found.shape == (1, features, *sizes)
    assert found.abs().max() <= 1
    flat = found.flatten(2)[0].T
    assert (torch.cdist(flat, flat) + 9 * torch.eye(len(flat))).min() > 0.02
