"""Classifiers of spectrograms: any size, absolute velocity matters, time in the clip hardly."""

import pytest
import torch
from torch import nn

from echoes.nets.classifiers import BANDS, ConvClassifier, TokenClassifier, bands, deviation

SIZES = [(16, 16), (64, 64), (256, 16), (32, 256), (48, 20)]


def built(kind, bins=64, channels=1):
    classes = (3, 5)
    made = ConvClassifier(channels, classes, 16) if kind == "conv" else TokenClassifier(channels, classes, 32, bins)
    return made.eval()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("kind", ["conv", "token"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sizes", SIZES)
def test_spectrograms_of_any_size_give_features_and_the_logits_of_each_kind(kind, channels, sizes):
    classifier, x = built(kind, sizes[0], channels), torch.rand(2, channels, *sizes) * 2 - 1
    assert [tuple(logits.shape) for logits in classifier(x)] == [(2, 3), (2, 5)]
    features = classifier.features(x)
    assert features.shape == (2, 64)
    torch.testing.assert_close(features.mean(1), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(features.pow(2).mean(1), torch.ones(2), atol=1e-2, rtol=0)


@pytest.mark.parametrize("sizes", SIZES)
def test_maps_lie_on_a_quarter_of_the_resolution(sizes):
    maps = built("conv").maps(torch.rand(2, 1, *sizes))
    assert maps.shape == (2, 32, sizes[0] // 4, sizes[1] // 4)


def test_the_depths_are_what_the_features_come_from_ever_coarser():
    classifier, x = built("conv"), torch.rand(2, 1, 32, 48)
    depths = classifier.depths(x)
    assert [tuple(maps.shape[1:]) for maps in depths] == [(16, 16, 24), (32, 8, 12), (32, 8, 12), (64, 4, 6)]
    assert torch.equal(depths[2], classifier.maps(x))
    assert torch.equal(depths[3], classifier.deep(depths[2]))


def test_the_convolutions_are_small_and_the_tokens_smaller():
    assert sum(p.numel() for p in ConvClassifier(3, (31, 9), 32).parameters()) < 1_000_000
    assert sum(p.numel() for p in TokenClassifier(3, (31, 9), 96, 64).parameters()) < 1_000_000


@pytest.mark.parametrize("kind", ["conv", "token"])
def test_every_parameter_learns(kind):
    classifier = built(kind)
    for parameter in classifier.parameters():
        nn.init.normal_(parameter, std=0.1)
    sum(logits.pow(2).sum() for logits in classifier(torch.rand(2, 1, 64, 32))).backward()
    assert [name for name, p in classifier.named_parameters() if p.grad is None or not p.grad.any()] == []


def line(velocity, start, length=64):
    """(1, 1, 64, 128) a line of constant velocity that is there for a while."""
    x = -torch.ones(1, 1, 64, 128)
    x[..., velocity, start : start + length] = 1.0
    return x


@pytest.mark.parametrize("kind", ["conv", "token"])
def test_a_moved_velocity_changes_the_features_more_than_a_moved_time(kind):
    classifier = built(kind)
    here = classifier.features(line(20, 32))
    later, faster = classifier.features(line(20, 36)), classifier.features(line(44, 32))
    assert (faster - here).norm() > 5 * (later - here).norm()


@pytest.mark.parametrize("kind", ["conv", "token"])
def test_a_spectrogram_has_the_same_answer_in_any_batch(kind):
    classifier, x = built(kind), torch.rand(3, 1, 64, 32)
    torch.testing.assert_close(classifier.features(x)[1:], classifier.features(x[1:]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["conv", "token"])
def test_gradients_are_finite_in_bfloat16(kind):
    classifier = built(kind)
    with torch.autocast("cpu", torch.bfloat16):
        logits = classifier(-torch.ones(2, 1, 64, 64))
    sum(part.float().pow(2).sum() for part in logits).backward()
    assert all(parameter.grad.isfinite().all() for parameter in classifier.parameters())


@pytest.mark.parametrize("size", [2, 6, 8, 32])
def test_bands_are_means_that_ascend_with_the_axis(size):
    weights = bands(size, BANDS, torch.zeros(1))
    torch.testing.assert_close(weights.sum(1), torch.ones(BANDS))
    centres = weights @ torch.arange(size).float()
    assert (centres.diff() > 0.1).all()
    assert (centres[0], centres[-1]) == (pytest.approx(0, abs=size / 12), pytest.approx(size - 1, abs=size / 12))


def test_the_deviation_is_that_of_the_population_and_smooth_at_nothing():
    x = torch.tensor([[1.0, 3.0], [2.0, 2.0]], requires_grad=True)
    found = deviation(x, 1)
    torch.testing.assert_close(found, torch.tensor([1.0001**0.5, 0.01]))
    found.sum().backward()
    assert x.grad.isfinite().all()
