"""Latents of exactly a quarter of the grid, a posterior, and a head that starts at the share of occupied cells."""

import math

import numpy as np
import pytest
import torch

from echoes.autoencoder.vae import SIZES, Posterior, Vae, VaeConfig
from echoes.nets.layers import depth_to_space

CONFIG = VaeConfig(channels=(8, 12), blocks=(1, 1), latent_channels=3)
GRIDS = {2: (16, 32), 3: (8, 16, 32)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("channels", [1, 5])
def test_latents_are_a_quarter_of_the_grid_and_the_decoder_gives_the_grid_back(rank, channels):
    vae, x = Vae(rank, channels, CONFIG), torch.randn(2, channels, *GRIDS[rank])
    posterior = vae.encode(x)
    latent = (2, 3, *(s // 4 for s in GRIDS[rank]))
    assert posterior.mean.shape == posterior.logvar.shape == posterior.sample().shape == latent
    decoded = vae.decode(posterior.mean)
    assert decoded.shape == x.shape
    assert decoded.dtype == torch.float32


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_every_size_that_has_a_name_builds(rank, size):
    with torch.device("meta"):
        vae = Vae(rank, 5, SIZES[size])
        posterior = vae.encode(torch.zeros(2, 5, *GRIDS[rank]))
        assert posterior.mean.shape[2:] == tuple(s // 4 for s in GRIDS[rank])
        assert vae.decode(posterior.mean).shape == (2, 5, *GRIDS[rank])


def test_sizes_grow_in_the_order_of_their_names():
    def weights(config):
        with torch.device("meta"):
            return sum(p.numel() for p in Vae(3, 5, config).parameters())

    counts = [weights(SIZES[name]) for name in ("tiny", "ultra_lightweight", "lightweight", "standard")]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize(("rate", "bias"), [(0.005, -5.293305), (0.01, -4.595120), (0.02, -3.891820)])
@pytest.mark.parametrize("rank", [2, 3])
def test_an_untrained_head_gives_the_probability_it_was_told_in_every_cell(rank, rate, bias):
    vae = Vae(rank, 3, CONFIG)
    vae.set_prior(1, rate)
    decoded = vae.decode(torch.randn(2, 3, *(s // 4 for s in GRIDS[rank])))
    torch.testing.assert_close(decoded[:, 1], torch.full_like(decoded[:, 1], bias))
    assert decoded[:, 1].sigmoid().mean().item() == pytest.approx(rate, rel=1e-4)
    for other in (0, 2):  # and leaves the other channels as they were
        assert decoded[:, other].std() > 0.01


@pytest.mark.parametrize(("rate", "entropy"), [(0.005, 0.031479), (0.01, 0.056002), (0.02, 0.098039)])
def test_the_first_cross_entropy_is_the_entropy_of_the_share_of_occupied_cells(rate, entropy):
    vae = Vae(3, 2, CONFIG)
    vae.set_prior(0, rate)
    occupied = torch.zeros(8, 16, 32, 32)
    occupied.view(-1)[torch.randperm(occupied.numel())[: round(rate * occupied.numel())]] = 1
    target = torch.stack([occupied, torch.randn_like(occupied)], 1)
    logit = vae.decode(vae.encode(target).sample())[:, 0]
    found = torch.nn.functional.binary_cross_entropy_with_logits(logit, occupied)
    assert found.item() == pytest.approx(entropy, rel=0.01)
    assert entropy == pytest.approx(-rate * math.log(rate) - (1 - rate) * math.log(1 - rate), rel=1e-4)


def test_the_divergence_is_the_one_of_two_gaussians_per_sample():
    mean, variance = torch.tensor([[0.0], [1.0], [-2.0]]), torch.tensor([[1.0], [1.0], [0.25]])
    posterior = Posterior(mean[..., None].expand(3, 1, 4), variance.log()[..., None].expand(3, 1, 4))
    expected = [0.0, 0.5, 0.5 * (4 + 0.25 - 1 - math.log(0.25))]
    np.testing.assert_allclose(posterior.kl(), expected, atol=1e-6)


def test_samples_have_the_mean_and_the_deviation_of_the_posterior():
    posterior = Posterior(torch.full((1, 1, 400, 400), 3.0), torch.full((1, 1, 400, 400), 2 * math.log(0.5)))
    drawn = posterior.sample()
    assert drawn.mean().item() == pytest.approx(3.0, abs=0.01)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.01)


def test_the_variance_stays_finite_whatever_the_encoder_says():
    vae = Vae(2, 1, CONFIG)
    for value, bound in ((1e6, 10.0), (-1e6, -20.0)):
        with torch.no_grad():
            vae.encoder[-1].bias[3:] = value
        logvar = vae.encode(torch.randn(2, 1, 16, 32)).logvar
        torch.testing.assert_close(logvar, torch.full_like(logvar, bound))


def test_every_input_cell_reaches_the_latents_and_every_latent_the_output():
    vae = Vae(3, 2, CONFIG)
    x = torch.randn(1, 2, 8, 16, 16, requires_grad=True)
    latents = vae.encode(x).mean
    latents.pow(2).sum().backward()
    assert (x.grad != 0).all()
    latents = latents.detach().requires_grad_()
    vae.decode(latents).pow(2).sum().backward()
    assert (latents.grad != 0).all()
    assert all(p.grad is not None for p in vae.parameters())


def test_the_head_is_the_only_layer_at_full_size():
    """Full resolution is never convolved: each layer sees at most the folded grid."""
    vae, seen = Vae(3, 5, CONFIG), []
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.register_forward_hook(lambda module, given, out: seen.append(tuple(given[0].shape[2:])))
    vae.decode(vae.encode(torch.zeros(1, 5, 8, 16, 32)).mean)
    assert max(seen) == (4, 8, 16)
    assert depth_to_space(torch.zeros(1, 8, 4, 8, 16), 2).shape[2:] == (8, 16, 32)
