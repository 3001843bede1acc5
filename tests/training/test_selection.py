"""The best weights on the validation split, and the end of a training that no longer gets better."""

import math

import pytest
from torch import nn

from echoes import params
from echoes.errors import InputError
from echoes.training.schedule import Validation
from echoes.training.selection import Selection

STEPS = 10


def run(errors, every=1, patience=0, keep="best"):
    """The steps that were taken and the step whose weights were kept, for errors that are measured one by one."""
    model, coming = nn.Linear(1, 1), iter(errors)
    selection = Selection(model, Validation(every, patience, keep), STEPS, lambda: next(coming))
    taken = []
    for step in range(STEPS):
        nn.init.constant_(model.weight, step)
        selection.after(step)
        taken.append(step)
        if selection.exhausted:
            break
    return taken, int(selection.into(nn.Linear(1, 1)).weight.item())


def test_the_best_weights_are_kept_and_of_equals_the_first():
    assert run([5, 4, 2, 3, 2, 6, 7, 8, 9, 9]) == (list(range(STEPS)), 2)


def test_the_last_weights_are_kept_where_nothing_else_is_asked_for():
    assert run([5, 4, 2, 3, 2, 6, 7, 8, 9, 9], keep="last")[1] == 9
    assert run([], every=0, keep="last")[1] == 9


def test_the_training_ends_after_as_many_measurements_without_a_better_one():
    assert run([5, 4, 4, 4, 1], patience=2) == ([0, 1, 2, 3], 1)
    assert run([5, 4, 4, 3, 3, 3, 3], patience=3)[0] == list(range(7))


def test_every_so_many_steps_and_at_the_end_the_model_is_measured():
    assert run([4, 3, 2, 1], every=3) == (list(range(STEPS)), 9)  # after steps 3, 6, 9 and 10
    with pytest.raises(StopIteration):
        run([4, 3, 2], every=3)


def test_an_error_that_is_not_finite_stops_the_training():
    with pytest.raises(FloatingPointError, match="the error on the validation split is nan at step 1"):
        run([1.0, math.nan])


def test_what_asks_for_measurements_without_any_is_refused():
    for change in ({"patience": 3}, {"keep": "best"}):
        with pytest.raises(InputError, match=r"^ldm\.validation\.every: expected at least 1"):
            params.build(Validation, {"every": 0, "patience": 0, "keep": "last", **change}, "ldm.validation")
