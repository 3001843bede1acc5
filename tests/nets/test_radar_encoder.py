"""The radar reaches the latent grid with every cell in place."""

import pytest
import torch

from echoes.nets.radar_encoder import RadarEncoder
from echoes.nets.stem import StemConfig

NO_STEM = StemConfig("none", 8, 2)


@pytest.mark.parametrize(("rank", "sizes", "latent"), [(2, (16, 32), (4, 8)), (3, (8, 16, 32), (2, 4, 8))])
def test_features_lie_on_the_latent_grid(rank, sizes, latent):
    encoder = RadarEncoder(rank, channels=4, width=12, blocks=1, features=6, factor=4, stem_config=NO_STEM)
    assert encoder(torch.randn(2, 4, *sizes)).shape == (2, 6, *latent)


def test_every_cell_of_every_channel_is_seen():
    torch.manual_seed(0)
    encoder = RadarEncoder(3, channels=2, width=12, blocks=1, features=6, factor=4, stem_config=NO_STEM)
    radar = torch.randn(1, 2, 4, 8, 8, requires_grad=True)
    encoder(radar).pow(2).sum().backward()
    assert (radar.grad != 0).all()


def test_a_cell_is_seen_in_its_own_neighbourhood_first():
    torch.manual_seed(0)
    encoder = RadarEncoder(2, channels=1, width=16, blocks=0, features=8, factor=4, stem_config=NO_STEM)
    encoder.body[1] = torch.nn.Identity()  # the norm, which spreads a little everywhere
    empty, one = torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    one[0, 0, 17, 5] = 1.0
    changed = (encoder(one) - encoder(empty)).abs().sum(1)[0] > 1e-6
    rows, columns = changed.nonzero().T
    assert (rows.min().item(), rows.max().item()) == (3, 5)
    assert (columns.min().item(), columns.max().item()) == (0, 2)


@pytest.mark.parametrize("convolution", ["dense", "sparse"])
def test_a_stem_joins_the_channels_that_are_folded(convolution):
    encoder = RadarEncoder(
        3, channels=2, width=12, blocks=1, features=6, factor=4, stem_config=StemConfig(convolution, 3, 2)
    )
    assert encoder.body[0].in_channels == (2 + 3) * 4**3
    radar = (torch.rand(2, 2, 4, 8, 8) < 0.3).float()
    encoder(radar).pow(2).sum().backward()
    assert encoder.stem.first.weight.grad.any()
