"""Latents of exactly 1 / factor of the grid, a posterior, and a head that starts at the share of occupied cells."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from echoes import params
from echoes.autoencoder import bottlenecks, equivariance
from echoes.autoencoder.bottlenecks import GaussianBottleneck
from echoes.autoencoder.fsq import FsqConfig
from echoes.autoencoder.posteriors import Posterior
from echoes.autoencoder.vae import SIZES, AttentionConfig, Vae, VaeConfig
from echoes.autoencoder.vq import CodebookTraining, VqConfig
from echoes.compute.tiles import Tiles
from echoes.errors import InputError
from echoes.nets.attention import Attention
from echoes.nets.layers import depth_to_space
from echoes.nets.stem import StemConfig

CONFIG = VaeConfig(channels=(8, 12), blocks=(1, 1), latent_channels=3, patch=2)
GRIDS = {2: (16, 32), 3: (8, 16, 32)}
FACTORS = {"tiny": 4, "ultra_lightweight": 4, "lightweight": 4, "standard": 4, "f8d4": 8, "f16d32": 16}
NO_STEM, NO_ATTENTION = StemConfig("none", 8, 2), AttentionConfig("none", 1)
CODES = VqConfig(16), FsqConfig((8, 5, 5))
WEIGHTS = SimpleNamespace(kl=0.25, vq=CodebookTraining(0.9, 0.25, 10))


def autoencoder(rank, channels, config=CONFIG):
    return Vae(rank, channels, config, GaussianBottleneck(config.latent_channels), NO_STEM, NO_ATTENTION)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("channels", [1, 5])
def test_latents_are_a_quarter_of_the_grid_and_the_decoder_gives_the_grid_back(rank, channels):
    vae, x = autoencoder(rank, channels), torch.randn(2, channels, *GRIDS[rank])
    posterior = vae.encode(x)
    latent = (2, 3, *(s // 4 for s in GRIDS[rank]))
    assert posterior.mean.shape == posterior.logvar.shape == posterior.sample().shape == latent
    decoded = vae.decode(posterior.mean)
    assert decoded.shape == x.shape
    assert decoded.dtype == torch.float32


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_latents_of_every_size_that_has_a_name_are_the_grid_divided_by_its_factor(rank, size):
    factor, config, grid = FACTORS[size], SIZES[size], (32, 16, 48)[:rank]
    assert config.factor == factor
    with torch.device("meta"):
        vae = autoencoder(rank, 5, config)
        posterior = vae.encode(torch.zeros(2, 5, *grid))
        expected = (config.latent_channels, *(s // factor for s in grid))
        assert posterior.mean.shape[1:] == vae.latent_shape(grid) == expected
        assert vae.decode(posterior.mean).shape == (2, 5, *grid)


def test_full_size_spectrograms_have_the_latents_of_the_literature():
    with torch.device("meta"):
        assert autoencoder(2, 1, SIZES["f8d4"]).latent_shape((256, 256)) == (4, 32, 32)
        assert autoencoder(2, 3, SIZES["f16d32"]).latent_shape((256, 256)) == (32, 16, 16)
        assert autoencoder(2, 1, SIZES["tiny"]).latent_shape((64, 64)) == (4, 16, 16)


@pytest.mark.parametrize(("levels", "factor"), [(1, 2), (2, 4), (3, 8), (4, 16)])
@pytest.mark.parametrize("rank", [2, 3])
def test_each_level_halves_the_latents_and_every_weight_learns(rank, levels, factor):
    vae = autoencoder(rank, 2, VaeConfig(tuple(range(4, 4 + levels)), (1,) * levels, 3, 2))
    x = torch.randn(1, 2, *(32, 16, 16)[:rank])
    posterior = vae.encode(x)
    decoded = vae.decode(posterior.sample())
    assert posterior.mean.shape == (1, 3, *(s // factor for s in x.shape[2:]))
    assert decoded.shape == x.shape
    (decoded.pow(2).sum() + vae.bottleneck.penalty(posterior, WEIGHTS).sum()).backward()
    assert all(p.grad is not None for p in vae.parameters())


@pytest.mark.parametrize("variant", ["kl", "vq", "fsq"])
@pytest.mark.parametrize("rank", [2, 3])
def test_every_bottleneck_keeps_shapes_and_lets_gradients_through_to_the_encoder(rank, variant):
    vae = Vae(rank, 1, CONFIG, bottlenecks.build(variant, 3, *CODES), NO_STEM, NO_ATTENTION)
    x = torch.randn(2, 1, *GRIDS[rank])
    posterior = vae.encode(x)
    vae.bottleneck.update(posterior.sample(), WEIGHTS)
    assert posterior.mean.shape == posterior.std.shape == (2, 3, *(s // 4 for s in GRIDS[rank]))
    decoded = vae.decode(posterior.sample())
    assert decoded.shape == x.shape
    decoded.pow(2).sum().backward()
    assert vae.encoder[0].weight.grad.abs().sum() > 0
    assert vae.bottleneck.penalty(posterior, WEIGHTS).shape == (2,)
    torch.testing.assert_close(vae.decode(vae.bottleneck.quantize(posterior.mean)), vae.decode(posterior.mean))
    assert set(vae.bottleneck.usage()) == (
        set() if variant == "kl" else {"codebook_utilisation", "codebook_perplexity"}
    )
    assert vae.bottleneck.counts(posterior.mean).sum() == (0 if variant == "kl" else posterior.mean[:, 0].numel())


@pytest.mark.parametrize("variant", ["kl", "vq", "fsq"])
def test_weights_rebuild_an_autoencoder_that_decodes_the_same(variant):
    made = (bottlenecks.build(variant, 3, *CODES) for _ in range(2))
    vae, other = (Vae(2, 1, CONFIG, bottleneck, NO_STEM, NO_ATTENTION) for bottleneck in made)
    latents = 0.5 * torch.randn(2, 3, 4, 8)
    vae.bottleneck.update(latents, WEIGHTS)
    other.load_state_dict(vae.state_dict())
    assert torch.equal(other.decode(latents), vae.decode(latents))


def test_a_gaussian_bottleneck_weighs_its_divergence():
    posterior = Posterior(torch.full((2, 1, 2), 2.0), torch.zeros(2, 1, 2))  # a divergence of 2
    assert GaussianBottleneck(1).penalty(posterior, WEIGHTS).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("sizes", [(16, 24), (8, 16), (10, 16)])
def test_a_grid_that_the_factor_does_not_divide_is_refused(sizes):
    vae = autoencoder(2, 1, VaeConfig((4, 4, 4, 4), (0, 0, 0, 0), 2, 2))
    with pytest.raises(InputError, match=r"^vae\.architecture\.size: expected a grid of multiples of 16 .*, got \["):
        vae.encode(torch.zeros(1, 1, *sizes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": [8, 0]}, r"channels: expected at least 1 for each level, got \[8, 0\]"),
        ({"blocks": [1, -1]}, r"blocks: expected 0 or more for each level, got \[1, -1\]"),
        ({"latent_channels": 0}, r"latent_channels: expected at least 1, got 0"),
        ({"patch": 0}, r"patch: expected at least 1 cell along each axis, got 0"),
        ({"patch": [2, 0]}, r"patch: expected at least 1 cell along each axis, got \[2, 0\]"),
    ],
)
def test_levels_of_nothing_are_refused_by_their_key(changes, message):
    section = {"channels": [8, 8], "blocks": [1, 1], "latent_channels": 4, "patch": 2, **changes}
    with pytest.raises(InputError, match=rf"^radar\.vae\.size\.{message}$"):
        params.build(VaeConfig, section, "radar.vae.size")


def test_a_config_without_levels_or_with_other_numbers_of_blocks_is_refused():
    with pytest.raises(InputError, match=r"blocks: expected one number for each of the 2 levels of channels, got"):
        VaeConfig((8, 8), (1,), 4, 2)
    with pytest.raises(InputError, match="channels: expected at least one level, got none"):
        VaeConfig((), (), 4, 2)
    with pytest.raises(InputError, match="latent_channels: expected at least 1, got 0"):
        VaeConfig((8,), (1,), 0, 2)


def test_sizes_grow_in_the_order_of_their_names():
    def weights(config):
        with torch.device("meta"):
            return sum(p.numel() for p in autoencoder(3, 5, config).parameters())

    counts = [weights(SIZES[name]) for name in ("tiny", "ultra_lightweight", "lightweight", "standard")]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize(("rate", "bias"), [(0.005, -5.293305), (0.01, -4.595120), (0.02, -3.891820)])
@pytest.mark.parametrize("rank", [2, 3])
def test_an_untrained_head_gives_the_probability_it_was_told_in_every_cell(rank, rate, bias):
    vae = autoencoder(rank, 3)
    vae.set_prior(1, rate)
    decoded = vae.decode(torch.randn(2, 3, *(s // 4 for s in GRIDS[rank])))
    torch.testing.assert_close(decoded[:, 1], torch.full_like(decoded[:, 1], bias))
    assert decoded[:, 1].sigmoid().mean().item() == pytest.approx(rate, rel=1e-4)
    for other in (0, 2):  # and leaves the other channels as they were
        assert decoded[:, other].std() > 0.01


@pytest.mark.parametrize(("rate", "entropy"), [(0.005, 0.031479), (0.01, 0.056002), (0.02, 0.098039)])
def test_the_first_cross_entropy_is_the_entropy_of_the_share_of_occupied_cells(rate, entropy):
    vae = autoencoder(3, 2)
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
    vae = autoencoder(2, 1)
    for value, bound in ((1e6, 10.0), (-1e6, -20.0)):
        with torch.no_grad():
            vae.encoder[-1].bias[3:] = value
        logvar = vae.encode(torch.randn(2, 1, 16, 32)).logvar
        torch.testing.assert_close(logvar, torch.full_like(logvar, bound))


def test_every_input_cell_reaches_the_latents_and_every_latent_the_output():
    vae = autoencoder(3, 2)
    x = torch.randn(1, 2, 8, 16, 16, requires_grad=True)
    latents = vae.encode(x).mean
    latents.pow(2).sum().backward()
    assert (x.grad != 0).all()
    latents = latents.detach().requires_grad_()
    vae.decode(latents).pow(2).sum().backward()
    assert (latents.grad != 0).all()
    assert all(p.grad is not None for p in vae.parameters())


def test_the_head_is_the_only_layer_at_full_size():
    """Without a stem full resolution is never convolved: each layer sees at most the folded grid."""
    vae, seen = autoencoder(3, 5), []
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.register_forward_hook(lambda module, given, out: seen.append(tuple(given[0].shape[2:])))
    vae.decode(vae.encode(torch.zeros(1, 5, 8, 16, 32)).mean)
    assert max(seen) == (4, 8, 16)
    assert depth_to_space(torch.zeros(1, 8, 4, 8, 16), 2).shape[2:] == (8, 16, 32)


def attending(rank, heads=2):
    return Vae(rank, 2, CONFIG, GaussianBottleneck(3), NO_STEM, AttentionConfig("full", heads))


@pytest.mark.parametrize("rank", [2, 3])
def test_the_attention_is_between_latents_in_encoder_and_decoder_and_begins_as_the_identity(rank):
    vae, x, seen = attending(rank), torch.randn(1, 2, *GRIDS[rank]), []
    found = [module for module in vae.modules() if isinstance(module, Attention)]
    for module in found:
        module.register_forward_hook(lambda module, given, out: seen.append((tuple(out.shape), out.equal(given[0]))))
    latents = vae.encode(x).mean
    vae.decode(latents)
    assert seen == [((1, 12, *latents.shape[2:]), True)] * 2
    for module in found:
        torch.nn.init.normal_(module.out.weight)
    vae.decode(vae.encode(x).mean)
    assert [same for _, same in seen[2:]] == [False, False]


def test_the_attention_adds_to_an_autoencoder_and_changes_no_other_weight():
    with_attention, without = (
        {name: tuple(tensor.shape) for name, tensor in vae.state_dict().items()}
        for vae in (attending(2), autoencoder(2, 2))
    )
    assert sorted([*without.values(), *[s for s in attention_shapes(12) for _ in range(2)]]) == sorted(
        with_attention.values()
    )


def attention_shapes(width):
    """Of a norm, of query, key and value, and of what is added."""
    return [(width,), (width,), (3 * width, width, 1, 1), (3 * width,), (width, width, 1, 1), (width,)]


def test_heads_that_do_not_divide_the_channels_of_the_lowest_level_are_refused():
    with pytest.raises(
        InputError, match=r"^vae\.architecture\.attention\.heads: expected a divisor of the 12 .*, got 5$"
    ):
        attending(2, 5)


def test_tiles_give_what_the_whole_grid_gives_up_to_what_norms_see_of_it():
    """All that looks farther than a quarter of the overlap is the mean and the deviation that norms take out."""
    vae, x = autoencoder(2, 1, VaeConfig((8, 12), (1, 1), 3, (1, 2))).eval(), torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        whole = vae.encode(x).mean, vae.decode(vae.encode(x).mean)
        vae.tile(Tiles((32, 32), 16))
        tiled = vae.encode(x).mean, vae.decode(vae.encode(x).mean)
        vae.train()
        torch.testing.assert_close(vae.encode(x).mean, whole[0])  # trained on whole grids
    for found, expected in zip(tiled, whole, strict=True):
        assert found.shape == expected.shape
        assert 0 < (found - expected).square().mean().sqrt() < 0.2 * expected.std()


def test_tiles_that_do_not_lie_on_latents_are_refused():
    with pytest.raises(
        InputError, match=r"^vae\.architecture\.tiles: expected multiples of \[4, 4\] cells, .* \[16, 18\] and"
    ):
        autoencoder(2, 1).tile(Tiles((16, 18), 4))


@pytest.mark.parametrize(("rank", "patch", "latent"), [(2, 4, (2, 4)), (3, (1, 4, 2), (4, 2, 8)), (2, (1, 8), (8, 2))])
def test_a_patch_may_be_any_and_another_one_along_each_axis(rank, patch, latent):
    vae, x = autoencoder(rank, 2, VaeConfig((8, 12), (1, 1), 3, patch)), torch.randn(2, 2, *GRIDS[rank])
    latents = vae.encode(x).mean
    assert latents.shape[1:] == vae.latent_shape(GRIDS[rank]) == (3, *latent)
    vae.set_prior(1, 0.02)
    decoded = vae.decode(latents)
    assert decoded.shape == x.shape
    torch.testing.assert_close(decoded[:, 1].sigmoid(), torch.full_like(decoded[:, 1], 0.02))
    gap = equivariance.equivariance_loss(vae.decode, latents, x, vae.compression, 0.5)
    assert gap.shape == (2,)


def test_a_patch_of_other_axes_than_the_grid_is_refused():
    with pytest.raises(InputError, match=r"architecture\.size\.patch: .* of the 3 axes of the grid, got \[2, 2\]$"):
        autoencoder(3, 1, VaeConfig((8,), (1,), 3, (2, 2)))
