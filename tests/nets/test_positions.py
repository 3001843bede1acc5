"""Places of tokens: waves that tell them apart, and rotations that know differences alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from echoes.nets.positions import angles, rotated, rotation, waves

CPU = torch.device("cpu")


def test_the_waves_of_one_axis_are_those_of_the_paper():
    """sin(p / 10000^(2 i / d)) and its cosine (Vaswani et al. 2017, Sec. 3.5), for p = 3 and d = 8."""
    rates = torch.tensor([1.0, 0.1, 0.01, 0.001])
    torch.testing.assert_close(waves((5,), 8, CPU)[3], torch.cat([(3 * rates).sin(), (3 * rates).cos()]))


@pytest.mark.parametrize("sizes", [(8, 8), (16, 4), (4, 8, 8)])
def test_every_token_has_a_place_of_its_own(sizes):
    found = waves(sizes, 128, CPU)
    assert found.shape == (torch.Size(sizes).numel(), 128)
    assert (torch.cdist(found, found) + 9 * torch.eye(len(found))).min() > 0.5


def test_angles_that_the_axes_cannot_share_stay_zero():
    table = angles((2, 3, 4), 16, CPU)
    assert table.shape == (24, 16)
    assert torch.equal(table[:, 15], torch.zeros(24))
    assert (table[:, :15].amax(0) > 0).all()


def test_a_rotation_keeps_lengths_and_turns_pairs_by_their_angle():
    x, (own, other) = torch.randn(2, 6, 8), rotation((6,), 8, CPU)
    turned = rotated(x, own, other)
    pairs, expected = (torch.complex(*part.chunk(2, -1)) for part in (x, turned))
    torch.testing.assert_close(pairs * torch.polar(torch.ones(6, 4), angles((6,), 4, CPU)), expected)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))


@given(st.data())
def test_products_of_rotated_tokens_depend_on_the_difference_of_their_places_alone(data):
    sizes = data.draw(st.sampled_from([(7,), (5, 6), (3, 4, 5)]))
    query, key = torch.randn(2, 24, generator=torch.Generator().manual_seed(0))
    own, other = rotation(sizes, 24, CPU)
    numbers = torch.arange(len(own)).reshape(sizes)
    here, there = ([data.draw(st.integers(0, s - 1)) for s in sizes] for _ in range(2))
    limits = [(-min(a, b), s - 1 - max(a, b)) for a, b, s in zip(here, there, sizes, strict=True)]
    shift = [data.draw(st.integers(*limit)) for limit in limits]

    def product(a, b):
        turned = [rotated(x, own[i], other[i]) for x, i in ((query, numbers[tuple(a)]), (key, numbers[tuple(b)]))]
        return turned[0] @ turned[1]

    moved = [[p + s for p, s in zip(place, shift, strict=True)] for place in (here, there)]
    torch.testing.assert_close(product(*moved), product(here, there), rtol=1e-4, atol=1e-4)


def test_products_change_with_the_difference_along_every_axis():
    own, other = rotation((3, 3, 3), 24, CPU)
    turned = rotated(torch.ones(27, 24), own, other)
    products = (turned[13] @ turned.T).reshape(3, 3, 3)
    for neighbour in (products[0, 1, 1], products[1, 0, 1], products[1, 1, 0]):
        assert (products[1, 1, 1] - neighbour) > 0.5
