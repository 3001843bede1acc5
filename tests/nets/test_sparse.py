"""Submanifold convolution: the dense one at the active cells, in value and in gradient, with the same weights."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from echoes.nets.layers import conv
from echoes.nets.sparse import Rulebook, SpconvCells, SubmanifoldBlock, SubmanifoldConv, active_cells, rulebook
from echoes.nets.stem import SparseStem, StemConfig

SIZES = {2: (5, 7), 3: (4, 5, 6)}


def scattered(rank, share, seed):
    return torch.rand(2, *SIZES[rank], generator=torch.Generator().manual_seed(seed)) < share


def single(rank, index):
    active = torch.zeros(2, *SIZES[rank], dtype=torch.bool)
    active[(1, *[index] * rank)] = True
    return active


def pair(rank, channels, out):
    """Both convolutions with the same weights."""
    sparse, dense = SubmanifoldConv(rank, channels, out), conv(rank, channels, out)
    dense.load_state_dict(sparse.state_dict())
    return sparse, dense


def require_same(active, channels, out):
    """Values at the active cells, and the gradients of features, weights and bias, of any loss of these values."""
    rank = active.ndim - 1
    torch.manual_seed(0)
    sparse, dense = pair(rank, channels, out)
    rules = rulebook(active)
    features = torch.randn(int(active.sum()), channels, requires_grad=True)
    same = features.detach().clone().requires_grad_()
    found, expected = sparse(features, rules), rules.take(dense(rules.put(same)))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    loss = torch.randn_like(found)
    (found * loss).sum().backward()
    (expected * loss).sum().backward()
    torch.testing.assert_close(features.grad, same.grad, rtol=1e-5, atol=1e-5)
    for name, parameter in sparse.named_parameters():
        torch.testing.assert_close(parameter.grad, dense.get_parameter(name).grad, rtol=1e-4, atol=1e-4)


@given(
    rank=st.sampled_from([2, 3]),
    share=st.sampled_from([0.0, 0.02, 0.2, 0.6, 1.0]),
    seed=st.integers(0, 999),
    channels=st.integers(1, 5),
    out=st.integers(1, 5),
)
def test_it_is_the_dense_convolution_at_the_active_cells(rank, share, seed, channels, out):
    require_same(scattered(rank, share, seed), channels, out)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("index", [0, 2, -1])
def test_a_single_cell_sees_itself_also_in_a_corner(rank, index):
    active = single(rank, index)
    require_same(active, 3, 2)
    sparse, _ = pair(rank, 3, 2)
    features = torch.randn(1, 3)
    centre = sparse.weight.flatten(2)[..., 3**rank // 2]
    torch.testing.assert_close(sparse(features, rulebook(active)), features @ centre.T + sparse.bias)


@pytest.mark.parametrize("rank", [2, 3])
def test_cells_on_opposite_borders_and_of_two_samples_do_not_meet(rank):
    active = torch.zeros(2, *SIZES[rank], dtype=torch.bool)
    for corner in (0, -1):
        active[(slice(None), *[corner] * rank)] = True
    assert rulebook(active).counts == (0,) * (3**rank - 1)
    require_same(active, 2, 2)


def test_the_rulebook_holds_each_pair_of_neighbours_both_ways():
    """Cells 0 and 1 lie side by side along the last axis, 2 below 1, diagonally from 0: three pairs."""
    active = torch.tensor([[[1, 1, 0], [0, 1, 0]]], dtype=torch.bool)
    rules = rulebook(active)
    assert rules.counts == (1, 1, 0, 1) * 2  # up left, up, up right, left; and their opposites
    assert rules.target.tolist() == [2, 2, 1, 0, 1, 0]
    assert rules.source.tolist() == [0, 1, 0, 2, 2, 1]


@pytest.mark.parametrize("rank", [2, 3])
def test_weights_are_those_of_the_dense_convolution_both_ways(rank):
    sparse, dense = SubmanifoldConv(rank, 3, 5), conv(rank, 3, 5)
    assert list(sparse.state_dict()) == list(dense.state_dict())
    sparse.load_state_dict(dense.state_dict())
    dense.load_state_dict(sparse.state_dict())


def test_without_active_cells_there_are_no_features_and_no_gradients():
    rules = rulebook(torch.zeros(2, 4, 5, 6, dtype=torch.bool))
    block = SubmanifoldBlock(3, 4)
    found = block(torch.zeros(0, 4), rules)
    found.sum().backward()
    assert found.shape == (0, 4)
    assert rules.put(found).shape == (2, 4, 4, 5, 6)
    assert not any(p.grad.any() for p in block.parameters())


def test_features_are_taken_from_their_cells_and_put_back():
    active, x = scattered(3, 0.3, 1), torch.randn(2, 3, *SIZES[3])
    rules = rulebook(active)
    assert torch.equal(rules.put(rules.take(x)), x * active[:, None])


def test_a_new_block_changes_nothing():
    rules = rulebook(scattered(3, 0.3, 2))
    features = torch.randn(len(rules.where[0]), 4)
    assert torch.equal(SubmanifoldBlock(3, 4)(features, rules), features)


def test_sums_of_products_in_bfloat16_are_kept_in_the_precision_of_the_features():
    torch.manual_seed(0)
    active = torch.ones(1, 4, 4, 4, dtype=torch.bool)
    layer, rules, features = SubmanifoldConv(3, 4, 4), rulebook(active), torch.randn(64, 4)
    nn.init.ones_(layer.bias)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(features, rules)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, layer(features, rules), rtol=0.0, atol=0.03)


def on_gpu():
    """The GPU, where there is one and spconv with kernels for it."""
    constants = pytest.importorskip("spconv.cppconstants", reason="the extra `spconv` is not installed")
    if constants.CPU_ONLY_BUILD or not torch.cuda.is_available():
        pytest.skip("spconv is there, but no GPU or no kernels for one")
    return torch.device("cuda")


@pytest.mark.parametrize("rank", [2, 3])
def test_spconv_gives_the_same_numbers_by_the_same_weights(rank):
    constants = pytest.importorskip("spconv.cppconstants", reason="the extra `spconv` is not installed")
    device = torch.device("cpu") if constants.CPU_ONLY_BUILD else on_gpu()
    torch.manual_seed(0)
    rules = rulebook(scattered(rank, 0.3, 1).to(device))
    cells, layer = SpconvCells(rules.shape, rules.where), SubmanifoldConv(rank, 3, 5).to(device)
    features, state = torch.randn(len(rules.where[0]), 3, device=device), torch.get_rng_state()
    expected = layer(features, rules)
    for _ in range(2):  # the second time with the pairs of the first
        torch.testing.assert_close(layer(features, cells), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(torch.get_rng_state(), state)


def test_spconv_gives_the_same_gradients():
    device, active = on_gpu(), scattered(3, 0.3, 1)
    stem = SparseStem(3, 4, StemConfig("sparse", 8, 3))
    for weight in stem.parameters():
        nn.init.normal_(weight, std=0.2)
    x = torch.randn(2, 4, *SIZES[3])
    x[:, 0] = active
    found = []
    for where in (torch.device("cpu"), device):  # on the processor by our own kernels
        put = x.to(where).requires_grad_()
        stem.to(where).zero_grad()
        stem(put).square().sum().backward()
        found.append([put.grad.cpu(), *(weight.grad.cpu() for weight in stem.parameters())])
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-3)


def test_spconv_convolves_where_there_is_a_gpu_and_any_cell():
    some = scattered(3, 0.3, 1).to(on_gpu())
    assert isinstance(active_cells(some), SpconvCells)
    assert isinstance(active_cells(some & False), Rulebook)


def test_processors_convolve_by_the_rulebook():
    assert isinstance(active_cells(scattered(3, 0.3, 1)), Rulebook)
