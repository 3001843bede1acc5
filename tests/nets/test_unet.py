"""The U-Net of both ranks: silent at the start, told of noise and condition, sample by sample."""

from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from echoes import params
from echoes.errors import InputError
from echoes.nets.attention import Attention
from echoes.nets.conditions import Condition
from echoes.nets.unet import UNet, UNetConfig

CONFIG = UNetConfig(channels=(8, 16), blocks=2, heads=4, attention="full", window=2, dropout=0.1)
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
    out = UNet(rank, 3, 3, replace(CONFIG, channels=channels, blocks=1), 0)(x, c_noise, NOTHING)
    assert torch.equal(out, torch.zeros_like(x))


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("attention", ["full", "window", "axial"])
def test_every_parameter_learns(rank, attention):
    unet = trained(rank, replace(CONFIG, attention=attention), features=2, vector=5)
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
    unet = trained(2, replace(CONFIG, channels=(8,), blocks=1))
    out = unet(torch.ones(2, 3, 32, 32), torch.zeros(2), NOTHING)[0, 0, 10:22, 10:22]
    assert (out.max() - out.min()).item() > 1e-3


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize(("attention", "count"), [("full", [1, 1]), ("window", [2, 2]), ("axial", [2, 3])])
def test_the_choice_of_attention_is_what_the_lowest_level_does(rank, attention, count):
    unet = trained(rank, replace(CONFIG, attention=attention))
    assert sum(isinstance(module, Attention) for module in unet.modules()) == count[rank - 2]
    assert unet(*batch(rank), NOTHING).isfinite().all()


def test_windows_that_do_not_divide_the_lowest_level_are_refused_with_its_sizes():
    unet = trained(2, replace(CONFIG, attention="window", window=3))
    with pytest.raises(ValueError, match=r"window: .* divide the sizes \(4, 8\) of the level, got \(3, 3\)"):
        unet(*batch(2), NOTHING)


@pytest.mark.parametrize("sizes", [(4, 8), (6, 4), (2, 2), (1, 4), (1, 8, 8), (12, 4, 8)])
@pytest.mark.parametrize("channels", [(16,), (16, 16), (16, 16, 16), (16, 16, 16, 16)])
@pytest.mark.parametrize(("attention", "window"), [("full", 3), ("axial", 3), ("window", 1), ("window", 2)])
def test_sizes_are_refused_before_training_where_and_only_where_the_network_cannot_take_them(
    sizes, channels, attention, window
):
    config = replace(CONFIG, channels=channels, blocks=0, attention=attention, window=window)
    unet = UNet(len(sizes), 3, 3, config, 0).eval()
    try:
        unet(torch.zeros(1, 3, *sizes), torch.zeros(1), NOTHING)
    except (RuntimeError, ValueError):
        with pytest.raises(InputError, match=r"^ldm\.unet\.(channels|window): expected "):
            config.require_sizes(sizes, "ldm.unet")
    else:
        config.require_sizes(sizes, "ldm.unet")


def test_what_does_not_fit_the_sizes_is_told_by_its_key():
    with pytest.raises(InputError, match=r"^x\.channels: expected levels, at most 1, as \[1, 8\] .* 0 times, got 2$"):
        CONFIG.require_sizes((1, 8), "x")
    with pytest.raises(InputError, match=r"^x\.window: expected a divisor of \[4, 6\], the lowest level, got 4$"):
        replace(CONFIG, attention="window", window=4).require_sizes((8, 12), "x")


@pytest.mark.parametrize("rank", [2, 3])
def test_gradients_are_finite_in_bfloat16(rank):
    unet = trained(rank, vector=5)
    with torch.autocast("cpu", torch.bfloat16):
        out = unet(*batch(rank), Condition(None, torch.randn(3, 5)))
    out.float().pow(2).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in unet.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": []}, r"channels: expected at least one level, got none"),
        ({"heads": 3}, r"heads: expected a divisor of 16 channels, got 3"),
        ({"heads": 0}, r"heads: expected a divisor of 16 channels, got 0"),
        ({"window": 0}, r"window: expected at least 1, got 0"),
        ({"channels": [8, 0]}, r"channels: expected at least 1 for each level, got \[8, 0\]"),
        ({"blocks": -1}, r"blocks: expected 0 or more, got -1"),
        ({"dropout": 1.5}, r"dropout: expected 0 to less than 1, got 1.5"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(change, message):
    section = {**asdict(CONFIG), "channels": [8, 16], **change}
    with pytest.raises(InputError, match=f"^radar.ldm.network.{message}$"):
        params.build(UNetConfig, section, "radar.ldm.network")
