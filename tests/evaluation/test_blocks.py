"""Intervals over resamples of whole blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes.errors import InputError
from echoes.evaluation.blocks import INTERVAL, MIN_RESAMPLES, block_interval, ratio_interval, require_resamples


def test_a_single_block_is_its_own_interval_and_no_value_has_none():
    assert block_interval(np.array([1.0, 2.0, 6.0]), np.array([4, 4, 4]), 0, 50) == (3.0, 3.0)
    assert ratio_interval(np.array([1.0, 5.0]), np.array([2.0, 4.0]), np.zeros(2), 0, 50) == (1.0, 1.0)
    assert block_interval(np.zeros(0), np.zeros(0), 0, 50) == (None, None)
    assert ratio_interval(np.zeros(0), np.zeros(0), np.zeros(0), 0, 50) == (None, None)


def test_two_blocks_give_the_mean_of_either_or_of_both():
    """Drawn are 1 1, 2 2 (a quarter each) and both: 2.5 % and 97.5 % are the means of the blocks alone."""
    values, blocks = np.array([0.0, 2.0, 10.0]), np.array([7, 7, 3])
    assert block_interval(values, blocks, 0, 1000) == (1.0, 10.0)
    lo, hi = ratio_interval(values, np.array([1.0, 3.0, 5.0]), blocks, 0, 1000)
    assert (lo, hi) == (0.5, 2.0)


def test_a_long_block_weighs_as_much_as_its_values():
    values, blocks = np.repeat([1.0, 0.0, 0.0, 0.0], [97, 1, 1, 1]), np.repeat([0, 1, 2, 3], [97, 1, 1, 1])
    _, hi = block_interval(values, blocks, 0, 2000)
    assert hi > 0.99  # of four drawn blocks three or more are the long one in 5 % of the resamples


def test_equal_frames_of_few_blocks_have_a_wide_interval():
    """As if only the blocks counted: the interval of 25 frames a block is that of one frame a block."""
    means = np.array([1.0, 2.0, 4.0, 3.0, 0.0])
    once = block_interval(means, np.arange(5), 3, 4000)
    assert block_interval(np.repeat(means, 25), np.repeat(np.arange(5), 25), 3, 4000) == pytest.approx(once)
    assert once[1] - once[0] == pytest.approx(2 * 1.96 * means.std() / np.sqrt(5), rel=0.1)


@given(st.lists(st.tuples(st.floats(0.1, 9.0), st.integers(0, 4)), min_size=1, max_size=30), st.randoms())
def test_neither_the_order_of_the_values_nor_how_blocks_are_numbered_matters(found, shuffled):
    values, blocks = map(np.array, zip(*found, strict=True))
    order = list(range(len(found)))
    shuffled.shuffle(order)
    lo, hi = block_interval(values, blocks, 1, 200)
    assert block_interval(values[order], blocks[order] * 10 - 3, 1, 200) == pytest.approx((lo, hi))
    assert values.min() - 1e-9 <= lo <= hi <= values.max() + 1e-9
    assert ratio_interval(3 * values, values, blocks, 1, 200) == pytest.approx((3.0, 3.0))


def test_the_fewest_resamples_are_those_of_which_one_lies_beyond_each_end():
    ends = np.quantile(np.arange(MIN_RESAMPLES), INTERVAL)
    assert [(np.arange(MIN_RESAMPLES) < ends[0]).sum(), (np.arange(MIN_RESAMPLES) > ends[1]).sum()] == [1, 1]
    require_resamples(MIN_RESAMPLES)
    with pytest.raises(InputError, match=r"^resamples: expected at least 40, .* 95 % interval .*, got 39$"):
        require_resamples(MIN_RESAMPLES - 1)


def test_another_seed_draws_others():
    values, blocks = np.arange(30.0), np.arange(30) // 3
    first, again, other = (block_interval(values, blocks, seed, 100) for seed in (0, 0, 1))
    assert first == again != other


def test_a_ratio_to_what_may_be_nothing_is_told_as_none():
    assert ratio_interval(np.ones(2), np.array([1.0, 0.0]), np.arange(2), 0, 100) == (None, None)
