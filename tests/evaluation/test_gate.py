"""The gate: known weights come back, what does not help is left out, and nothing seen trusts the first input."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit

from echoes import params, seeds
from echoes.errors import InputError
from echoes.evaluation.bands import BANDS_M
from echoes.evaluation.gate import Band, Gate, Samples, _gains, _weighted, fit, join

INPUTS = ("regression", "sample", "return")
PRIOR = (1.0, 0.0, 0.0)
RIDGE = 1.0


def probability(gate, logits, band):
    """(M,) that cells of these logits (M, K) and range bands (M,) are occupied."""
    weights = np.array([gate.bands[b].weights for b in band])
    return expit((weights * logits).sum(axis=1) + np.array([gate.bands[b].bias for b in band]))


def held_out_gain(samples, ridge):
    """(bands, K) how much each input adds to all the others on stretches left out, and its standard error."""
    every = list(range(samples.logits.shape[1]))
    bands = [_weighted(samples.take(samples.band == i)) for i in range(len(BANDS_M))]
    gains, errors = zip(*(_gains(here, every, ridge) for here in bands), strict=True)
    return np.array(gains), np.array(errors)


def simulated(
    weights: tuple[float, ...], bias: float, count: int, purpose: str, band: int = 0, blocks: int = 8
) -> Samples:
    """Cells that are occupied as a gate of these weights says: two logits and a 0 or 1 that often comes with them."""
    rng = seeds.rng(0, "gate", purpose)
    regression = rng.normal(-1.0, 2.0, count)
    sample = 0.5 * regression + rng.normal(0.0, 1.5, count)
    evidence = rng.random(count) < expit(regression)
    logits = np.column_stack([regression, sample, evidence.astype(float)])
    occupied = rng.random(count) < expit(logits @ np.array(weights) + bias)
    return Samples(logits, occupied, np.full(count, band), np.ones(count), np.arange(count) * blocks // count)


def standard_errors(samples: Samples, weights: tuple[float, ...], bias: float) -> np.ndarray:
    """Of weights and bias, from the Fisher information of the cells."""
    design = np.column_stack([samples.logits, np.ones(len(samples.logits))])
    p = expit(design @ np.array([*weights, bias]))
    return np.sqrt(np.diag(np.linalg.inv((design * (samples.weight * p * (1 - p))[:, None]).T @ design)))


def found(gate: Gate, band: int = 0) -> np.ndarray:
    return np.array([*gate.bands[band].weights, gate.bands[band].bias])


@pytest.mark.parametrize(
    ("weights", "bias"), [((0.7, 0.4, 1.2), -0.5), ((1.5, 0.2, 0.5), 1.0), ((0.3, 0.9, 2.0), -2.0)]
)
def test_known_weights_come_back_within_their_errors(weights, bias):
    samples = simulated(weights, bias, 20_000, "recovery")
    gap = found(fit(samples, INPUTS, RIDGE)) - [*weights, bias]
    assert (abs(gap) < 4 * standard_errors(samples, weights, bias)).all()


def test_weights_are_those_of_another_optimizer():
    samples = simulated((0.7, 0.4, 1.2), -0.5, 3000, "optimum")
    design = np.column_stack([samples.logits, np.ones(3000)])
    prior = np.array([1.0, 0.0, 0.0, 0.0])

    def loss(theta):
        sign = np.where(samples.occupied, -1, 1)
        return np.logaddexp(0, sign * (design @ theta)).sum() + 5.0 / 2 * ((theta - prior) ** 2).sum()

    expected = minimize(loss, prior, method="BFGS", options={"gtol": 1e-4}).x
    np.testing.assert_allclose(found(fit(samples, INPUTS, 5.0)), expected, atol=1e-5)


def test_without_a_helpful_input_the_probability_is_the_share_of_occupied_cells():
    rng = seeds.rng(0, "gate", "share")
    occupied = rng.random(4000) < 0.2
    against = np.where(occupied, -1.0, 1.0)[:, None] + rng.normal(0, 1, (4000, 1))
    gate = fit(Samples(against, occupied, np.zeros(4000, int), np.ones(4000), np.arange(4000) % 5), ("wrong",), 1e-6)
    assert found(gate) == pytest.approx([0.0, logit(occupied.mean())])
    assert not gate.used("0-20m", "wrong")


def test_a_useless_input_is_dropped_and_the_others_are_kept():
    kept = []
    for i in range(10):
        gate = fit(simulated((0.8, 0.0, 1.0), -0.5, 4000, f"useless {i}"), INPUTS, RIDGE)
        assert gate.used("0-20m", "regression")
        assert gate.used("0-20m", "return")
        kept.append(gate.used("0-20m", "sample"))
    assert sum(kept) <= 2


def test_a_gain_of_less_than_its_standard_error_is_none():
    chances = 0
    for i in range(12):
        samples = simulated((0.8, 0.06, 1.0), -0.5, 1000, f"chance {i}")
        gains, errors = held_out_gain(samples, RIDGE)
        if 0 < gains[0, 1] < errors[0, 1]:
            chances += 1
            assert not fit(samples, INPUTS, RIDGE).used("0-20m", "sample")
    assert chances


def test_an_input_of_negative_weight_is_dropped_and_the_rest_fitted_without_it():
    samples = simulated((0.8, -0.5, 1.0), -0.5, 8000, "negative")
    gate = fit(samples, INPUTS, RIDGE)
    assert gate.bands[0].weights[1] == 0.0
    without = replace(samples, logits=samples.logits[:, [0, 2]])
    np.testing.assert_allclose(found(gate)[[0, 2, 3]], found(fit(without, ("regression", "return"), RIDGE)))


def test_of_two_equal_inputs_one_is_used():
    samples = simulated((0.8, 0.0, 1.0), -0.5, 4000, "equal")
    samples.logits[:, 1] = samples.logits[:, 0]
    assert [fit(samples, INPUTS, RIDGE).used("0-20m", name) for name in INPUTS] == [True, False, True]


def test_an_input_that_helps_on_one_stretch_and_misleads_on_the_others_is_dropped():
    samples = simulated((0.8, 0.0, 0.0), -0.5, 8000, "one stretch", blocks=4)
    rng = seeds.rng(0, "gate", "stretch signal")
    right = np.where(samples.occupied, 2.0, -2.0)
    samples.logits[:, 1] = np.where(samples.block == 0, right, rng.normal(0, 2, 8000))
    pooled = fit(replace(samples, block=np.arange(8000) % 4), INPUTS, RIDGE)  # neighbours on both sides
    assert pooled.used("0-20m", "sample")
    gains, errors = held_out_gain(samples, RIDGE)
    assert gains[0, 1] < errors[0, 1]
    assert not fit(samples, INPUTS, RIDGE).used("0-20m", "sample")


def test_the_gain_of_the_only_input_is_that_of_its_model_over_the_share_of_occupied_cells():
    samples = simulated((1.0, 0.0, 0.0), 0.0, 6000, "gain", blocks=6)
    alone = replace(samples, logits=samples.logits[:, :1])
    gains, errors = held_out_gain(alone, 1e-6)
    p, share = expit(alone.logits[:, 0]), samples.occupied.mean()
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    expected = entropy + np.mean(p * np.log(p) + (1 - p) * np.log1p(-p))
    assert gains.shape == errors.shape == (len(BANDS_M), 1)
    assert gains[0, 0] == pytest.approx(expected, abs=4 * errors[0, 0])
    assert errors[0, 0] < gains[0, 0] / 5
    assert np.isnan(gains[1:]).all()


def test_the_error_of_a_gain_is_the_spread_of_equal_stretches_by_hand():
    samples = simulated((1.0, 0.0, 0.0), 0.0, 3000, "error", blocks=3)
    alone = replace(samples, logits=samples.logits[:, :1])
    each = []
    for block in range(3):
        rest, held_out = alone.take(alone.block != block), alone.take(alone.block == block)
        weight, bias = found(fit(rest, ("only",), RIDGE))
        z = weight * held_out.logits[:, 0] + bias
        base = found(fit(replace(rest, logits=np.zeros((2000, 1))), ("none",), RIDGE))[-1]
        surprise = [np.logaddexp(0, np.where(held_out.occupied, -value, value)).mean() for value in (z, base)]
        each.append(surprise[1] - surprise[0])
    gains, errors = held_out_gain(alone, RIDGE)
    assert gains[0, 0] == pytest.approx(np.mean(each))
    assert errors[0, 0] == pytest.approx(np.std(each, ddof=1) / np.sqrt(3))


def test_each_band_has_its_own_weights_and_one_without_cells_trusts_the_first_input():
    near, far = simulated((0.3, 0.9, 1.0), -1.0, 8000, "near", 0), simulated((1.2, 0.0, 0.0), 0.5, 8000, "far", 2)
    gate = fit(join([near, far]), INPUTS, RIDGE)
    np.testing.assert_array_equal(found(gate), found(fit(near, INPUTS, RIDGE)))
    np.testing.assert_array_equal(found(gate, 2), found(fit(far, INPUTS, RIDGE), 2))
    assert gate.bands[1] == Band("20-40m", PRIOR, 0.0)
    logits = np.array([[-1.5, 9.0, 1.0], [2.0, -9.0, 0.0]])
    np.testing.assert_allclose(probability(gate, logits, np.array([1, 1])), expit([-1.5, 2.0]))


def test_a_few_cells_move_the_gate_a_little_and_one_stretch_shows_nothing_but_the_first_input():
    few = simulated((0.2, 1.5, 2.0), -2.0, 12, "few", blocks=1)
    gate = fit(few, INPUTS, 1000.0)
    np.testing.assert_allclose(found(gate), [1.0, 0.0, 0.0, 0.0], atol=0.05)
    assert not gate.used("0-20m", "sample")
    assert np.isnan(held_out_gain(few, RIDGE)[0]).all()


def test_cells_that_can_be_separated_have_finite_weights():
    x = np.linspace(-3, 3, 200)[:, None] * 50
    gate = fit(Samples(x, x[:, 0] > 0, np.zeros(200, int), np.ones(200), np.arange(200) % 2), ("exact",), RIDGE)
    assert np.isfinite(found(gate)).all()
    assert gate.used("0-20m", "exact")


def test_a_weight_is_a_number_of_cells():
    samples = simulated((0.7, 0.4, 1.2), -0.5, 1500, "weights")
    times = seeds.rng(0, "gate", "times").integers(0, 4, 1500)
    repeated = samples.take(np.repeat(np.arange(1500), times))
    np.testing.assert_allclose(
        found(fit(replace(samples, weight=times), INPUTS, RIDGE)), found(fit(repeated, INPUTS, RIDGE)), rtol=1e-5
    )


def test_drawn_cells_give_the_weights_of_all():
    samples = simulated((0.7, 0.4, 1.2), -3.0, 40_000, "drawn")
    one_in_four = seeds.rng(0, "gate", "draw").random(len(samples.occupied)) < 0.25
    drawn = np.flatnonzero(samples.occupied | one_in_four)
    weight = np.where(samples.occupied[drawn], 1.0, 4.0)
    part = replace(samples.take(drawn), weight=weight)
    gap = found(fit(part, INPUTS, RIDGE)) - found(fit(samples, INPUTS, RIDGE))
    assert (abs(gap) < 3 * standard_errors(samples, (0.7, 0.4, 1.2), -3.0)).all()


WEIGHTS = st.lists(st.floats(0, 3), min_size=3, max_size=3).map(tuple)
LOGITS = st.lists(st.floats(-20, 20), min_size=3, max_size=3)


@given(st.lists(WEIGHTS, min_size=3, max_size=3), LOGITS, st.floats(0, 10), st.integers(0, 2), st.integers(0, 2))
def test_no_probability_falls_where_a_logit_rises_and_an_unused_one_changes_nothing(weights, logits, rise, which, band):
    gate = Gate(INPUTS, tuple(Band(name, w, -0.5) for name, w in zip(BANDS_M, weights, strict=True)))
    raised = np.array([logits, logits])
    raised[1, which] += rise
    low, high = probability(gate, raised, np.array([band, band]))
    assert low <= high
    if not gate.used(list(BANDS_M)[band], INPUTS[which]):
        assert low == high


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_no_weight_is_ever_below_zero_and_the_order_of_cells_does_not_matter(number):
    rng = seeds.rng(0, "gate", "random", number)
    weights = tuple(rng.normal(0, 1, 3))
    samples = simulated(weights, rng.normal(), 600, f"order {number}", blocks=3)
    gate = fit(samples, INPUTS, RIDGE)
    assert min(gate.bands[0].weights) >= 0
    mixed = fit(samples.take(rng.permutation(600)), INPUTS, RIDGE)
    np.testing.assert_allclose(found(mixed), found(gate), atol=1e-6)


def test_each_cell_has_the_weights_of_its_band():
    gate = Gate(
        ("only",), tuple(Band(n, (w,), b) for n, w, b in zip(BANDS_M, (1.0, 2.0, 0.0), (0, 1, -1), strict=True))
    )
    p = probability(gate, np.full((3, 1), 0.5, np.float32), np.array([2, 0, 1]))
    np.testing.assert_allclose(p, expit([-1.0, 0.5, 2.0]))


def test_a_gate_survives_json():
    gate = fit(simulated((0.7, 0.4, 1.2), -0.5, 1000, "json"), INPUTS, RIDGE)
    assert params.build(Gate, json.loads(json.dumps(asdict(gate))), "gate") == gate


def test_a_gate_that_does_not_fit_is_refused():
    bands = [{"name": name, "weights": list(PRIOR), "bias": 0.0} for name in BANDS_M]
    with pytest.raises(InputError, match=r"gate.bands: expected 0-20m, 20-40m, 40\+m, got 0-20m"):
        params.build(Gate, {"inputs": list(INPUTS), "bands": bands[:1]}, "gate")
    with pytest.raises(InputError, match="expected 2 weights of at least 0 in 0-20m"):
        params.build(Gate, {"inputs": list(INPUTS)[:2], "bands": bands}, "gate")
    bands[1]["weights"] = [1.0, -0.1, 0.0]
    with pytest.raises(InputError, match="at least 0 in 20-40m"):
        params.build(Gate, {"inputs": list(INPUTS), "bands": bands}, "gate")


def test_samples_that_do_not_fit_are_refused():
    samples = simulated((1.0, 0.0, 0.0), 0.0, 20, "refused")
    with pytest.raises(ValueError, match="expected 3 names"):
        fit(samples, INPUTS[:2], RIDGE)
    with pytest.raises(ValueError, match="ridge of 0"):
        fit(samples, INPUTS, 0.0)
    samples.logits[3, 1] = np.inf
    with pytest.raises(ValueError, match="finite"):
        fit(samples, INPUTS, RIDGE)
