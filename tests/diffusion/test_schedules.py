"""Noise levels: those of the paper, those even in flow time, and steps of a table."""

from itertools import pairwise

import pytest
import torch

from diffusion import known
from echoes import params
from echoes.diffusion.flow import Flow
from echoes.diffusion.schedules import SigmaRange, karras_sigmas, schedule
from echoes.errors import InputError

N18 = """80 57.58598472 40.78557380 28.37458460 19.35245298 12.91008238 8.400935309 5.315194522 3.256821520
1.923339837 1.088170637 .5853481231 .2964422845 .1395164687 .05994731124 .02293451837 .007528019963 .002 0"""
N5 = "80 17.52783196 2.515218976 .1697527563 .002 0"
N40 = {1: 69.45094604, 2: 60.11739476, 19: 2.818392430, 22: 1.382367957, 38: 0.003676589168}


def sigmas(steps, low=0.002, high=80.0):
    return karras_sigmas(SigmaRange(steps, low, high, 7.0, "karras", 1.0))


def flow(steps, low, high, shift=1.0):
    return schedule(SigmaRange(steps, low, high, 7.0, "flow", shift), Flow())


def table(steps, spacing, low=1e-3, high=1e6):
    """Steps of the table that a schedule goes through."""
    ddpm = known.ddpm()
    found = schedule(SigmaRange(steps, low, high, 7.0, spacing, 1.0), ddpm)
    assert found[-1] == 0
    return [round(step) for step in ddpm.step(found[:-1]).tolist()]


def test_the_schedule_is_the_one_of_the_paper():
    for text in (N18, N5):
        expected = [float(word) for word in text.split()]
        assert sigmas(len(expected) - 1).tolist() == pytest.approx(expected, rel=1e-9)
    for i, expected in N40.items():
        assert sigmas(40)[i].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("spacing", ["karras", "flow"])
@pytest.mark.parametrize("name", known.ALL)
def test_a_schedule_falls_from_its_exact_start_to_its_exact_end_and_then_to_zero(spacing, name):
    for low, high in ((0.002, 80.0), (0.004, 160.0), (0.0123, 7.7)):
        for shift in (1.0,) if spacing == "karras" else (0.3, 1.0, 3.0):
            levels = SigmaRange(18, low, high, 7.0, spacing, shift)
            found = schedule(levels, known.ALL[name]).tolist()
            assert len(found) == 19
            assert (found[0], found[-2], found[-1]) == (high, low, 0.0)
            assert all(a > b for a, b in pairwise(found))


def test_flow_levels_are_even_in_time():
    time = 1 / (1 + flow(9, 1 / 9, 9.0))
    torch.testing.assert_close(time, torch.arange(1, 11, dtype=torch.float64) / 10)


def test_a_shift_moves_every_level_by_the_known_time_and_leaves_the_ends():
    """Nearly the whole way from t = 0 to 1 in steps of 1/4, with the values of the timestep shift of 0.3."""
    time = 1 / (1 + flow(5, 1e-9, 1e9, 0.3)[:-1])
    assert time.tolist() == pytest.approx([0.0, 0.09090909, 0.23076923, 0.47368421, 1.0], abs=1e-8)
    torch.testing.assert_close(flow(5, 1e-9, 1e9, 0.3)[1:4], flow(5, 1e-9, 1e9)[1:4] / 0.3, rtol=1e-6, atol=0)


def test_steps_of_the_table_are_spaced_as_their_names_say():
    assert table(50, "leading") == list(range(980, -1, -20))
    assert table(50, "trailing") == list(range(999, 0, -20))
    linspace = table(50, "linspace")
    assert (linspace[0], linspace[-1], len(linspace)) == (999, 0, 50)
    assert {a - b for a, b in pairwise(linspace)} == {20, 21}
    for spacing in ("leading", "trailing", "linspace"):
        assert table(1000, spacing) == list(range(999, -1, -1))


def test_steps_outside_of_the_range_are_not_used():
    ddpm = known.ddpm()
    low, high = ddpm.sigmas[100].item(), ddpm.sigmas[899].item()
    assert table(40, "trailing", low, high) == list(range(899, 100, -20))
    assert table(40, "leading", low, high) == list(range(880, 99, -20))


def test_a_table_with_fewer_steps_than_asked_and_a_parameterization_without_one_are_refused():
    with pytest.raises(InputError, match=r"^steps: expected at most the \d+ steps of DDPM between low and high, got 9"):
        table(900, "leading", 0.5, 2.0)
    with pytest.raises(InputError, match=r"^spacing: expected karras or flow, .* got trailing$"):
        schedule(SigmaRange(10, 0.002, 80.0, 7.0, "trailing", 1.0), known.edm())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 1}, r"steps: expected at least 2, got 1"),
        ({"low": 0.0}, r"low: expected between 0 and high = 80.0, got 0.0"),
        ({"low": 90.0}, r"low: expected between 0 and high = 80.0, got 90.0"),
        ({"rho": 0.0}, r"rho: expected more than 0, got 0.0"),
        ({"shift": 0.0}, r"shift: expected more than 0, got 0.0"),
        ({"shift": 0.3}, r"shift: expected 1 with the spacing karras, got 0.3"),
    ],
)
def test_a_range_without_a_schedule_is_refused(change, message):
    section = {"steps": 18, "low": 0.002, "high": 80.0, "rho": 7.0, "spacing": "karras", "shift": 1.0, **change}
    with pytest.raises(InputError, match=f"^radar.cd.sigmas.{message}$"):
        params.build(SigmaRange, section, "radar.cd.sigmas")
