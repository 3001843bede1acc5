"""Both alignment losses in closed form, the weight that balances gradients, and what the aligner learns."""

import math

import pytest
import torch

import tracks
import vits
from echoes import params
from echoes.autoencoder.alignment import Aligner, adaptive_weight, cosine_loss, distance_loss
from echoes.autoencoder.loss_weights import AlignmentConfig, TeacherFile, TeacherTraining
from echoes.errors import InputError

TRAINING = params.build(TeacherTraining, {**tracks.SCHEDULE, "steps": 2, "batch": 4, "lr": 1e-2, "width": 4}, "t")
NO_FILE = params.build(TeacherFile, vits.FILE, "file")
SHAPES = {2: (2, 3, 4, 5), 3: (2, 3, 2, 4, 5)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def config(weight=0.1, distance_margin=0.0, cosine_margin=0.0):
    return AlignmentConfig(weight, distance_margin, cosine_margin, "trained", TRAINING, NO_FILE)


def places(*vectors):
    """(1, K, P, 1) features of P places."""
    return torch.tensor(vectors).T[None, :, :, None]


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("margin", [0.0, 0.25])
def test_identical_features_cost_nothing_at_any_length(rank, margin):
    features = torch.randn(SHAPES[rank])
    torch.testing.assert_close(cosine_loss(3 * features, features, margin), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(distance_loss(3 * features, features, margin), torch.zeros(2), atol=1e-6, rtol=0)


def test_the_cosine_loss_is_1_for_orthogonal_and_2_for_opposite_features_less_the_margin():
    one, other = places((1.0, 0.0), (0.0, 2.0)), places((0.0, 3.0), (0.0, -1.0))
    assert cosine_loss(one, other, 0.0).item() == pytest.approx((1 + 2) / 2)
    assert cosine_loss(one, other, 0.5).item() == pytest.approx((0.5 + 1.5) / 2)


def test_the_distance_loss_compares_angles_between_places_and_never_directions():
    """Two orthogonal places against two that are 60 degrees apart: |0 - 1/2| for two of the four pairs."""
    latents, features = places((1.0, 0.0), (0.0, 1.0)), places((2.0, 0.0, 0.0), (0.5, math.sqrt(0.75), 0.0))
    assert distance_loss(latents, features, 0.0).item() == pytest.approx(2 * 0.5 / 4)
    assert distance_loss(latents, features, 0.25).item() == pytest.approx(2 * 0.25 / 4)
    assert distance_loss(latents, features, 0.5).item() == pytest.approx(0.0, abs=1e-6)
    turned = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    assert distance_loss(torch.einsum("ij,bjpq->bipq", turned, latents), latents, 0.0).item() == pytest.approx(
        0.0, abs=1e-6
    )


@pytest.mark.parametrize("rank", [2, 3])
def test_the_losses_are_one_number_per_sample(rank):
    latents, features = torch.randn(SHAPES[rank]), torch.randn(SHAPES[rank])
    for loss in (cosine_loss, distance_loss):
        found = loss(latents, features, 0.1)
        assert found.shape == (2,)
        torch.testing.assert_close(loss(latents[1:], features[1:], 0.1), found[1:])


def test_the_adaptive_weight_is_the_quotient_of_the_lengths_of_the_gradients():
    last = torch.tensor([3.0, -2.0], requires_grad=True)
    reconstruction, alignment = (6 * last[:1] + 8 * last[1:]), (0.3 * last[:1] + 0.4 * last[1:])
    weight = adaptive_weight(reconstruction, alignment, last)
    assert weight.item() == pytest.approx(10 / (0.5 + 1e-4))
    assert not weight.requires_grad
    nothing = adaptive_weight(1e9 * last[:1], 0 * last[:1], last)
    assert nothing.item() == pytest.approx(1e8)  # bounded
    assert adaptive_weight(0 * last[:1], alignment, last).item() == 0.0


def test_the_teachers_maps_are_averaged_onto_the_grid_of_the_latents():
    clean = torch.randn(2, 3, 16, 16)
    aligner = Aligner(lambda x: x, 3, 3, config())
    with torch.no_grad():
        aligner.projection.weight.copy_(torch.eye(3))
    averaged = torch.nn.functional.avg_pool2d(clean, 4)
    torch.testing.assert_close(aligner(averaged, clean), torch.zeros(2), atol=1e-5, rtol=0)
    repeated = averaged.repeat_interleave(8, 2).repeat_interleave(8, 3)
    torch.testing.assert_close(aligner(repeated, averaged), torch.zeros(2), atol=1e-5, rtol=0)


def test_the_projection_learns_and_the_teacher_does_not():
    teacher = torch.nn.Conv2d(1, 6, 4, 4)
    aligner = Aligner(teacher.forward, 4, 6, config())
    assert [name for name, _ in aligner.named_parameters()] == ["projection.weight"]
    latents = torch.randn(2, 4, 4, 4, requires_grad=True)
    aligner(latents, torch.randn(2, 1, 16, 16)).sum().backward()
    assert aligner.projection.weight.grad.abs().sum() > 0
    assert latents.grad.abs().sum() > 0
    assert teacher.weight.grad is None


def test_the_aligner_keeps_to_its_margins():
    clean, latents = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    strict, lenient = (Aligner(lambda x: x, 3, 3, config(0.1, margin, 2 * margin)) for margin in (0.0, 2.0))
    assert (strict(latents, clean) > 0.1).all()
    assert lenient(latents, clean).tolist() == [0.0, 0.0]


def test_numbers_below_0_are_refused():
    with pytest.raises(InputError, match="cosine_margin: expected 0 or more, got -0"):
        config(cosine_margin=-0.1)
