"""The loop: what a step sees depends on the seed, the stage and the step alone."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from echoes import params, terms
from echoes.errors import InputError
from echoes.training import loop, microbatches
from echoes.training.decay import Constant, Cosine
from echoes.training.schedule import Schedule
from trainings import schedule as stage_schedule

SCHEDULE = Schedule(
    steps=12,
    batch=4,
    lr=0.05,
    warmup=3,
    decay=Cosine("cosine", 0.0),
    weight_decay=0.01,
    clip=1.0,
    precision="float32",
    seed=0,
)
FRAMES = np.arange(10)
DATA = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))


def plain(part):
    return DATA[part.frames]


def fit(schedule=SCHEDULE, name="train", between=lambda step: None, loss=None, load=None):
    """The weights and losses after training a small network with dropout and noise."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Dropout(0.3), nn.Linear(8, 3))

    def default(batch):
        return ((module(batch + 0.1 * torch.randn_like(batch)) - batch) ** 2).mean(1)

    losses = []
    loading = load or plain
    for step, value in loop.train(name, module, loading, loss or default, FRAMES, schedule):
        assert step == len(losses)
        losses.append(value["loss"])
        between(step)
    return b"".join(p.detach().numpy().tobytes() for p in module.parameters()), losses


def test_the_same_seed_gives_the_same_bytes_and_another_seed_or_stage_does_not():
    weights, losses = fit()
    assert fit() == (weights, losses)
    assert fit(replace(SCHEDULE, seed=1))[0] != weights
    assert fit(name="other")[0] != weights


def test_what_happens_between_the_steps_changes_nothing():
    def disturb(step):
        torch.randn(step + 5)
        np.random.seed(step)  # noqa: NPY002
        torch.manual_seed(step)

    assert fit(between=disturb) == fit()


def test_a_longer_training_begins_like_a_shorter_one():
    constant = replace(SCHEDULE, decay=Constant("constant"))
    assert fit(replace(constant, steps=5))[1] == fit(constant)[1][:5]


@given(st.integers(1, 40), st.integers(2, 9), st.integers(0, 3))
def test_every_epoch_visits_every_sample_once(count, batch, seed):
    schedule = replace(SCHEDULE, batch=batch, seed=seed)
    steps = 3 * count  # whole epochs, whatever the batch
    visited = np.concatenate([microbatches.samples(step, count, schedule, "train") for step in range(steps)])
    epochs = visited.reshape(-1, count)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(count), (len(epochs), 1)))


def test_epochs_come_in_orders_of_their_own_which_seed_and_stage_decide():
    schedule = replace(SCHEDULE, batch=50)
    orders = [microbatches.samples(step, 50, schedule, "train").tolist() for step in range(3)]
    orders += [microbatches.samples(0, 50, schedule, "other").tolist()]
    orders += [microbatches.samples(0, 50, replace(schedule, seed=1), "train").tolist()]
    assert len({tuple(order) for order in orders}) == len(orders)
    assert microbatches.samples(2, 50, schedule, "train").tolist() == orders[2]


def test_the_loader_is_asked_for_each_step_once_in_order():
    asked = []

    def load(part):
        asked.append((part.step, part.frames.tolist()))
        return DATA[part.frames]

    fit(load=load)
    expected = [(k, microbatches.samples(k, len(DATA), SCHEDULE, "train").tolist()) for k in range(12)]
    assert asked == expected


def test_an_error_of_the_loader_comes_through():
    def load(part):
        if part.step == 2:
            raise InputError("frame 7 is broken")
        return DATA[part.frames]

    with pytest.raises(InputError, match="frame 7 is broken"):
        fit(load=load)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_at_its_step(value):
    module, seen = nn.Linear(3, 1), []

    def loss(batch):
        return module(batch).flatten() * (value if len(seen) == 3 else 1.0)

    def run():
        for step, _ in loop.train("train", module, lambda part: plain(part).abs(), loss, FRAMES, SCHEDULE):
            seen.append(step)

    with pytest.raises(FloatingPointError, match=rf"^the loss is -?{value} at step 3, of frames \d+, \d+, \d+, \d+$"):
        run()
    assert seen == [0, 1, 2]
    assert all(torch.isfinite(p).all() for p in module.parameters())


def test_the_gradient_is_clipped_and_frozen_weights_stay():
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[0].requires_grad_(False)
    before = module[0].weight.clone()
    steps = loop.train("train", module, plain, lambda b: 100 * (module(b) - 5).pow(2).sum(1), FRAMES, SCHEDULE)
    for _ in steps:
        norm = sum(p.grad.pow(2).sum() for p in module[1].parameters()) ** 0.5
        assert norm.item() == pytest.approx(1.0, rel=1e-3)
    assert torch.equal(module[0].weight, before)


def test_the_loss_falls():
    schedule = replace(SCHEDULE, steps=200, warmup=10)
    losses = fit(schedule)[1]
    assert np.mean(losses[-20:]) < 0.6 * np.mean(losses[:5])


def test_a_module_that_comes_in_evaluation_trains_in_training():
    module = nn.Linear(3, 1).eval()
    next(loop.train("train", module, plain, lambda b: module(b).flatten() ** 2, FRAMES, SCHEDULE))
    assert module.training


def test_the_optimizer_takes_the_learning_rate_of_the_step():
    """Adam's first step is the learning rate, whatever the gradient."""
    module = nn.Linear(3, 1, bias=False)
    before = module.weight.detach().clone()
    schedule = replace(SCHEDULE, weight_decay=0.0, lr=0.3)
    next(loop.train("train", module, lambda part: plain(part).abs(), lambda b: module(b).flatten(), FRAMES, schedule))
    torch.testing.assert_close(before - module.weight.detach(), torch.full((1, 3), 0.1), rtol=1e-3, atol=0)


def test_the_loop_asks_for_the_learning_rate_of_each_step_and_tells_it():
    module, found = nn.Linear(3, 1, bias=False), []
    schedule = replace(SCHEDULE, weight_decay=0.0, steps=3)
    rate = lambda step: 0.1 * (step + 1)
    loss = lambda batch: module(batch).flatten()
    for step, numbers in loop.train("t", module, lambda p: plain(p).abs(), loss, FRAMES, schedule, None, rate):
        found.append((step, numbers["lr"]))
    assert found == [(0, rate(0)), (1, rate(1)), (2, rate(2))]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_terms_that_a_loss_notes_are_told_as_means_over_the_batch(accumulate):
    """Whatever the parts in which it is computed; what a loss notes where nobody listens is lost."""
    module = nn.Linear(3, 1)
    schedule = stage_schedule(steps=2, batch=5, accumulate=accumulate)

    def loss(batch):
        square, line = module(batch).flatten() ** 2, batch.mean(1)
        terms.note(square=square)
        with terms.within("other", 0.5):
            terms.note(line=line)
        return square + 0.5 * line

    loss(DATA)
    for step, numbers in loop.train("train", module, plain, loss, FRAMES, schedule):
        seen = DATA[microbatches.samples(step, len(DATA), schedule, "train")]
        assert set(numbers) == {"loss", "loss_square", "loss_other_line", "lr"}
        assert numbers["loss_other_line"] == pytest.approx(0.5 * seen.mean().item(), abs=1e-6)
        assert numbers["loss_square"] + numbers["loss_other_line"] == pytest.approx(numbers["loss"], abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 1}, "batch: expected at least 2, got 1"),
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"precision": "half"}, "precision: expected one of auto, bfloat16, float16, float32, got 'half'"),
    ],
)
def test_a_schedule_that_cannot_run_is_refused(change, message):
    with pytest.raises(InputError, match=f"^radar.vae.{message}$"):
        params.build(Schedule, {**asdict(SCHEDULE), **change}, "radar.vae")
