"""The perceptual distance in closed form: angles between features, whatever their length."""

import math

import pytest
import torch

import tracks
from echoes import params
from echoes.autoencoder.architecture import VaeArchitecture, build
from echoes.autoencoder.perceptual import depths, distance, expected
from echoes.nets.classifiers import ConvClassifier
from echoes.tasks import LIDAR_AND_RADAR


def vectors(*places):
    """(1, K, P, 1) features of P places."""
    return torch.tensor(places, dtype=torch.float32).T[None, :, :, None] * 100


def test_the_distance_is_the_square_chord_between_directions_and_the_mean_of_places_and_of_depths():
    """Orthogonal vectors of length 1 are sqrt(2) apart, those at 60 degrees 1, opposite ones 2."""
    first, second = vectors((1, 0), (1, 0)), vectors((0, 3), (0.5, math.sqrt(0.75)))
    assert distance([first], [second]).item() == pytest.approx((2 + 1) / 2, rel=1e-4)
    opposite = vectors((-1, 0))
    assert distance([first, vectors((1, 0))], [second, opposite]).item() == pytest.approx((1.5 + 4) / 2, rel=1e-4)


def test_features_of_other_length_cost_nothing_and_where_nothing_is_seen_nothing_is_compared():
    seen = 10 + torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(distance([7 * seen], [seen]), torch.zeros(2), atol=1e-6, rtol=0)
    faint = 1e-4 * torch.randn(2, 3, 4, 5)
    assert (distance([faint], [-faint]) < 1e-2).all()


def test_the_distance_is_one_number_per_sample_with_a_finite_gradient_where_both_are_alike():
    torch.manual_seed(0)
    seen, clean = ([torch.randn(3, 2, 4, 4), torch.randn(3, 5, 2, 2)] for _ in range(2))
    alone = distance([x[1:2] for x in seen], [x[1:2] for x in clean])
    torch.testing.assert_close(alone, distance(seen, clean)[1:2])
    nothing = torch.zeros(1, 2, 3, 3, requires_grad=True)
    distance([nothing], [nothing.detach()]).sum().backward()
    assert nothing.grad.isfinite().all()


def test_a_blurred_line_is_further_from_a_line_than_another_gain():
    """Of two changes with the same mean absolute error, the one that loses what is seen costs more."""
    torch.manual_seed(0)
    teacher = ConvClassifier(1, (2,), 8).eval().requires_grad_(False)
    clean = -torch.ones(1, 1, 32, 32)
    clean[:, :, 10:22:4] = 1.0
    blurred = torch.nn.functional.avg_pool2d(clean, (5, 1), 1, (2, 0), count_include_pad=False)
    error = (blurred - clean).abs().mean()
    brighter = clean + error
    apart = [distance(teacher.depths(x), teacher.depths(clean)).item() for x in (blurred, brighter)]
    assert apart[0] > 1.5 * apart[1]


def test_an_encoder_is_seen_after_each_of_its_residual_blocks():
    torch.manual_seed(0)
    vae = build(params.build(VaeArchitecture, tracks.VAE["architecture"], "vae"), 3, 5)
    x = torch.rand(2, 5, 4, 8, 8)
    seen = depths(vae, x)
    assert [tuple(maps.shape) for maps in seen] == [(2, 8, 2, 4, 4), (2, 16, 1, 2, 2)]
    last = vae.encoder[-3:](seen[-1])
    torch.testing.assert_close(last[:, :4], vae.encode(x).mean)


def test_a_decoder_that_is_sure_is_seen_as_the_cloud_it_means_and_one_that_knows_nothing_as_half_of_it():
    goal = torch.zeros(1, 5, 2, 4, 4)
    goal[:, :, 0, 1] = torch.tensor([1.0, 0.3, -0.5, 1.0, 0.8])[:, None]
    said = goal.clone()
    said[:, [0, 3]] = 40 * goal[:, [0, 3]] - 20
    torch.testing.assert_close(expected(said, LIDAR_AND_RADAR), goal, atol=1e-6, rtol=0)
    said[:, [0, 3]] = 0  # a chance of a half, of occupancy and of validity within it
    factors = torch.tensor([0.5, 0.5, 0.25, 0.25, 0.25])
    found = expected(said, LIDAR_AND_RADAR)[0, :, 0, 1, 0]
    torch.testing.assert_close(found, factors * torch.tensor([1.0, 0.3, -0.5, 1.0, 0.8]))
