"""The transformer of both ranks: silent at the start, told of noise and condition, as large as in the literature."""

from dataclasses import asdict

import pytest
import torch
from torch import nn

import networks
from echoes import params
from echoes.errors import InputError
from echoes.nets import dit
from echoes.nets.conditions import Condition, LabelConditioner
from echoes.nets.dit import DiT, DiTConfig

SIZES = {2: (8, 4), 3: (2, 8, 4)}
TINY = networks.dit()


@pytest.fixture(autouse=True)
def _seed(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setitem(dit.SIZES, "tiny", (2, 48, 4))


def trained(rank, config=TINY, field=0, vector=0):
    """A network whose zeros are gone."""
    network = DiT(rank, 3 + field, 3, config, vector).eval()
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network


def batch(rank, count=3):
    return torch.randn(count, 3, *SIZES[rank]), torch.linspace(-1.5, 1.2, count)


NOTHING = Condition(None, None)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("patch", [1, 2])
def test_a_new_network_returns_zeros_of_the_shape_it_was_given(rank, patch):
    x, c_noise = batch(rank)
    out = DiT(rank, 5, 3, networks.dit(patch, dropout=0.1), 7)(x, c_noise, Condition(x[:, :2], torch.randn(3, 7)))
    assert torch.equal(out, torch.zeros_like(x))


@pytest.mark.parametrize("rank", [2, 3])
def test_a_new_block_is_the_identity(rank):
    block = DiT(rank, 3, 3, TINY, 0).blocks[0]
    x, own = torch.randn(2, 6, 48), torch.ones(6, 12)
    assert torch.equal(block(x, torch.randn(2, 48), own, own, (2, 3)), x)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("attention", ["full", "window", "axial", "y", "linear", "sparse"])
def test_every_parameter_learns(rank, patch, attention):
    network = trained(rank, networks.dit(patch, attention, 0.1), field=2, vector=7)
    x, c_noise = batch(rank)
    network(x, c_noise, Condition(torch.randn(3, 2, *SIZES[rank]), torch.randn(3, 7))).pow(2).sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(
    ("attention", "windows"),
    [("window", [(2, 2, 2)] * 4), ("axial", [(None, 1, 1), (1, None, 1), (1, 1, None), (None, 1, 1)])],
)
def test_blocks_take_turns_between_the_steps_of_their_attention(attention, windows, monkeypatch):
    monkeypatch.setitem(dit.SIZES, "tiny", (4, 48, 4))
    mixes = [block.attention.mix.keywords for block in DiT(3, 3, 3, networks.dit(attention=attention), 0).blocks]
    assert [mix["window"] for mix in mixes] == windows
    assert [mix["shifted"] for mix in mixes] == [attention == "window" and i % 2 == 1 for i in range(4)]


@pytest.mark.parametrize("rank", [2, 3])
def test_tokens_hear_of_no_others_than_their_attention_lets_them(rank):
    """Through blocks of attention along x alone, and no other way."""
    network = trained(rank, networks.dit(1, "x"))
    x, c_noise = batch(rank, 1)
    before = network(x, c_noise, NOTHING)
    x[(0, 0, *[1] * rank)] += 1
    changed = (network(x, c_noise, NOTHING) - before).abs().sum(1)[0] > 1e-6
    assert changed.nonzero().tolist() == [[*[1] * (rank - 1), i] for i in range(SIZES[rank][-1])]


def test_attention_along_an_axis_that_the_latents_do_not_have_is_told_by_its_key():
    with pytest.raises(InputError, match=r"^ldm\.dit\.attention: expected an axis of 2, x or y, .*, got height$"):
        networks.dit(attention="height").require_sizes((8, 8), "ldm.dit")


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("changed", ["noise", "field", "vector"])
def test_noise_level_and_condition_change_the_answer_of_their_own_sample(rank, changed):
    network = trained(rank, field=2, vector=7)
    x, c_noise = batch(rank)
    field, vector = torch.randn(3, 2, *SIZES[rank]), torch.randn(3, 7)
    before = network(x, c_noise, Condition(field, vector))
    {"noise": c_noise, "field": field, "vector": vector}[changed][1] += 1
    after = network(x, c_noise, Condition(field, vector))
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]])
    assert (after[1] - before[1]).abs().max() > 1e-3


@pytest.mark.parametrize("rank", [2, 3])
def test_no_label_and_the_first_label_give_different_answers(rank):
    network, labels = trained(rank, vector=7), LabelConditioner((4, 2), 7)
    x, c_noise = batch(rank, 1)
    given, dropped = (labels(torch.zeros(1, 2).long(), torch.tensor([[drop, False]])) for drop in (False, True))
    assert (network(x, c_noise, given) - network(x, c_noise, dropped)).abs().max() > 1e-5


@pytest.mark.parametrize("rank", [2, 3])
def test_a_sample_has_the_same_answer_in_any_batch(rank):
    network = trained(rank, vector=7)
    (x, c_noise), vector = batch(rank), torch.randn(3, 7)
    whole = network(x, c_noise, Condition(None, vector))
    torch.testing.assert_close(network(x[1:], c_noise[1:], Condition(None, vector[1:])), whole[1:])


@pytest.mark.parametrize("rank", [2, 3])
def test_every_cell_is_told_of_every_other(rank):
    network = trained(rank)
    x, c_noise = batch(rank, 1)
    x.requires_grad_()
    network(x, c_noise, NOTHING)[(0, 0, *[0] * rank)].backward()
    assert x.grad.ne(0).all()


@pytest.mark.parametrize("rank", [2, 3])
def test_cells_know_where_they_are(rank):
    out = trained(rank, networks.dit(1))(torch.ones(1, 3, *SIZES[rank]), torch.zeros(1), NOTHING)
    flat = out[0].flatten(1).T
    assert (torch.cdist(flat, flat) + 9 * torch.eye(len(flat))).min() > 1e-4


def test_a_patch_holds_its_own_cells():
    """With blocks that add nothing, a cell reaches the cells of its own patch alone."""
    network = trained(2)
    for block in network.blocks:
        nn.init.zeros_(block.modulate.weight)
        nn.init.zeros_(block.modulate.bias)
    x, c_noise = batch(2, 1)
    before = network(x, c_noise, NOTHING)
    x[0, :, 5, 2] += 1
    changed = (network(x, c_noise, NOTHING) - before).abs().sum(1)[0] > 1e-6
    assert changed.nonzero().tolist() == [[4, 2], [4, 3], [5, 2], [5, 3]]


@pytest.mark.parametrize("rank", [2, 3])
def test_gradients_are_finite_in_bfloat16(rank):
    network = trained(rank, vector=7)
    with torch.autocast("cpu", torch.bfloat16):
        out = network(*batch(rank), Condition(None, torch.randn(3, 7)))
    out.float().pow(2).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_bfloat16_gives_nearly_the_answer_of_float32():
    network, (x, c_noise) = trained(2), batch(2)
    exact = network(x, c_noise, NOTHING)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(x, c_noise, NOTHING)
    assert (rounded - exact).norm() < 0.03 * exact.norm()


def test_dropout_acts_in_training_alone():
    network, (x, c_noise) = trained(2, networks.dit(dropout=0.5)), batch(2)
    assert torch.equal(network(x, c_noise, NOTHING), network(x, c_noise, NOTHING))
    network.train()
    assert not torch.equal(network(x, c_noise, NOTHING), network(x, c_noise, NOTHING))
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    assert torch.equal(network(x, c_noise, NOTHING), network.eval()(x, c_noise, NOTHING))


def test_latents_that_the_patch_does_not_divide_are_refused_with_their_sizes():
    network = trained(2)
    with pytest.raises(ValueError, match=r"patch: expected a divisor of the latents' sizes \(8, 5\), got 2"):
        network(torch.randn(1, 3, 8, 5), torch.zeros(1), NOTHING)


def test_a_patch_that_does_not_divide_the_latents_is_told_before_training_by_its_key():
    networks.dit().require_sizes((8, 2, 4), "ldm.dit")
    networks.dit(1).require_sizes((8, 5), "ldm.dit")
    with pytest.raises(InputError, match=r"^ldm\.dit\.patch: expected a divisor of \[8, 5\] latents, got 2$"):
        networks.dit().require_sizes((8, 5), "ldm.dit")


@pytest.mark.parametrize(
    ("size", "millions", "within"),
    [("S", 33, 0.05), ("M", 58, 0.05), ("B", 130, 0.03), ("L", 458, 0.03), ("XL", 675, 0.03)],
)
@pytest.mark.parametrize("patch", [1, 2])
def test_networks_are_as_large_as_in_the_literature(size, millions, within, patch):
    """Millions of parameters after Peebles and Xie 2023, Table 1; M by 18 depth width^2 + 4 width^2."""
    with torch.device("meta"):
        network = DiT(2, 4, 4, networks.dit(patch, size=size), 0)
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert abs(count / millions - 1) < within


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dropout": 1.0}, r"dropout: expected 0 to less than 1, got 1.0"),
        ({"patch": 3}, r"patch: .*3"),
        ({"attention": "none"}, r"attention: .*none"),
        ({"window": 0}, r"window: expected at least 1, got 0"),
        ({"keep": 0}, r"keep: expected at least 1, got 0"),
        ({"size": "huge"}, r"size: .*huge"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(change, message):
    section = {**asdict(TINY), **change}
    with pytest.raises(InputError, match=f"^microdoppler.ldm.dit.{message}"):
        params.build(DiTConfig, section, "microdoppler.ldm.dit")
