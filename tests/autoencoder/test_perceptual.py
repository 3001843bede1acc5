"""The perceptual distance in closed form: angles between features, whatever their length."""

import math

import pytest
import torch

from echoes.autoencoder.perceptual import distance
from echoes.nets.classifiers import ConvClassifier


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
