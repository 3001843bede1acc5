"""Intervals over tries and recordings: what is known exactly, and what has to be wide."""

import numpy as np
import pytest

from echoes import seeds
from echoes.evaluation import differences


def test_what_never_differs_has_no_width():
    assert differences.interval(np.full((3, 8), 0.25), np.arange(8) // 2, 0, 50) == (0.25, 0.25)


def test_a_single_try_of_single_columns_has_the_interval_of_a_mean():
    values = (np.arange(400) < 300).astype(float)[None]
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    found = differences.interval(values, np.arange(400), 0, 4000)
    assert found == pytest.approx((0.75 - half, 0.75 + half), abs=0.004)


def test_columns_of_a_block_depend_on_each_other_and_long_blocks_weigh_as_their_columns():
    """400 columns that are 4 recordings are as sure as 4 numbers are."""
    alike, alone = np.repeat([0.0, 1, 0, 1], 100)[None], np.arange(400)
    wide, narrow = (differences.interval(alike, blocks, 0, 2000) for blocks in (alone // 100, alone))
    assert wide == (0.0, 1.0)
    assert narrow[1] - narrow[0] < 0.12
    uneven = np.repeat([7, 3, 5], [98, 1, 1])  # whatever is drawn beside the long one hardly counts
    lo, hi = differences.interval(np.where(uneven == 7, 1.0, 0.0)[None], uneven, 0, 2000)
    assert (lo, hi) == (0.0, 1.0)
    assert differences.interval(np.where(uneven == 3, 1.0, 0.5)[None], uneven, 0, 2000)[0] == 0.5


def test_tries_that_differ_widen_the_interval_of_the_same_columns():
    rng = seeds.rng(0, "tries")
    columns = (rng.random(2000) < 0.5).astype(float)
    alike = differences.interval(np.stack([columns] * 4), np.arange(2000), 0, 1000)
    shifted = np.stack([columns + shift for shift in (-0.3, -0.1, 0.1, 0.3)])
    apart = differences.interval(shifted, np.arange(2000), 0, 1000)
    assert alike[1] - alike[0] < 0.06
    assert apart[1] - apart[0] > 0.35
    assert sum(apart) == pytest.approx(sum(alike), abs=0.1)
