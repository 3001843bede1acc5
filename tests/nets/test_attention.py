"""Attention over cells: nothing at the start, no order of its own, no further than its cells; and known places."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from echoes.nets.attention import FEW, Attention, attend, positions, unwindows, windows

SIZES = {2: (4, 6), 3: (2, 4, 6)}
WHOLE = {2: (None, None), 3: (None, None, None)}
PART = {2: (2, 3), 3: (2, 2, 3)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def trained(rank, window=None, shifted=False):
    attention = Attention(rank, 8, 2, window or WHOLE[rank], shifted)
    nn.init.normal_(attention.out.weight)
    return attention


@pytest.mark.parametrize("rank", [2, 3])
def test_new_attention_is_the_identity(rank):
    x = torch.randn(2, 8, *SIZES[rank])
    assert torch.equal(Attention(rank, 8, 2, WHOLE[rank])(x), x)


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
    attention, x = trained(2), torch.randn(1, 8, 4, 6)
    features = attention.qkv(attention.norm(x))[0].reshape(3, 2, 4, 24)
    mixed = torch.empty(2, 4, 24)
    for head in range(2):
        query, key, value = features[:, head]
        query, key = (part / (part.pow(2).mean(0, keepdim=True) + torch.finfo().eps).sqrt() for part in (query, key))
        mixed[head] = value @ (query.T @ key / 4**0.5).softmax(1).T
    expected = x + F.conv2d(mixed.reshape(1, 8, 4, 6), attention.out.weight, attention.out.bias)
    torch.testing.assert_close(attention(x), expected)


def seen_by(attention, sizes):
    """(cells, cells) bool: whose value the answer of each cell depends on, beyond the norm they share."""
    attention.norm = nn.Identity()

    def answer(x):
        return attention(x).sum(1).flatten()

    jacobian = torch.func.jacrev(answer)(torch.randn(1, 8, *sizes)).abs().sum((1, 2)).flatten(1)
    return jacobian > 1e-7


def coordinates(sizes):
    """(cells, rank) index of each cell along each axis."""
    return torch.stack(torch.meshgrid(*map(torch.arange, sizes), indexing="ij"), dim=-1).reshape(-1, len(sizes))


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("shifted", [False, True])
def test_a_window_of_the_full_size_is_full_attention(rank, shifted):
    full, x = trained(rank), torch.randn(2, 8, *SIZES[rank])
    window = Attention(rank, 8, 2, SIZES[rank], shifted)
    window.load_state_dict(full.state_dict())
    torch.testing.assert_close(window(x), full(x))


@pytest.mark.parametrize("rank", [2, 3])
def test_cells_of_a_window_see_that_window_and_nothing_else(rank):
    place = coordinates(SIZES[rank]) // torch.tensor(PART[rank])
    same = (place[:, None] == place).all(-1)
    assert torch.equal(seen_by(trained(rank, PART[rank]), SIZES[rank]), same)


@pytest.mark.parametrize("rank", [2, 3])
def test_moved_windows_join_neighbours_across_edges_and_never_go_round_the_border(rank):
    sizes, window = torch.tensor(SIZES[rank]), torch.tensor(PART[rank])
    shift = torch.where(window < sizes, window // 2, 0)
    place = (coordinates(SIZES[rank]) - shift).div(window, rounding_mode="floor")
    same = (place[:, None] == place).all(-1)
    assert torch.equal(seen_by(trained(rank, PART[rank], shifted=True), SIZES[rank]), same)


@pytest.mark.parametrize(("rank", "axis"), [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)])
def test_axial_attention_mixes_along_its_axis_alone(rank, axis):
    line = tuple(None if i == axis else 1 for i in range(rank))
    others = [i for i in range(rank) if i != axis]
    place = coordinates(SIZES[rank])[:, others]
    same = (place[:, None] == place).all(-1)
    assert torch.equal(seen_by(trained(rank, line), SIZES[rank]), same)


@pytest.mark.parametrize(("rank", "axis"), [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)])
def test_permuted_lines_give_permuted_answers_of_axial_attention(rank, axis):
    attention = trained(rank, tuple(None if i == axis else 1 for i in range(rank)))
    x = torch.randn(2, 8, *SIZES[rank])
    for moved in range(rank):
        order = torch.randperm(SIZES[rank][moved])
        permuted = attention(x.index_select(2 + moved, order))
        torch.testing.assert_close(permuted, attention(x).index_select(2 + moved, order))


@pytest.mark.parametrize("rank", [2, 3])
def test_cutting_into_windows_and_back_is_the_identity(rank):
    x = torch.randn(2, 3, *SIZES[rank])
    cells = windows(x, PART[rank])
    assert cells.shape == (2 * 4, 3, x[0, 0].numel() // 4)
    assert torch.equal(cells[0, 0], x[0, 0][tuple(slice(w) for w in PART[rank])].flatten())
    assert torch.equal(unwindows(cells, PART[rank], SIZES[rank]), x)


@pytest.mark.parametrize("tokens", [8, FEW, FEW + 1])
@pytest.mark.parametrize("masked", [False, True])
def test_few_tokens_and_many_are_mixed_alike(tokens, masked):
    query, key, value = torch.randn(3, 2, 4, tokens, 16)
    seen = torch.rand(2, 1, tokens, tokens) < 0.7 if masked else None
    if seen is not None:
        seen |= torch.eye(tokens, dtype=torch.bool)
    expected = F.scaled_dot_product_attention(query, key, value, seen)
    torch.testing.assert_close(attend(query, key, value, seen), expected)


@pytest.mark.parametrize("sizes", [(4, 6), (16, 16), (4, 8, 8), (1, 4, 2)])
@pytest.mark.parametrize("octaves", [1, 2])
def test_every_cell_has_a_place_of_its_own(sizes, octaves):
    features = 2 * len(sizes) * octaves
    found = positions(sizes, features, torch.device("cpu"))
    assert found.shape == (1, features, *sizes)
    assert found.abs().max() <= 1
    flat = found.flatten(2)[0].T
    assert (torch.cdist(flat, flat) + 9 * torch.eye(len(flat))).min() > 0.02
