"""A generator is a pure function of its name."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from echoes import seeds


def test_the_same_purpose_draws_the_same_numbers_whatever_was_drawn_before():
    first = seeds.rng(7, "train", 12).random(5)
    seeds.rng(7, "train", 11).random(1000)
    np.testing.assert_array_equal(seeds.rng(7, "train", 12).random(5), first)


def test_the_global_generator_is_neither_read_nor_advanced():
    np.random.seed(3)  # noqa: NPY002 (the one that must not matter)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = seeds.rng(7, "train").random(3)
    np.random.seed(4)  # noqa: NPY002
    np.testing.assert_array_equal(seeds.rng(7, "train").random(3), first)
    np.random.seed(3)  # noqa: NPY002
    seeds.rng(7, "train").random(3)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_another_seed_step_or_purpose_is_another_number():
    names = [(0, "a", 1), (1, "a", 1), (0, "a", 2), (0, "b", 1), (0, "a"), (0, "a", "1"), (0, "a1"), (0, "a,1")]
    assert len({seeds.number(*name) for name in names}) == len(names)


@given(st.integers(0, 2**40), st.text(max_size=20), st.integers(0, 2**40))
def test_a_number_has_63_bits_so_that_every_generator_takes_it(seed, purpose, step):
    assert 0 <= seeds.number(seed, purpose, step) < 2**63


def test_numbers_do_not_change_between_versions_because_artifacts_depend_on_them():
    assert seeds.number(7, "train_ldm", "step", 12) == 8161222984970142895
