"""The U-Net of both ranks: silent at the start, told of noise and condition, sample by sample."""

import pytest
import torch
from torch import nn

from echoes import params
from echoes.errors import InputError
from echoes.nets.unet import UNet, UNetConfig

CONFIG = UNetConfig(channels=(8, 16), blocks=2, heads=4, dropout=0.1)
SIZES = {2: (8, 16), 3: (4, 8, 16)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def trained(rank, config=CONFIG, features=0):
    """A network whose zeros are gone."""
    unet = UNet(rank, 3 + features, 3, config).eval()
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
    out = UNet(rank, 3, 3, UNetConfig(channels, 1, 4, 0.0))(x, c_noise)
    assert torch.equal(out, torch.zeros_like(x))


@pytest.mark.parametrize("rank", [2, 3])
def test_every_parameter_learns(rank):
    unet = trained(rank, features=2)
    x, c_noise = batch(rank)
    unet(x, c_noise, torch.randn(3, 2, *SIZES[rank])).pow(2).sum().backward()
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("rank", [2, 3])
def test_what_the_lower_levels_cannot_hold_goes_past_them(rank):
    unet = trained(rank)
    x, c_noise = batch(rank)
    with torch.no_grad():
        for way_up in unet.widen:
            way_up.weight.zero_()
        assert (unet(x, c_noise) - unet(x.flip(-1), c_noise)).abs().max() > 1e-3


@pytest.mark.parametrize("rank", [2, 3])
def test_noise_level_and_condition_change_the_answer_of_their_own_sample(rank):
    unet = trained(rank, features=2)
    x, c_noise = batch(rank)
    features = torch.randn(3, 2, *SIZES[rank])
    before = unet(x, c_noise, features)
    for changed in ((x, c_noise + torch.tensor([0, 0.5, 0]), features), (x, c_noise, features.clone())):
        changed[2][1] += 0 if changed[2] is features else 1
        after = unet(*changed)
        torch.testing.assert_close(after[[0, 2]], before[[0, 2]])
        assert (after[1] - before[1]).abs().max() > 1e-3


@pytest.mark.parametrize("rank", [2, 3])
def test_a_sample_has_the_same_answer_in_any_batch(rank):
    unet = trained(rank)
    x, c_noise = batch(rank)
    torch.testing.assert_close(unet(x[1:], c_noise[1:]), unet(x, c_noise)[1:])


def test_cells_know_where_they_are():
    """Everything but the positions would give a constant field a constant answer away from the border."""
    unet = trained(2, UNetConfig((8,), 1, 2, 0.0))
    out = unet(torch.ones(2, 3, 32, 32), torch.zeros(2))[0, 0, 10:22, 10:22]
    assert (out.max() - out.min()).item() > 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": []}, r"channels: expected at least one level, got none"),
        ({"heads": 3}, r"heads: expected a divisor of 16 channels, got 3"),
        ({"heads": 0}, r"heads: expected a divisor of 16 channels, got 0"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(change, message):
    section = {"channels": [8, 16], "blocks": 1, "heads": 4, "dropout": 0.0, **change}
    with pytest.raises(InputError, match=f"^radar.ldm.network.{message}$"):
        params.build(UNetConfig, section, "radar.ldm.network")
