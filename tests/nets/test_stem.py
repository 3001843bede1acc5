"""The stem: dense and sparse give the same features of a scene; without one nothing is added, drawn or stored."""

import pytest
import torch
from torch import nn

from echoes import params
from echoes.errors import InputError
from echoes.nets import stem
from echoes.nets.blocks import recompute
from echoes.nets.stem import StemConfig


def scene(seed=0):
    """(2, 3, 6, 8, 8): occupancy and two channels that are not 0 in empty cells either; the second sample is empty."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 3, 6, 8, 8, generator=generator)
    x[:, 0] = (torch.rand(2, 6, 8, 8, generator=generator) < 0.2).float()
    x[1, 0] = 0
    return x


def both(layers):
    """A dense and a sparse stem with the same weights, none of which are 0."""
    torch.manual_seed(0)
    dense, sparse = (stem.build(StemConfig(kind, 4, layers), 3, 3, "stem") for kind in ("dense", "sparse"))
    for parameter in dense.parameters():
        nn.init.normal_(parameter, std=0.3)
    sparse.load_state_dict(dense.state_dict())
    return dense, sparse


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_dense_and_sparse_give_the_same_features_and_the_same_gradients(layers):
    found = []
    for module in both(layers):
        x = scene().requires_grad_()
        out = module(x)
        (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape)).sum().backward()
        found.append([out.detach(), x.grad, *(p.grad for p in module.parameters())])
    for dense, sparse in zip(*found, strict=True):
        torch.testing.assert_close(sparse, dense, rtol=1e-4, atol=1e-4)


def test_the_own_channels_come_first_and_empty_cells_have_no_features():
    x = scene()
    for module in both(2):
        out = module(x)
        assert out.shape == (2, StemConfig("dense", 4, 2).out(3), 6, 8, 8)
        assert torch.equal(out[:, :3], x)
        assert torch.equal((out[:, 3:] != 0).any(1), x[:, 0] > 0)


def test_blocks_of_either_stem_can_compute_their_activations_anew():
    for module in both(3):
        expected = module.train()(scene())
        recompute(module)
        out = module(scene().requires_grad_())
        out.sum().backward()
        assert torch.equal(out, expected)


@pytest.mark.parametrize("rank", [1, 2])
def test_of_a_spectrogram_all_cells_are_convolved(rank):
    x = -torch.ones(1, 1, *(8, 8)[:rank])
    out = stem.build(StemConfig("dense", 4, 2), rank, 1, "stem")(x)
    assert (out[:, 1:] != 0).all()


@pytest.mark.parametrize("rank", [1, 2])
def test_of_a_spectrogram_a_sparse_stem_is_refused_by_its_key(rank):
    message = rf"^vae\.architecture\.stem\.convolution: expected none or dense, .* of rank {rank} count, got sparse$"
    with pytest.raises(InputError, match=message):
        stem.build(StemConfig("sparse", 4, 2), rank, 1, "vae.architecture.stem")


def test_no_stem_has_no_weights_draws_no_numbers_and_leaves_the_grid_as_it_is():
    before, x = torch.get_rng_state(), scene()
    module = stem.build(StemConfig("none", 4, 2), 3, 3, "stem")
    assert torch.equal(torch.get_rng_state(), before)
    assert module.state_dict() == {}
    assert module(x) is x
    assert StemConfig("none", 4, 2).out(3) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 1}, "channels: expected at least 2, which a norm goes over, got 1"),
        ({"layers": 0}, "layers: expected at least 1, got 0"),
        ({"convolution": "some"}, "convolution: expected one of none, dense, sparse, got 'some'"),
    ],
)
def test_a_stem_of_nothing_is_refused_by_its_key(change, message):
    with pytest.raises(InputError, match=rf"^vae\.stem\.{message}$"):
        params.build(StemConfig, {"convolution": "dense", "channels": 4, "layers": 2, **change}, "vae.stem")
