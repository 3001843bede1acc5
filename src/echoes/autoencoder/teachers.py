"""The frozen network that latents are aligned to, and that compares spectrograms for the perceptual loss: a classifier
of labels trained here, or a vision transformer from a file.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from echoes import seeds
from echoes.autoencoder import backbone
from echoes.autoencoder.alignment import Teacher
from echoes.autoencoder.loss_weights import AlignmentConfig, TeacherTraining
from echoes.dataset.spectrograms import Spectrograms
from echoes.nets.classifiers import ConvClassifier
from echoes.training.loop import train
from echoes.training.microbatches import MicroBatch


def teacher(data: Spectrograms, config: AlignmentConfig, device: torch.device) -> Teacher:
    """The frozen network that `config` asks for."""
    choices: dict[str, Callable[[], Teacher]] = {
        "trained": lambda: fit(data, config.trained, device),
        "file": lambda: backbone.load(config.file, data.channels, device),
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
    return classifier.eval().requires_grad_(False)
