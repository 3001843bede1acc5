"""Learning rates beside those of torch's schedulers, and what a plateau is."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from echoes import params
from echoes.errors import InputError
from echoes.training.decay import Decay
from echoes.training.rate import LearningRate, learning_rate
from echoes.training.schedule import StageSchedule
from trainings import SCHEDULE, schedule

STEPS, LR = 50, 0.3
DECAYS = {
    "constant": {"kind": "constant"},
    "cosine": {"kind": "cosine", "floor": 0.1},
    "linear": {"kind": "linear", "floor": 0.2},
    "step": {"kind": "step", "every": 7, "factor": 0.4, "floor": 0.0},
    "exponential": {"kind": "exponential", "floor": 0.01},
    "one_cycle": {"kind": "one_cycle", "rise": 0.3, "start": 0.04, "floor": 0.0004},
    "plateau": {"kind": "plateau", "factor": 0.5, "patience": 2, "threshold": 0.01, "floor": 0.05},
}
OF_TORCH = {
    "constant": lambda o: lr_scheduler.ConstantLR(o, factor=1.0),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.1 * LR),
    "linear": lambda o: lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.2, total_iters=STEPS),
    "step": lambda o: lr_scheduler.StepLR(o, step_size=7, gamma=0.4),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, gamma=0.01 ** (1 / STEPS)),
    "one_cycle": lambda o: lr_scheduler.OneCycleLR(
        o, LR, total_steps=STEPS, pct_start=0.3, div_factor=25, final_div_factor=100, cycle_momentum=False
    ),
}


def of(kind, warmup=0, **changes):
    decay = {**DECAYS[kind], **changes}
    return schedule(steps=STEPS, lr=LR, warmup=warmup, decay=decay)


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)


@pytest.mark.parametrize("kind", OF_TORCH)
def test_the_learning_rate_of_every_step_is_that_of_torchs_scheduler(kind):
    reference = optimizer()
    scheduler = OF_TORCH[kind](reference)
    expected = []
    for _ in range(STEPS):
        expected.append(reference.param_groups[0]["lr"])
        reference.step()
        scheduler.step()
    assert [learning_rate(step, of(kind)) for step in range(STEPS)] == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=40))
def test_a_plateau_lowers_the_learning_rate_when_torchs_scheduler_does(errors):
    reference, rate = optimizer(), LearningRate(of("plateau"))
    scheduler = lr_scheduler.ReduceLROnPlateau(
        reference, factor=0.5, patience=2, threshold=0.01, min_lr=0.05 * LR, eps=0.0
    )
    for step, error in enumerate(errors):
        scheduler.step(error)
        rate.measured(error)
        assert rate(step) == pytest.approx(reference.param_groups[0]["lr"], rel=1e-9)


def test_a_plateau_ends_at_its_floor_and_its_state_survives_json():
    rate = LearningRate(of("plateau"))
    assert rate.state()["best"] is None  # JSON has no infinity
    for error in [1.0] * 30:
        rate.measured(error)
        again = LearningRate(of("plateau"))
        again.restore({}, rate.state())
        assert (again.state(), again(0)) == (rate.state(), rate(0))
    assert rate(0) == pytest.approx(0.05 * LR)


def test_measurements_lower_no_other_learning_rate():
    rate = LearningRate(of("cosine"))
    for _ in range(30):
        rate.measured(1.0)
    assert [rate(step) for step in range(STEPS)] == [learning_rate(step, of("cosine")) for step in range(STEPS)]


@pytest.mark.parametrize("kind", sorted(DECAYS.keys() - {"one_cycle"}))
def test_the_warmup_rises_linearly_to_what_follows_it(kind):
    plain, warm = of(kind), of(kind, warmup=10)
    for step in range(STEPS):
        expected = min(1, (step + 1) / 10) * learning_rate(step, plain)
        assert learning_rate(step, warm) == pytest.approx(expected, rel=1e-12)


def test_a_cosine_without_a_floor_is_to_the_bit_what_it_was_before_it_could_have_one():
    p = of("cosine", warmup=10, floor=0.0)
    for step in range(STEPS):
        before = p.lr * min(1.0, (step + 1) / 10) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        assert learning_rate(step, p) == before


def test_steps_stop_at_their_floor():
    found = [learning_rate(step, of("step", floor=0.1)) / LR for step in range(STEPS)]
    assert found[::7] == pytest.approx([1.0, 0.4, 0.16, 0.1, 0.1, 0.1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decay": "cosine"}, r"decay: expected \{kind: cosine, floor: \.\.\.\}, got 'cosine'"),
        ({"decay": "constant"}, r"decay: expected \{kind: constant\}, got 'constant'"),
        ({"decay": {"kind": "polynomial"}}, "decay.kind: expected one of .*one_cycle, plateau, got 'polynomial'"),
        ({"decay": {**DECAYS["step"], "factor": 1.0}}, "decay.factor: expected more than 0 and less than 1, got 1.0"),
        (
            {"decay": {**DECAYS["exponential"], "floor": 0.0}},
            "decay.floor: expected more than 0 and at most 1, got 0.0",
        ),
        ({"decay": {**DECAYS["cosine"], "every": 3}}, "decay.every: unknown; .*decay takes kind, floor"),
        ({"decay": DECAYS["one_cycle"]}, "warmup: expected 0 where decay.kind is one_cycle, which rises itself, got 3"),
        (
            {"decay": DECAYS["plateau"], "validation": {"every": 0, "patience": 0, "keep": "last"}},
            "decay.kind: expected another one where validation.every is 0, got plateau",
        ),
    ],
)
def test_a_decay_that_cannot_be_is_refused_in_one_line(change, message):
    with pytest.raises(InputError, match=rf"^toy\.net\.{message}$"):
        params.build(StageSchedule, {**SCHEDULE, **change}, "toy.net")


@pytest.mark.parametrize("value", [-0.1, 1.1])
@pytest.mark.parametrize("kind", ["cosine", "linear", "step", "exponential", "one_cycle", "plateau"])
def test_a_floor_is_a_share(kind, value):
    with pytest.raises(InputError, match=r"^decay\.floor: expected .* 1, got "):
        params.build(Decay, {**DECAYS[kind], "floor": value}, "decay")
