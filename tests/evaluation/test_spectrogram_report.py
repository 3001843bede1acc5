"""The block of a method: its keys, the floor of real against real, and intervals around what was measured."""

from dataclasses import replace

import numpy as np
import pytest

from echoes import seeds
from echoes.evaluation import halves, spectrogram_report
from echoes.evaluation.spectrogram_report import Classified
from echoes.evaluation.spectrograms import Motion

KINDS = ("user", "activity")
DISTANCES = ("frechet", "kid", "envelope_w1_mps", "torso_w1_mps", "bandwidth_w1_mps", "cadence_w1_hz")
MANIFOLD = ("precision", "recall", "density", "coverage")


def judged(count: int, purpose: str, shift: float = 0.0, right: float = 0.9) -> Classified:
    """Spectrograms of 2 users and 3 activities, `shift` from the real ones in features and velocity."""
    rng = seeds.rng(0, purpose)
    labels = np.stack([np.arange(count) % 2, np.arange(count) // 2 % 3], axis=1)
    features = rng.normal(size=(count, 4)) + labels[:, :1] + shift
    predictions = np.where(rng.random(labels.shape) < right, labels, (labels + 1) % 2)
    speed = labels[:, 1:] + rng.normal(scale=0.1, size=(count, 16)) + shift
    motion = Motion(speed - 1, speed + 1, speed, np.full((count, 16), 0.3 + abs(shift)), 1 + labels[:, 1] + shift)
    return Classified(labels, features, predictions, motion)


def report(method: Classified, real: Classified, resamples: int = 50) -> dict[str, float | None]:
    first, second = halves.halves(real.labels, np.arange(len(real.labels)), seed=0)
    return spectrogram_report.block(method, second, real.take(first), KINDS, seed=0, resamples=resamples)


def test_the_block_has_the_promised_keys_in_a_stable_order():
    real = judged(60, "real")
    found = list(report(real, real, resamples=5))
    accuracies = ("user_accuracy", "activity_accuracy")
    order = [*DISTANCES[:2], *MANIFOLD, *accuracies, *DISTANCES[2:]]
    assert found == [f"{k}{end}" for k in order for end in ("", "_lo", "_hi") if not end or k not in MANIFOLD]


def test_every_interval_holds_what_was_measured():
    real = judged(120, "real")
    for method in (real, judged(120, "generated", shift=0.3)):
        found = report(method, real)
        for key in [key for key in found if f"{key}_lo" in found]:
            assert found[f"{key}_lo"] <= found[key] <= found[f"{key}_hi"], key


def test_generated_spectrograms_that_are_off_are_further_than_the_real_floor():
    real = judged(240, "real")
    floor, same, off = (report(m, real) for m in (real, judged(240, "same"), judged(240, "off", shift=0.8, right=0.5)))
    for key in DISTANCES:
        assert off[key] > off[f"{key}_lo"] > floor[key], key
        assert same[key] < floor[f"{key}_hi"] + 0.05, key
    assert off["envelope_w1_mps"] == pytest.approx(0.8, abs=0.05)
    assert off["user_accuracy"] < 0.8 < floor["user_accuracy"]
    assert off["coverage"] < floor["coverage"]


def test_accuracies_are_over_every_spectrogram_of_the_method():
    real = judged(60, "real")
    first, _ = halves.halves(real.labels, np.arange(60), seed=0)
    predictions = real.labels.copy()
    predictions[first] = (predictions[first] + 1) % 2  # wrong, where the distances do not look
    found = report(replace(real, predictions=predictions), real)
    assert found["user_accuracy"] == pytest.approx(0.5)


def test_another_number_of_spectrograms_than_the_reference_has_is_refused():
    real = judged(60, "real")
    with pytest.raises(ValueError, match=r"the reference's 20, got 30"):
        spectrogram_report.block(real, np.arange(30), real.take(np.arange(20)), KINDS, seed=0, resamples=5)


def test_accuracy_has_its_interval():
    labels = np.arange(200) % 4
    predictions = np.where(np.arange(200) < 150, labels, (labels + 1) % 4)
    found = spectrogram_report.accuracy("activity_accuracy", labels, predictions, seed=0, resamples=2000)
    assert found["activity_accuracy"] == 0.75
    half = 1.96 * np.sqrt(0.75 * 0.25 / 200)
    assert found["activity_accuracy_lo"] == pytest.approx(0.75 - half, abs=0.02)
    assert found["activity_accuracy_hi"] == pytest.approx(0.75 + half, abs=0.02)
