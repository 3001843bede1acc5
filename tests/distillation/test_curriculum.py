"""Pairs of noise levels are neighbours of the schedule, all of them equally often."""

import torch

from echoes.diffusion.schedules import SigmaRange, karras_sigmas
from echoes.distillation import curriculum

SIGMAS = karras_sigmas(SigmaRange(18, 0.004, 160.0, 7.0, "karras", 1.0))[:-1].float()


def test_every_pair_of_neighbours_comes_equally_often_and_no_other():
    torch.manual_seed(0)
    high, low = curriculum.neighbours(SIGMAS, 17_000)
    above = (SIGMAS[:, None] == high).float().argmax(0)
    assert torch.equal(SIGMAS[above], high)
    assert torch.equal(SIGMAS[above + 1], low)
    counts = torch.bincount(above, minlength=17)
    assert len(counts) == 17
    assert (counts - 1000).abs().max() < 150  # five standard deviations


def test_the_lowest_level_is_the_boundary_bit_for_bit():
    assert SIGMAS[-1].item() == torch.tensor(0.004).item()
