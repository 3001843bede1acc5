"""How often classifiers are right: labels that were asked for against labels that were recognised."""

import numpy as np
import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix


def accuracy(labels: np.ndarray, predictions: np.ndarray, classes: int) -> float:
    """Share of (N,) samples whose predicted class is their label; each sample counts once."""
    found, truth = torch.from_numpy(predictions), torch.from_numpy(labels)
    return float(multiclass_accuracy(found, truth, classes, average="micro"))


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) int64 counts: row the label, column the prediction."""
    found, truth = torch.from_numpy(predictions), torch.from_numpy(labels)
    return np.asarray(multiclass_confusion_matrix(found, truth, classes).numpy())
