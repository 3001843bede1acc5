"""Usage of codes in closed form, and latents as vectors and back."""

import math

import pytest
import torch

from echoes.autoencoder import codes

SHAPES = {2: (3, 4, 5, 6), 3: (3, 4, 2, 5, 6)}


@pytest.mark.parametrize("rank", [2, 3])
def test_vectors_hold_the_channels_of_a_place_and_go_back_where_they_were(rank):
    latents = torch.randn(SHAPES[rank])
    vectors = codes.flat(latents)
    assert vectors.shape == (latents[:, 0].numel(), 4)
    assert torch.equal(vectors[0], latents[0, :, *[0] * rank])
    assert torch.equal(codes.unflat(vectors, latents), latents)


@pytest.mark.parametrize(
    ("counts", "utilisation", "perplexity"),
    [([5, 5, 5, 5], 1.0, 4.0), ([7, 0, 0, 0], 0.25, 1.0), ([3, 1, 0, 0], 0.5, 4 / 3**0.75), ([0, 0], 0.0, 1.0)],
)
def test_utilisation_is_the_share_of_codes_that_occur_and_perplexity_their_effective_number(
    counts, utilisation, perplexity
):
    found = codes.usage(torch.tensor(counts))
    assert found == {
        "codebook_utilisation": pytest.approx(utilisation),
        "codebook_perplexity": pytest.approx(perplexity),
    }


def test_where_there_are_no_codes_there_is_nothing_to_report():
    assert codes.usage(torch.zeros(0, dtype=torch.int64)) == {}


def test_sums_are_those_of_the_vectors_of_each_code():
    vectors, index = torch.tensor([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]), torch.tensor([2, 0, 2])
    assert codes.sums(vectors, index, 3).tolist() == [[10.0, 20.0], [0.0, 0.0], [101.0, 202.0]]


def test_nearest_is_the_code_at_the_smallest_distance_even_in_half_precision():
    codebook = 100 + 0.01 * torch.arange(8.0)[:, None]  # bfloat16 would not tell them apart
    with torch.autocast("cpu", torch.bfloat16):
        assert codes.nearest(codebook.clone(), codebook).tolist() == list(range(8))


def test_what_goes_straight_through_keeps_its_value_and_passes_its_gradient_on():
    values = torch.tensor([0.2, 1.7], requires_grad=True)
    found = codes.straight_through(values, values.round())
    (found * torch.tensor([3.0, -5.0])).sum().backward()
    assert found.tolist() == [0.0, 2.0]
    assert values.grad.tolist() == [3.0, -5.0]
    assert math.isclose(values.detach().sum().item(), 1.9, rel_tol=1e-6)
