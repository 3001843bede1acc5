"""What is asked for once holds for all that computes within, and for nothing after it."""

import pytest
import torch
from torch import nn

from echoes.compute.precision import autocast, computing

CPU = torch.device("cpu")


def computed(precision=None):
    with autocast(CPU, precision):
        return nn.Linear(2, 2)(torch.ones(1, 2)).dtype


def test_what_is_asked_for_holds_within_unless_another_precision_is_told():
    before = computed()
    with computing("bfloat16"):
        assert computed() == torch.bfloat16
        assert computed("float32") == torch.float32
        with computing("float32"):
            assert computed() == torch.float32
        assert computed() == torch.bfloat16
    assert computed() == before


def test_an_error_within_ends_it_too():
    before = computed()
    with pytest.raises(ZeroDivisionError), computing("bfloat16"):
        raise ZeroDivisionError
    assert computed() == before
