"""Whitening undoes itself, and its statistics are those of latents drawn from their posteriors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from echoes import seeds
from echoes.autoencoder.latents import Moments, Whitening
from echoes.errors import InputError

SHAPES = {2: (3, 6, 8), 3: (3, 2, 4, 6)}


def posteriors(rank, count=20):
    """Means and deviations (count, 3, *S) of three channels with statistics of their own."""
    rng = seeds.rng(0, "test", rank)
    mean = rng.normal([[5.0], [0.0], [-100.0]], [[0.1], [1.0], [3.0]], (count, 3, 48))
    std = rng.uniform(0.05, 0.5, (count, 3, 48))
    return tuple(a.reshape(count, *SHAPES[rank]).astype(np.float32) for a in (mean, std))


@pytest.mark.parametrize("rank", [2, 3])
def test_whitening_undoes_itself_and_gives_each_channel_mean_0_and_deviation_1(rank):
    mean, _ = posteriors(rank)
    raw, moments = torch.from_numpy(mean), Moments()
    moments.add(raw, torch.zeros_like(raw))
    whitening = moments.whitening()
    latents = whitening.whiten(raw)
    torch.testing.assert_close(whitening.unwhiten(latents), raw, rtol=1e-5, atol=1e-4)
    channels = latents.transpose(0, 1).flatten(1)
    torch.testing.assert_close(channels.mean(1), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(channels.std(1, correction=0), torch.ones(3), atol=1e-3, rtol=0)


def test_whitening_is_a_shift_and_a_scale_per_channel():
    whitening = Whitening((1.0, -2.0), (2.0, 0.5))
    found = whitening.whiten(torch.tensor([5.0, -1.0]).reshape(1, 2, 1, 1))
    assert found.flatten().tolist() == [2.0, 2.0]


@given(st.lists(st.integers(1, 19), max_size=5, unique=True).map(sorted))
def test_statistics_are_those_of_numpy_whatever_the_batches(pieces):
    mean, std = posteriors(3)
    moments = Moments()
    for m, s in zip(np.split(mean, pieces), np.split(std, pieces), strict=True):
        moments.add(torch.from_numpy(m), torch.from_numpy(s))
    found = moments.whitening()
    exact, noise = mean.astype(np.float64), std.astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean((0, 2, 3, 4)), rtol=1e-12)
    expected = np.sqrt(exact.var((0, 2, 3, 4)) + (noise**2).mean((0, 2, 3, 4)))
    np.testing.assert_allclose(found.std, expected, rtol=1e-10)


def test_latents_drawn_from_their_posteriors_are_white():
    mean, std = (torch.from_numpy(a) for a in posteriors(3, 200))
    moments = Moments()
    moments.add(mean, std)
    generator = torch.Generator().manual_seed(0)
    drawn = moments.whitening().whiten(mean + std * torch.randn(mean.shape, generator=generator))
    channels = drawn.transpose(0, 1).flatten(1)
    torch.testing.assert_close(channels.mean(1), torch.zeros(3), atol=0.02, rtol=0)
    torch.testing.assert_close(channels.std(1), torch.ones(3), atol=0.02, rtol=0)


def test_a_channel_that_never_changes_is_refused():
    moments = Moments()
    mean = torch.randn(4, 2, 8)
    mean[:, 1] = 0.25
    moments.add(mean, torch.zeros_like(mean))
    with pytest.raises(InputError, match="latents: expected every channel to vary, got standard deviations"):
        moments.whitening()
