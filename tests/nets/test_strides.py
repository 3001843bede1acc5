"""Strides by name and by number: what is halved, and how far that goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes.nets.strides import NAMES, factor, levels, written_out

FULL, FLAT = (2, 2, 2), (1, 2, 2)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("full", (FULL, FULL, FULL)),
        ("xy_only", (FLAT, FLAT, FLAT)),
        ("z_half", (FULL, FLAT, FULL)),
        ("adaptive", (FULL, FLAT, FLAT)),
        (((4, 1, 1), FULL, FLAT), ((4, 1, 1), FULL, FLAT)),
    ],
)
def test_the_steps_that_a_name_stands_for(name, steps):
    assert written_out(name, (8, 32, 64), 3, 4) == steps


@pytest.mark.parametrize("name", ["full", "xy_only", "z_half"])
def test_a_grid_of_two_axes_has_no_z_to_spare(name):
    assert written_out(name, (32, 64), 3, 4) == ((2, 2),) * 3


def test_adaptive_strides_end_where_no_axis_can_be_halved():
    assert written_out("adaptive", (4, 12, 5), 9, 3) == ((1, 2, 1), (1, 2, 1))
    assert written_out("adaptive", (4, 4, 4), 9, 4) == ()


SIZES = st.lists(st.integers(1, 24), min_size=2, max_size=3).map(tuple)


@given(SIZES, st.sampled_from(NAMES), st.integers(0, 4), st.integers(1, 5))
def test_levels_are_whole_as_far_as_they_go_and_no_further(sizes, name, count, least):
    steps = written_out(name, sizes, count, least)
    found = levels(sizes, steps)
    used = steps[: len(found) - 1]
    assert tuple(s * n for s, n in zip(found[-1], factor(used, len(sizes)), strict=True)) == sizes
    if name == "adaptive":
        assert len(found) == len(steps) + 1
        assert all(low >= min(least, high) for low, high in zip(found[-1], sizes, strict=True))
    elif len(found) <= count:
        assert any(s % n for s, n in zip(found[-1], steps[len(found) - 1], strict=True))
