"""The frozen network that latents are aligned to, and that compares spectrograms for the perceptual loss: a classifier
of labels trained here, or one from a file.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from echoes import params, seeds, weights
from echoes.autoencoder.loss_weights import AlignmentConfig, TeacherTraining
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.nets.classifiers import ConvClassifier
from echoes.provenance import Header
from echoes.training.loop import train
from echoes.training.microbatches import MicroBatch


def teacher(data: Spectrograms, config: AlignmentConfig, device: torch.device) -> ConvClassifier:
    """The frozen classifier that `config` asks for."""
    choices = {
        "trained": lambda: fit(data, config.trained, device),
        "file": lambda: load(Path(config.file.path), data.channels, device),
    }
    return choices[config.teacher]()


def fit(data: Spectrograms, config: TeacherTraining, device: torch.device) -> ConvClassifier:
    """A classifier of all kinds of labels at once, trained on the train split and frozen."""
    torch.manual_seed(seeds.number(config.seed, "teacher", "init"))
    classes = tuple(len(names) for names in data.label_names.values())
    classifier = ConvClassifier(data.channels, classes, config.width).to(device)

    def batch(part: MicroBatch) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(data.target_batch(part.frames)), torch.from_numpy(data.labels(part.frames))

    def loss(batch: tuple[Tensor, Tensor]) -> Tensor:
        x, labels = batch[0].to(device), batch[1].to(device)
        kinds = zip(classifier(x), labels.unbind(1), strict=True)
        return torch.stack([F.cross_entropy(logits.float(), label, reduction="none") for logits, label in kinds]).sum(0)

    for _ in train("teacher", classifier, batch, loss, data.frames("train"), config):
        pass
    return _frozen(classifier)


@dataclass(frozen=True)
class _Saved:
    """What rebuilds a classifier: channels of spectrograms, classes of each kind of label, width."""

    channels: int
    classes: tuple[int, ...]
    width: int


def save(classifier: ConvClassifier, inputs: int, classes: tuple[int, ...], width: int, path: Path) -> None:
    """Write a classifier as a teacher for other runs."""
    weights.save(classifier.state_dict(), Header("teacher", asdict(_Saved(inputs, classes, width)), {}), path)


def load(path: Path, inputs: int, device: torch.device) -> ConvClassifier:
    """The frozen classifier of a file; raises InputError unless it takes spectrograms of so many channels."""
    tensors, header = weights.load(path, "teacher")
    p: _Saved = params.build(_Saved, header.params, f"{path}: params")
    if p.channels != inputs:
        raise InputError(f"{path}: expected a teacher of {inputs} channels, got {p.channels}")
    classifier = weights.rebuilt(lambda: ConvClassifier(p.channels, p.classes, p.width), tensors, path)
    return _frozen(classifier.to(device))


def _frozen(classifier: ConvClassifier) -> ConvClassifier:
    return classifier.eval().requires_grad_(False)
