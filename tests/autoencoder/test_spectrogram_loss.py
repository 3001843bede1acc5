"""Errors of spectrograms in closed form, per sample, for one and three channels and short axes."""

import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from echoes.autoencoder import spectrogram_loss
from echoes.autoencoder.spectrogram_loss import absolute, reconstruction, similarity

SHAPES = [(3, 1, 64, 64), (3, 3, 64, 64), (3, 1, 16, 64), (3, 1, 16, 16), (3, 3, 32, 48)]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", SHAPES)
def test_identical_spectrograms_cost_nothing_and_changed_ones_something(shape):
    clean = 2 * torch.rand(shape) - 1
    torch.testing.assert_close(reconstruction(clean, clean, 1.0, 1.0), torch.zeros(3), atol=1e-5, rtol=0)
    assert (reconstruction(clean.flip(2), clean, 0.0, 1.0) > 0.1).all()
    assert (reconstruction(clean + 0.1, clean, 1.0, 0.0) > 0.09).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_loss_is_one_number_per_sample_that_knows_no_other_sample(shape):
    clean, decoded = 2 * torch.rand(shape) - 1, 2 * torch.rand(shape) - 1
    found = reconstruction(decoded, clean, 1.0, 0.5)
    assert found.shape == (3,)
    for i in range(3):
        alone = reconstruction(decoded[i : i + 1], clean[i : i + 1], 1.0, 0.5)
        torch.testing.assert_close(alone, found[i : i + 1])


def test_flat_spectrograms_have_the_similarity_of_their_means():
    """Without variance only the luminances count: (2 m n + c) / (m^2 + n^2 + c), c = (.01 * 2)^2, from the floor."""
    clean, decoded = torch.full((1, 1, 64, 64), -0.5), torch.full((1, 1, 64, 64), 0.5)
    expected = (2 * 0.5 * 1.5 + 4e-4) / (0.25 + 2.25 + 4e-4)
    assert similarity(decoded, clean).item() == pytest.approx(expected, abs=1e-3)
    assert absolute(decoded, clean).item() == pytest.approx(1.0)


@pytest.mark.parametrize("channels", [1, 3])
def test_similarity_is_that_of_the_library_for_each_sample(channels):
    clean, decoded = 2 * torch.rand(3, channels, 40, 64) - 1, 2 * torch.rand(3, channels, 40, 64) - 1
    expected = structural_similarity_index_measure(decoded + 1, clean + 1, data_range=2.0, reduction="none")
    torch.testing.assert_close(similarity(decoded, clean), expected)


def test_each_error_has_its_weight():
    clean, decoded = 2 * torch.rand(2, 1, 32, 32) - 1, 2 * torch.rand(2, 1, 32, 32) - 1
    expected = 2 * absolute(decoded, clean) + 3 * (1 - similarity(decoded, clean))
    torch.testing.assert_close(reconstruction(decoded, clean, 2.0, 3.0), expected)


def test_the_window_is_narrower_where_an_axis_is_short():
    def reach(size):
        clean = torch.zeros(1, 1, size, size)
        decoded = clean.clone().requires_grad_()
        changed = clean.clone()
        changed[0, 0, size // 2, size // 2] = 1.0
        similarity(decoded, changed).sum().backward()
        return int((decoded.grad[0, 0, size // 2].abs() > 0).sum())

    assert reach(64) == 21  # twice the window less one: centres within 5 cells, cells within 5 of those
    assert reach(30) == 13
    assert spectrogram_loss.SHORT == 32


def test_similarity_is_computed_in_single_precision_under_autocast():
    clean, decoded = 2 * torch.rand(2, 1, 32, 32) - 1, 2 * torch.rand(2, 1, 32, 32) - 1
    with torch.autocast("cpu", torch.bfloat16):
        found = similarity(decoded, clean)
    torch.testing.assert_close(found, similarity(decoded, clean))
    assert found.dtype == torch.float32
