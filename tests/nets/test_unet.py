"""The U-Net of both ranks: silent at the start, told of noise and condition, sample by sample."""

import pytest
import torch
from torch import nn

import networks
from echoes.nets.attention import Attention
from echoes.nets.conditions import Condition
from echoes.nets.unet import UNet

CONFIG = networks.unet(blocks=2, heads=4, dropout=0.1)
SIZES = {2: (8, 16), 3: (4, 8, 16)}
NOTHING = Condition(None, None)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def trained(rank, config=CONFIG, features=0, vector=0):
    """A network whose zeros are gone."""
    unet = UNet(rank, 3 + features, 3, config, vector).eval()
    for parameter in unet.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return unet


def batch(rank, count=3):
    return torch.randn(count, 3, *SIZES[rank]), torch.linspace(-1.5, 1.2, count)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("channels", [(8,), (8, 16), (8, 12, 24)])
def test_a_new_network_returns_zeros_of_the_shape_it_was_given(rank, channels):
    x, c_noise = batch(rank)
    out = UNet(rank, 3, 3, networks.unet(channels), 0)(x, c_noise, NOTHING)
    assert torch.equal(out, torch.zeros_like(x))


@pytest.mark.parametrize("rank", [2, 3])
def test_every_parameter_learns_when_a_field_and_a_vector_are_given(rank):
    unet = trained(rank, features=2, vector=5)
    x, c_noise = batch(rank)
    unet(x, c_noise, Condition(torch.randn(3, 2, *SIZES[rank]), torch.randn(3, 5))).pow(2).sum().backward()
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("rank", [2, 3])
def test_what_the_lower_levels_cannot_hold_goes_past_them(rank):
    unet = trained(rank)
    x, c_noise = batch(rank)
    with torch.no_grad():
        for way_up in unet.widen:
            way_up.weight.zero_()
        assert (unet(x, c_noise, NOTHING) - unet(x.flip(-1), c_noise, NOTHING)).abs().max() > 1e-3


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("changed", ["noise", "field", "vector"])
def test_noise_level_and_condition_change_the_answer_of_their_own_sample(rank, changed):
    unet = trained(rank, features=2, vector=5)
    x, c_noise = batch(rank)
    field, vector = torch.randn(3, 2, *SIZES[rank]), torch.randn(3, 5)
    before = unet(x, c_noise, Condition(field, vector))
    {"noise": c_noise, "field": field, "vector": vector}[changed][1] += 1
    after = unet(x, c_noise, Condition(field, vector))
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]])
    assert (after[1] - before[1]).abs().max() > 1e-3


@pytest.mark.parametrize("rank", [2, 3])
def test_a_sample_has_the_same_answer_in_any_batch(rank):
    unet = trained(rank)
    x, c_noise = batch(rank)
    torch.testing.assert_close(unet(x[1:], c_noise[1:], NOTHING), unet(x, c_noise, NOTHING)[1:])


def test_cells_know_where_they_are():
    """Everything but the positions would give a constant field a constant answer away from the border."""
    unet = trained(2, networks.unet((8,)))
    out = unet(torch.ones(2, 3, 32, 32), torch.zeros(2), NOTHING)[0, 0, 10:22, 10:22]
    assert (out.max() - out.min()).item() > 1e-3


def kinds(modules):
    """How many steps of attention each part of a network has."""
    return [sum(isinstance(module, Attention) for module in part.modules()) for part in modules]


@pytest.mark.parametrize("rank", [2, 3])
def test_each_level_has_the_attention_that_it_names(rank):
    unet = trained(rank, networks.unet((8, 8, 8), attention=("window", "none", "axial")))
    assert kinds([*unet.above, unet.attention]) == [2, 0, rank]
    assert kinds([unet.down, unet.up, unet.middle]) == [0, 0, 0]


def test_the_attention_of_an_upper_level_reaches_the_way_up_past_the_lower_ones():
    """Without a way up from the lower level, a cell hears of a far one by attention alone."""
    for attention, far in ((("none", "full"), False), (("full", "none"), True)):
        unet = trained(2, networks.unet((8, 8), attention=attention))
        nn.init.zeros_(unet.widen[0].weight)
        for name, module in list(unet.named_modules()):
            if isinstance(module, nn.GroupNorm):  # which tells all cells of all others
                unet.set_submodule(name, nn.Identity())
        x = torch.randn(1, 3, 16, 16)
        other = x.clone()
        other[..., 15, 15] += 9.0
        change = unet(other, torch.zeros(1), NOTHING) - unet(x, torch.zeros(1), NOTHING)
        assert bool((change[..., 0, 0].abs() > 1e-7).any()) == far


def test_the_default_keeps_the_names_of_its_weights():
    names = {name.rsplit(".", 1)[0] for name in trained(3).state_dict()}
    assert {name for name in names if "attention" in name or name.startswith("above")} == {
        "attention.0.norm",
        "attention.0.qkv",
        "attention.0.out",
    }
    assert {"down.1.1.conv2", "shrink.0", "middle.modulate", "widen.0", "up.0.0.norm1", "norm", "out"} <= names


@pytest.mark.parametrize(
    ("strides", "lowest"),
    [("full", [1, 4, 4]), ("xy_only", [4, 4, 4]), ("z_half", [2, 4, 4]), ([[1, 1, 4], [2, 1, 2]], [2, 16, 2])],
)
def test_the_strides_are_those_between_the_levels(strides, lowest):
    of = strides if isinstance(strides, str) else tuple(map(tuple, strides))
    unet, seen = trained(3, networks.unet((8, 8, 8), attention="none", strides=of)), []
    unet.middle.register_forward_hook(lambda module, inputs, out: seen.append(list(out.shape[2:])))
    x = torch.randn(1, 3, 4, 16, 16)
    assert unet(x, torch.zeros(1), NOTHING).shape == x.shape
    assert seen == [lowest]


@pytest.mark.parametrize("rank", [2, 3])
def test_gradients_are_finite_in_bfloat16(rank):
    unet = trained(rank, vector=5)
    with torch.autocast("cpu", torch.bfloat16):
        out = unet(*batch(rank), Condition(None, torch.randn(3, 5)))
    out.float().pow(2).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in unet.parameters())
