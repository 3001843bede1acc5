"""Classifiers of evaluate: they learn what can be learned, judge each spectrogram alone, and repeat."""

import numpy as np
import pytest
import torch

from echoes import seeds
from echoes.models import evaluation_classifiers as classifiers
from echoes.training.decay import Constant, Cosine
from echoes.training.schedule import Schedule

CPU = torch.device("cpu")
CLASSES = (2, 3)
ARCHITECTURES = ("conv", "tokens")
SCHEDULE = Schedule(40, 16, 3e-3, 5, Cosine("cosine", 0.0), 0.01, 1.0, "float32", seed=0)


def spectrograms(count: int, purpose: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, 1, 32, 32) lines at a height of 2 users, that swing as 3 activities do; and their labels."""
    rng = seeds.rng(0, purpose)
    labels = np.stack([rng.integers(0, classes, count) for classes in CLASSES], axis=1)
    bins, frames = np.arange(32)[:, None], np.arange(32)
    swing = labels[:, 1, None] * 4 * np.sin(0.8 * frames + rng.uniform(0, 6, (count, 1)))
    line = 10 + 10 * labels[:, :1] + swing
    pictures = 1.5 * np.exp(-((bins - line[:, None]) ** 2) / 4) - 1
    return pictures[:, None].astype(np.float32), labels


@pytest.fixture(scope="module", params=ARCHITECTURES)
def judge(request):
    return classifiers.fit(*spectrograms(300, "train"), CLASSES, request.param, SCHEDULE, "judge", CPU)


def test_a_judge_recognises_what_it_has_not_seen(judge):
    pictures, labels = spectrograms(100, "test")
    right = (classifiers.predictions(judge, pictures) == labels).mean(axis=0)
    assert (right > 0.9).all()


def test_a_judge_forgives_a_gain_and_some_noise(judge):
    pictures, labels = spectrograms(100, "test")
    altered = pictures + 0.08 + 0.05 * seeds.rng(0, "noise").standard_normal(pictures.shape)
    assert (classifiers.predictions(judge, altered.astype(np.float32)) == labels).mean() > 0.85


def test_each_spectrogram_is_judged_alone(judge):
    pictures, _ = spectrograms(classifiers.BATCH + 5, "test")
    features, found = (
        classifiers.features(judge, pictures),
        classifiers.predictions(judge, pictures),
    )
    assert features.shape == (len(pictures), 64)
    assert found.shape == (len(pictures), 2)
    np.testing.assert_allclose(classifiers.features(judge, pictures[-3:]), features[-3:], atol=1e-5)
    np.testing.assert_array_equal(classifiers.predictions(judge, pictures[::-1].copy()), found[::-1])


def test_a_trained_judge_is_frozen(judge):
    assert not judge.training
    assert not any(parameter.requires_grad for parameter in judge.parameters())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_training_repeats_and_follows_its_name(architecture):
    data = spectrograms(40, "train")
    short = Schedule(3, 8, 1e-3, 1, Constant("constant"), 0.0, 1.0, "float32", seed=0)
    once, again, other = (classifiers.fit(*data, CLASSES, architecture, short, name, CPU) for name in ("a", "a", "b"))
    assert all(torch.equal(x, y) for x, y in zip(once.parameters(), again.parameters(), strict=True))
    assert not all(torch.equal(x, y) for x, y in zip(once.parameters(), other.parameters(), strict=True))


def test_jitter_changes_gain_and_noise_and_keeps_the_range_and_the_picture():
    pictures, _ = spectrograms(50, "train")
    altered = classifiers.jittered(pictures, seeds.rng(0, "jitter"))
    assert altered.dtype == np.float32
    assert np.abs(altered).max() <= 1
    assert (np.abs(altered - pictures).max(axis=(1, 2, 3)) > 0).all()
    for before, after in zip(pictures, altered, strict=True):
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.8


def test_the_loss_is_per_spectrogram_and_summed_over_kinds():
    judge = classifiers.build("conv", (1, 32, 32), CLASSES).eval()
    pictures, labels = (torch.from_numpy(part) for part in spectrograms(6, "train"))
    both = classifiers.loss(judge, pictures, labels)
    assert both.shape == (6,)
    parts = [logits.log_softmax(dim=1) for logits in judge(pictures)]
    smooth = [(1 - 0.05) * -p.gather(1, labels[:, [i]])[:, 0] - 0.05 * p.mean(dim=1) for i, p in enumerate(parts)]
    torch.testing.assert_close(both, smooth[0] + smooth[1])
