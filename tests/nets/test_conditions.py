"""Conditions: what is dropped becomes a null of its own, part by part, sample by sample."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from echoes.nets.conditions import Condition, FieldConditioner, LabelConditioner, joined
from echoes.nets.layers import conv


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("rank", "sizes"), [(2, (4, 6)), (3, (2, 4, 6))])
def test_a_field_is_what_its_encoder_gives_and_a_dropped_one_the_null_everywhere(rank, sizes):
    conditioner = FieldConditioner(conv(rank, 2, 5), 5)
    nn.init.normal_(conditioner.null)
    cond = torch.randn(3, 2, *sizes)
    field, vector, _ = conditioner(cond, torch.tensor([[False], [True], [False]]))
    assert vector is None
    assert conditioner.parts == 1
    torch.testing.assert_close(field[::2], conditioner.encoder(cond)[::2])
    torch.testing.assert_close(field[1], conditioner.null.reshape(-1, *[1] * rank).expand(5, *sizes))


def test_the_names_of_a_field_s_weights_say_what_they_are():
    names = {name.split(".")[0] for name, _ in FieldConditioner(conv(2, 2, 5), 5).named_parameters()}
    assert names == {"encoder", "null"}


def test_labels_are_summed_over_their_kinds():
    conditioner = LabelConditioner((3, 9), 16)
    cond = torch.tensor([[0, 8], [2, 0], [1, 1]])
    field, vector, _ = conditioner(cond, torch.zeros(3, 2, dtype=torch.bool))
    users, activities = (table.weight for table in conditioner.tables)
    assert field is None
    assert conditioner.parts == 2
    torch.testing.assert_close(vector, users[[0, 2, 1]] + activities[[8, 0, 1]])


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.data())
def test_a_dropped_label_becomes_its_null_which_no_label_is(counts, data):
    conditioner = LabelConditioner(tuple(counts), 8)
    cond = torch.tensor([[data.draw(st.integers(0, n - 1)) for n in counts]])
    drop = torch.tensor([[data.draw(st.booleans()) for _ in counts]])
    _, vector, _ = conditioner(cond, drop)
    tables = [table.weight for table in conditioner.tables]
    rows = [t[-1] if dropped else t[label] for t, label, dropped in zip(tables, cond[0], drop[0], strict=True)]
    torch.testing.assert_close(vector[0], sum(rows))
    assert all(len(table) == n + 1 for table, n in zip(tables, counts, strict=True))
    assert not any(torch.equal(table[-1], row) for table in tables for row in table[:-1])


def test_embeddings_start_so_large_that_a_network_hears_them_at_once():
    deviation = LabelConditioner((999,), 128).tables[0].weight.std()
    torch.testing.assert_close(deviation, torch.tensor(1.0), rtol=0.02, atol=0)


def test_only_what_was_not_dropped_learns_its_label():
    conditioner = LabelConditioner((3,), 4)
    _, vector, _ = conditioner(torch.tensor([[0], [1], [2]]), torch.tensor([[False], [True], [False]]))
    vector.sum().backward()
    assert conditioner.tables[0].weight.grad.any(1).tolist() == [True, False, True, True]


def test_two_conditions_become_one_batch():
    field, vector = torch.randn(3, 2, 4, 4), torch.randn(3, 5)
    both = joined(Condition(field, None), Condition(-field, None))
    assert torch.equal(both.field, torch.cat([field, -field]))
    assert both.vector is None
    assert torch.equal(joined(Condition(None, vector), Condition(None, -vector)).vector, torch.cat([vector, -vector]))
