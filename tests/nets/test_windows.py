"""Grids are cut into windows and put back, whatever their sizes."""

from math import prod

import torch
from hypothesis import given
from hypothesis import strategies as st

from echoes.nets.windows import cut, filled, fitting, joined, parts


@st.composite
def cuts(draw):
    """Sizes, and a window with its shift along each axis."""
    rank = draw(st.integers(2, 3))
    sizes = tuple(draw(st.integers(1, 6)) for _ in range(rank))
    window = fitting(tuple(draw(st.sampled_from([None, 1, 2, 3, 9])) for _ in range(rank)), sizes)
    return sizes, window, tuple(draw(st.integers(0, w - 1)) for w in window)


@given(cuts())
def test_cutting_into_windows_and_back_is_the_identity(drawn):
    sizes, window, shift = drawn
    x = torch.arange(float(2 * 3 * prod(sizes) * 2)).reshape(2, 3, *sizes, 2)
    cells = cut(x, window, shift)
    assert cells.shape == (2, prod(filled(sizes, window)) // prod(window), 3, prod(window), 2)
    assert torch.equal(joined(cells, window, shift, sizes), x)


def test_the_first_window_holds_the_first_cells():
    x = torch.randn(2, 3, 4, 6, 5)
    cells = cut(x, (2, 3), (0, 0))
    assert torch.equal(cells[1, 0, 2], x[1, 2, :2, :3].reshape(6, 5))


@given(cuts())
def test_a_part_lies_in_one_piece_and_what_was_filled_up_is_none(drawn):
    sizes, window, shift = drawn
    part = parts(sizes, window, shift, torch.device("cpu"))
    places = torch.stack(torch.meshgrid(*map(torch.arange, sizes), indexing="ij"), -1)[None, None].float()
    where = cut(places, window, shift)[0, :, 0]
    assert int((part > 0).sum()) == prod(sizes)
    assert not where[part == 0].any()
    for numbers, inside in zip(part, where, strict=True):
        for number in set(numbers.tolist()) - {0}:
            corner, other = inside[numbers == number].aminmax(dim=0)
            assert int((numbers == number).sum()) == prod((other - corner + 1).int().tolist())
