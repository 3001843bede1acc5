"""Levels of finite scalars: how many, where, and which code they make (Mentzer et al. 2024)."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from echoes.autoencoder.fsq import FiniteScalars, FsqConfig
from echoes.errors import InputError

GOLDEN = FsqConfig((8, 5, 5, 5))


def scalars(*levels):
    return FiniteScalars(len(levels), FsqConfig(levels))


def every_code(fsq):
    """(codes, Z, 1, 1) all combinations of levels, the first channel running fastest."""
    values = [[i / (n // 2) for i in range(-(n // 2), (n - 1) // 2 + 1)] for n in fsq.levels.tolist()]
    grid = [combination[::-1] for combination in itertools.product(*reversed(values))]
    return torch.tensor(grid)[..., None, None]


def test_8_5_5_5_levels_make_1000_codes_that_are_numbered_without_a_gap():
    fsq = FiniteScalars(4, GOLDEN)
    assert fsq.codes == 1000
    assert fsq.indices(every_code(fsq)).flatten().tolist() == list(range(1000))
    assert scalars(8, 8, 8, 5, 5, 5).codes == 64000


@pytest.mark.parametrize(
    ("levels", "lowest", "highest"), [(2, -1.0, 0.0), (3, -1.0, 1.0), (5, -1.0, 1.0), (8, -1.0, 0.75)]
)
def test_levels_are_evenly_spaced_whether_their_number_is_odd_or_even(levels, lowest, highest):
    fsq = scalars(levels)
    raw = fsq.posterior(torch.linspace(-20, 20, 40001).reshape(1, 1, -1, 1)).mean
    found = fsq.quantize(raw).unique()
    assert len(found) == levels
    assert found[0].item() == lowest
    assert found[-1].item() == highest
    torch.testing.assert_close(found.diff(), torch.full((levels - 1,), 1 / (levels // 2)))


@given(st.lists(st.integers(2, 17), min_size=1, max_size=6), st.integers(0, 2**31))
def test_latents_stay_in_reach_of_the_levels_and_0_stays_0(levels, seed):
    fsq = scalars(*levels)
    moments = 30 * torch.randn(2, len(levels), 3, 3, generator=torch.Generator().manual_seed(seed))
    whole = fsq.posterior(moments).mean * (fsq.levels // 2).reshape(1, -1, 1, 1)
    lowest, highest = -(fsq.levels // 2), (fsq.levels - 1) // 2
    room = 1e-3 * (fsq.levels - 1) / 2 + 1e-4
    assert (whole.amin((0, 2, 3)) >= lowest - room).all()
    assert (whole.amax((0, 2, 3)) <= highest + room).all()
    centre = fsq.posterior(torch.zeros(1, len(levels), 1, 1)).mean
    torch.testing.assert_close(centre, torch.zeros_like(centre), atol=1e-5, rtol=0)


@given(st.lists(st.integers(2, 17), min_size=1, max_size=6), st.integers(0, 2**31))
def test_quantizing_twice_is_quantizing_once_also_for_latents_out_of_reach(levels, seed):
    fsq = scalars(*levels)
    raw = 3 * torch.randn(2, len(levels), 4, generator=torch.Generator().manual_seed(seed))
    once = fsq.quantize(raw)
    torch.testing.assert_close(fsq.quantize(once), once)
    inside = fsq.indices(raw)
    assert torch.equal(fsq.indices(once), inside)
    assert inside.min() >= 0
    assert inside.max() < fsq.codes


@pytest.mark.parametrize("rank", [2, 3])
def test_gradients_pass_the_rounding_unchanged(rank):
    fsq = FiniteScalars(4, GOLDEN)
    raw = (2 * torch.rand(2, 4, *[3] * rank) - 1).requires_grad_()
    weight = torch.randn_like(raw)
    (fsq.quantize(raw) * weight).sum().backward()
    torch.testing.assert_close(raw.grad, weight)


def test_the_use_of_codes_is_that_of_the_last_batch():
    fsq = scalars(3, 3)
    fsq.update(torch.zeros(5, 2, 1, 1), None)
    assert fsq.usage() == {"codebook_utilisation": pytest.approx(1 / 9), "codebook_perplexity": pytest.approx(1.0)}
    fsq.update(every_code(fsq), None)
    assert fsq.usage() == {"codebook_utilisation": pytest.approx(1.0), "codebook_perplexity": pytest.approx(9.0)}


def test_there_is_no_penalty():
    fsq = FiniteScalars(4, GOLDEN)
    assert fsq.penalty(fsq.posterior(torch.randn(3, 4, 2, 2)), None).tolist() == [0.0, 0.0, 0.0]


def test_levels_must_fit_the_channels_and_be_levels():
    with pytest.raises(InputError, match=r"levels: expected one number for each of the 32 latent channels, got \[8"):
        FiniteScalars(32, GOLDEN)
    with pytest.raises(InputError, match=r"levels: expected numbers of at least 2, got \[8, 1\]"):
        FsqConfig((8, 1))
    with pytest.raises(InputError, match=r"levels: expected numbers of at least 2, got \[\]"):
        FsqConfig(())
