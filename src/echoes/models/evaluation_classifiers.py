"""The classifiers that spectrograms are measured with: trained on some and their labels, then frozen."""

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from echoes import seeds
from echoes.compute.device import device_of
from echoes.nets.classifiers import Classifier, ConvClassifier, TokenClassifier
from echoes.training.loop import train
from echoes.training.microbatches import MicroBatch
from echoes.training.schedule import Schedule

Architecture = Literal["conv", "tokens"]
# (B, C, F, T) of a part of a batch -> the same, altered.
Alter = Callable[[np.ndarray, MicroBatch], np.ndarray]

CONV_WIDTH, TOKEN_WIDTH = 16, 64
GAIN = 0.1  # most that a spectrogram gets brighter or darker in training, in network range
NOISE = 0.1  # most deviation of the noise added in training: a judge must not live on the exact floor of real ones
SMOOTHING = 0.05
BATCH = 64


class Pictures(Protocol):
    """(N, C, F, T) spectrograms in network range, of any precision: an array, or what reads those that are wanted."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, places: np.ndarray, /) -> np.ndarray: ...


def fit(
    spectrograms: Pictures,
    labels: np.ndarray,
    classes: tuple[int, ...],
    architecture: Architecture,
    schedule: Schedule,
    name: str,
    device: torch.device,
) -> Classifier:
    """The same as `fit_altered`, with `jittered` spectrograms."""

    def jitter(x: np.ndarray, part: MicroBatch) -> np.ndarray:
        return jittered(x, seeds.rng(schedule.seed, name, "jitter", part.step))

    return fit_altered(spectrograms, labels, classes, architecture, schedule, name, device, jitter)


def fit_altered(
    spectrograms: Pictures,
    labels: np.ndarray,
    classes: tuple[int, ...],
    architecture: Architecture,
    schedule: Schedule,
    name: str,
    device: torch.device,
    alter: Alter,
) -> Classifier:
    """A classifier of every kind of label at once, trained and ready to judge.

    spectrograms  those of a batch are asked for at a time.
    labels        (N, kinds) int64; kind i has the classes 0 .. classes[i] - 1.
    name          part of the seed: judges of different names are independent.
    """
    torch.manual_seed(seeds.number(schedule.seed, name, "init"))
    judge = build(architecture, spectrograms.shape[1:], classes).to(device)

    def load(part: MicroBatch) -> tuple[Tensor, Tensor]:
        x = alter(spectrograms[part.frames], part).astype(np.float32)
        return torch.from_numpy(x).to(device), torch.from_numpy(labels[part.frames]).to(device)

    everything = np.arange(len(spectrograms))
    for _ in train(name, judge, load, lambda batch: loss(judge, *batch), everything, schedule):
        pass
    return judge.eval().requires_grad_(False)


def build(architecture: Architecture, shape: tuple[int, ...], classes: tuple[int, ...]) -> Classifier:
    """An untrained classifier of (C, F, T) spectrograms: of pictures, or of spectra one after the other."""
    channels, doppler_bins, _ = shape
    if architecture == "conv":
        return ConvClassifier(channels, classes, CONV_WIDTH)
    return TokenClassifier(channels, classes, TOKEN_WIDTH, doppler_bins)


def loss(judge: Classifier, x: Tensor, labels: Tensor) -> Tensor:
    """(B,) cross-entropy, summed over the kinds of labels."""
    parts = [
        cross_entropy(logits, labels[:, i], reduction="none", label_smoothing=SMOOTHING)
        for i, logits in enumerate(judge(x))
    ]
    return torch.stack(parts).sum(dim=0)


def jittered(spectrograms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(B, C, F, T) with another gain and some noise each, and no flips: they change what is seen."""
    shape = (len(spectrograms), 1, 1, 1)
    gain, deviation = rng.uniform(-GAIN, GAIN, shape), rng.uniform(0, NOISE, shape)
    noise = deviation * rng.standard_normal(spectrograms.shape)
    return np.asarray((spectrograms + gain + noise).clip(-1, 1), dtype=np.float32)


def features(judge: Classifier, spectrograms: Pictures) -> np.ndarray:
    """(N, 64) float32 of (N, C, F, T) spectrograms: what the judge sees before it names a class."""
    return np.concatenate([judge.features(x).float().cpu().numpy() for x in _batches(judge, spectrograms)])


def predictions(judge: Classifier, spectrograms: Pictures) -> np.ndarray:
    """(N, kinds) int64 most likely class of each kind."""
    found = [torch.stack([logits.argmax(dim=1) for logits in judge(x)], dim=1) for x in _batches(judge, spectrograms)]
    return torch.cat(found).cpu().numpy()


def batches(spectrograms: Pictures) -> Iterator[np.ndarray]:
    """(BATCH, C, F, T) of them at a time, in their order."""
    for start in range(0, len(spectrograms), BATCH):
        yield spectrograms[np.arange(start, min(start + BATCH, len(spectrograms)))]


def _batches(judge: Classifier, spectrograms: Pictures) -> Iterator[Tensor]:
    device = device_of(judge)
    for x in batches(spectrograms):
        yield torch.from_numpy(x).float().to(device)
