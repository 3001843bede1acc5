"""Attention over cells: nothing at the start, no order of its own, no further than its cells; and known places."""

from functools import partial
from math import prod

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from echoes.errors import InputError
from echoes.nets.attention import FEW, Attention, attend, everywhere, linear, positions, routed, steps, within

SIZES = {2: (4, 6), 3: (2, 4, 6)}
PART = {2: (2, 3), 3: (2, 2, 3)}
ODD = {2: (5, 7), 3: (3, 5, 7)}  # of cells that no window of two divides


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def trained(rank, window=None, shifted=False):
    return mixed(rank, partial(within, window=window, shifted=shifted) if window else everywhere)


def mixed(rank, mix):
    attention = Attention(rank, 8, 2, mix)
    nn.init.normal_(attention.out.weight)
    return attention


def chain(kind, rank, window=2, keep=2):
    """All steps of a choice of attention, one after the other."""
    return nn.Sequential(*(mixed(rank, mix) for mix in steps(kind, rank, window, keep)))


def tokens(sizes, batch=2, heads=2, features=4):
    """Queries, keys and values of a grid of `sizes`."""
    return torch.randn(3, batch, heads, prod(sizes), features)


@pytest.mark.parametrize("rank", [2, 3])
def test_new_attention_is_the_identity(rank):
    x = torch.randn(2, 8, *SIZES[rank])
    assert torch.equal(Attention(rank, 8, 2, everywhere)(x), x)


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
def test_a_window_as_large_as_the_level_or_larger_is_full_attention(rank, shifted):
    full, x = trained(rank), torch.randn(2, 8, *SIZES[rank])
    for sizes in (SIZES[rank], tuple(3 * s for s in SIZES[rank])):
        window = trained(rank, sizes, shifted)
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
@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("window", [2, 3, 4])
def test_windows_that_do_not_divide_the_level_hold_its_own_cells_alone(rank, shifted, window):
    """Each cell's answer is full attention over the cells of its window, written out cell by cell."""
    sizes, query, key, value = ODD[rank], *tokens(ODD[rank])
    found = within(query, key, value, sizes, (window,) * rank, shifted)
    shift = [window // 2 if shifted and window < s else 0 for s in sizes]
    place = (coordinates(sizes) - torch.tensor(shift)).div(window, rounding_mode="floor")
    for cell in range(prod(sizes)):
        same = (place == place[cell]).all(-1)
        expected = attend(query[:, :, cell : cell + 1], key[:, :, same], value[:, :, same])
        torch.testing.assert_close(found[:, :, cell : cell + 1], expected)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("kind", ["window", "sparse"])
def test_gradients_are_finite_where_windows_are_filled_up(rank, kind):
    chosen, x = chain(kind, rank, window=4), torch.randn(2, 8, *ODD[rank], requires_grad=True)
    chosen(x).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in chosen.parameters())
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("sizes", [(5, 7), (2, 4, 6)])
def test_linear_attention_is_its_quadratic_formula(sizes):
    query, key, value = tokens(sizes)
    weight = (F.elu(query) + 1) @ (F.elu(key) + 1).transpose(-1, -2)
    expected = weight / weight.sum(-1, keepdim=True) @ value
    torch.testing.assert_close(linear(query, key, value, sizes), expected)


@pytest.mark.parametrize("sizes", [(4, 6), (5, 7), (2, 4, 6), (3, 5, 7)])
def test_sparse_attention_to_all_regions_is_full_attention(sizes):
    query, key, value = tokens(sizes)
    found = routed(query, key, value, sizes, (2,) * len(sizes), 999)
    torch.testing.assert_close(found, everywhere(query, key, value, sizes))


@pytest.mark.parametrize("sizes", [(4, 6), (5, 7), (3, 5, 7)])
@pytest.mark.parametrize("keep", [1, 2, 3])
def test_sparse_attention_sees_the_regions_whose_means_suit_best_and_no_others(sizes, keep):
    query, key, value = tokens(sizes)
    place = coordinates(sizes) // 2
    regions = place.unique(dim=0)
    member = (place[:, None] == regions).all(-1)  # (cells, regions)
    share = member.float() / member.sum(0)
    suits = torch.einsum("bhnd,nr,bhmd,ms->bhrs", query, share, key, share)
    chosen = torch.zeros_like(suits).scatter(-1, suits.topk(keep).indices, 1.0).bool()
    seen = torch.einsum("nr,bhrs,ms->bhnm", *(x.float() for x in (member, chosen, member))).bool()
    scores = (query @ key.transpose(-1, -2) / 2).masked_fill(~seen, -torch.inf)
    found = routed(query, key, value, sizes, (2,) * len(sizes), keep)
    torch.testing.assert_close(found, scores.softmax(-1) @ value)


def test_a_named_axis_is_axial_attention_along_it():
    x = torch.randn(2, 8, *SIZES[3])
    for i, name in enumerate("zyx"):
        alone = chain(name, 3)
        line = trained(3, tuple(None if axis == i else 1 for axis in range(3)))
        line.load_state_dict(alone[0].state_dict())
        torch.testing.assert_close(alone(x), line(x))
    height, z = chain("height", 3), chain("z", 3)
    z.load_state_dict(height.state_dict())
    assert torch.equal(height(x), z(x))


def test_a_plane_has_the_axes_y_and_x_and_no_height():
    for i, name in enumerate("yx"):
        (mix,) = steps(name, 2, 4, 4)
        place = coordinates(SIZES[2])[:, 1 - i]
        assert torch.equal(seen_by(mixed(2, mix), SIZES[2]), place[:, None] == place)
    for name in ("height", "z"):
        with pytest.raises(InputError, match=rf"^attention: expected an axis of 2, x or y, .*, got {name}$"):
            steps(name, 2, 4, 4)


@pytest.mark.parametrize("rank", [2, 3])
def test_axial_attention_goes_along_each_axis_in_turn(rank):
    place = coordinates(SIZES[rank])
    for axis, mix in enumerate(steps("axial", rank, 4, 4)):
        others = [i for i in range(rank) if i != axis]
        same = (place[:, None, others] == place[:, others]).all(-1)
        assert torch.equal(seen_by(mixed(rank, mix), SIZES[rank]), same)


class Largest(TorchDispatchMode):
    """Elements of the largest tensor that anything made."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(each, torch.Tensor):
                self.elements = max(self.elements, each.untyped_storage().nbytes() // each.element_size())
        return made


@pytest.mark.parametrize("kind", ["linear", "window", "height", "axial", "sparse"])
def test_no_tensor_of_8192_tokens_comes_near_the_scores_of_all_pairs(kind):
    """The largest one, forward and backward, against the tokens^2 scores of a single head."""
    sizes = (8, 32, 32)
    query, key, value = (x.requires_grad_() for x in tokens(sizes, 1, 1, 16))
    with Largest() as largest:
        for mix in steps(kind, 3, 4, 4):
            mix(query, key, value, sizes).sum().backward()
    assert 8192 * 16 <= largest.elements <= 8192**2 // 8
    full = tokens(sizes, 1, 1, 16)[0]
    with Largest() as largest:
        full @ full.transpose(-1, -2)
    assert largest.elements == 8192**2


@pytest.mark.parametrize("count", [8, FEW, FEW + 1])
@pytest.mark.parametrize("masked", [False, True])
def test_few_tokens_and_many_are_mixed_alike(count, masked):
    query, key, value = torch.randn(3, 2, 4, count, 16)
    seen = torch.rand(2, 1, count, count) < 0.7 if masked else None
    if seen is not None:
        seen |= torch.eye(count, dtype=torch.bool)
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
